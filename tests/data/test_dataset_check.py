import json

import numpy as np
import pytest
from PIL import Image

from streetclip.data.candidates import load_candidates
from streetclip.data.dataset_check import coverage, unreadable_images
from streetclip.data.manifest import read_manifest

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
    assert (found.country, found.city) == (3, 1)
    assert found.countries_missing == ("CH", "DE")


def test_cities_that_no_candidate_names_come_with_the_nearest_one(tmp_path):
    csv = tmp_path / "a.csv"
    rows = [
        "1.jpg,Villeurbanne,,France,,45.77,4.88",
        "2.jpg,Villeurbanne,,France,,45.78,4.88",
        "3.jpg,Villeurbanne,,France,,,",
        "4.jpg,Basel,,Switzerland,,,",
        "5.jpg,Xyville,,France,,,",
        "6.jpg,Lyon,,France,,,",
        "7.jpg,,,France,,,",
    ]
    csv.write_text(HEADER.strip() + ",latitude,longitude\n" + "\n".join(rows) + "\n")
    path = tmp_path / "candidates.json"
    path.write_text(json.dumps({"France": ["Lyon", "Mulhouse"]}))
    found = coverage(read_manifest(csv), load_candidates(path), most_listed=2)
    assert (found.city, found.num_cities_missing) == (1, 3)
    villeurbanne, basel = found.cities_missing
    assert (villeurbanne.city, villeurbanne.num_images) == ("Villeurbanne", 3)
    assert villeurbanne.nearest == "Lyon, France"
    assert villeurbanne.distance_km == pytest.approx(3.9, abs=0.5)
    # Of any country, from the gazetteer's place where the images have none.
    assert basel.nearest == "Mulhouse, France"
    assert basel.distance_km == pytest.approx(29, abs=2)
    every = coverage(read_manifest(csv), load_candidates(path), most_listed=9).cities_missing
    unknown = next(city for city in every if city.city == "Xyville")
    assert unknown.nearest == ""
    assert np.isnan(unknown.distance_km)
