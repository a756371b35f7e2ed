import csv
import json
from collections import Counter

import pytest
from PIL import Image

from streetclip.config import DemoConfig
from streetclip.demo import MARKER_NAME, is_drawn
from streetclip.demo.world import build_world, candidates
from streetclip.errors import OutputError
from streetclip.gazetteer import find_city, find_country

COLUMNS = [
    "image_filename",
    "city",
    "region",
    "country",
    "continent",
    "latitude",
    "longitude",
    "scene_id",
    "setting",
    "weather",
    "time_of_day",
    "occlusion",
    "blur",
    "driving_side",
    "script",
    "neighbourhood",
    "cue_boxes",
]


def tiny(folder, **changes):
    counts = {"num_train": 7, "num_val": 2, "num_test": 3, "num_workers": 1}
    return DemoConfig(output_dir=folder, **{**counts, **changes})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "demo"
    build_world(tiny(folder))
    return folder


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_counts_and_columns_are_those_asked_for(built):
    for split, count in (("train", 7), ("val", 2), ("test", 3)):
        rows = rows_of(built / f"{split}.csv")
        assert len(rows) == count
        assert list(rows[0]) == COLUMNS


def test_every_row_has_its_image(built):
    names = [
        row["image_filename"]
        for s in ("train", "val", "test")
        for row in rows_of(built / f"{s}.csv")
    ]
    assert sorted(names) == sorted(path.name for path in (built / "images").iterdir())
    with Image.open(built / "images" / names[0]) as image:
        assert (image.size, image.mode, image.format) == ((320, 240), "RGB", "JPEG")


def test_the_candidates_are_the_worlds_cities_with_the_gazetteers_coordinates(built):
    content = json.loads((built / "candidates.json").read_text(encoding="utf-8"))
    assert content == candidates()
    assert len(content) == 40
    assert Counter(len(cities) for cities in content.values()) == {3: 40}
    for name, cities in content.items():
        city = find_city(find_country(name).code, cities[2]["city"])
        assert cities[2]["latitude"] == pytest.approx(city.latitude_deg, abs=1e-4)


def test_the_folder_says_that_it_is_drawn(built, tmp_path):
    assert is_drawn(built / "test.csv")
    assert is_drawn(built / "images")
    assert is_drawn(str(built))
    assert not is_drawn(tmp_path / "photos")
    marker = json.loads((built / MARKER_NAME).read_text(encoding="utf-8"))
    assert marker["finished"]
    assert marker["num_images"] == {"train": 7, "val": 2, "test": 3}
    assert "drawn by a program" in (built / "README.md").read_text(encoding="utf-8")


def test_a_broken_marker_is_no_drawn_world(tmp_path):
    (tmp_path / MARKER_NAME).write_text("[1, 2", encoding="utf-8")
    assert not is_drawn(tmp_path / "test.csv")


def test_a_finished_world_is_not_touched(built):
    before = (built / "train.csv").stat().st_mtime_ns
    with pytest.raises(OutputError, match=r"finished drawn world of these settings.*--resume"):
        build_world(tiny(built))
    with pytest.raises(OutputError, match=r"of other settings \(version 1, seed 42"):
        build_world(tiny(built, seed=1, resume=True))
    assert (built / "train.csv").stat().st_mtime_ns == before


def test_resume_keeps_a_finished_world(built):
    before = (built / "train.csv").stat().st_mtime_ns
    assert not build_world(tiny(built, resume=True))
    assert (built / "train.csv").stat().st_mtime_ns == before


def test_a_folder_of_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="no drawn world"):
        build_world(tiny(tmp_path))
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_a_world_that_was_broken_off_is_drawn_again(built, tmp_path, monkeypatch):
    folder = tmp_path / "demo"

    def stop(done, total, **numbers):
        if done == 9:  # the training chunk and the validation chunk
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_world(tiny(folder), stop)
    assert not json.loads((folder / MARKER_NAME).read_text(encoding="utf-8"))["finished"]
    (folder / "images" / "stale.jpg").write_bytes(b"")
    build_world(tiny(folder))
    for name in ("train.csv", "val.csv", "test.csv"):
        assert (folder / name).read_bytes() == (built / name).read_bytes()
    assert not (folder / "images" / "stale.jpg").exists()


@pytest.mark.slow
def test_two_processes_draw_the_same_world_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr("streetclip.demo.world._TOO_FEW_FOR_PROCESSES", 1)
    monkeypatch.setattr("streetclip.demo.model.build_model", lambda folder, seed: None)
    sizes = {"num_train": 53, "num_val": 1, "num_test": 2}
    for workers in (1, 2):
        build_world(tiny(tmp_path / str(workers), num_workers=workers, **sizes))
    one, two = (
        {
            p.relative_to(tmp_path / n): p.read_bytes()
            for p in (tmp_path / n).rglob("*")
            if p.is_file()
        }
        for n in "12"
    )
    assert one == two


def test_progress_ends_at_the_total(tmp_path, monkeypatch):
    monkeypatch.setattr("streetclip.demo.model.build_model", lambda folder, seed: None)
    seen = []
    build_world(tiny(tmp_path / "demo"), lambda done, total, **numbers: seen.append((done, total)))
    assert seen[0] == (0, 12)
    assert seen[-1] == (12, 12)
