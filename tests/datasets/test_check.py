import json

import pytest
from PIL import Image

from streetclip.datasets.candidates import load_candidates
from streetclip.datasets.check import coverage, unreadable_images
from streetclip.datasets.manifest import read_manifest

HEADER = "image_filename,city,region,country,continent\n"


@pytest.fixture
def write(tmp_path):
    def _write(name, *rows):
        path = tmp_path / name
        path.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
        return read_manifest(path)

    return _write


@pytest.mark.parametrize("num_workers", [0, 1])
def test_unreadable_images_are_told_by_line(write, tmp_path, num_workers):
    manifest = write("a.csv", *(f"{i}.png,,,France," for i in range(10)))
    for i in range(10):
        Image.new("RGB", (3, 4)).save(tmp_path / f"{i}.png")
    (tmp_path / "2.png").write_bytes(b"")
    (tmp_path / "9.png").unlink()
    calls = []

    def progress(done, total, **numbers):
        calls.append((done, total, numbers))

    found = unreadable_images(manifest, tmp_path, num_workers=num_workers, progress=progress)
    assert [line for line, _ in found] == [4, 11]
    assert "empty" in found[0][1]
    assert "no such file" in found[1][1]
    assert calls[-1] == (10, 10, {"unreadable": 2})


def test_coverage_counts_what_candidates_can_name(write, tmp_path):
    manifest = write(
        "a.csv",
        "1.jpg,Paris,,France,",
        "2.jpg,Nantes,,France,",
        "3.jpg,Paris,,USA,",
        "4.jpg,Berlin,,Germany,",
        "5.jpg,Bern,,Switzerland,",
        "6.jpg,Bern,,Switzerland,",
    )
    path = tmp_path / "candidates.json"
    path.write_text(json.dumps({"France": ["Paris", "Lyon"], "USA": ["Chicago"]}))
    found = coverage(manifest, load_candidates(path))
    assert (found.country, found.city, found.num_images) == (3, 1, 6)
    assert found.countries_missing == ("CH", "DE")
