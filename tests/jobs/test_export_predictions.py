"""The export of filtered predictions as a command."""

import csv
import json

import pytest

from jobs import export_predictions
from streetclip.store import annotate, open_store
from tests.dashboard.worlds import World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("exports"), num_images=60).with_two_runs()
    with open_store(made.path) as opened:
        annotate(opened, [5, 9, 12], add_tags=["no cue"])
    return made


@pytest.fixture
def export(world):
    return lambda *flags: export_predictions.main([f"--db={world.path}", *flags])


def names_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row["image_filename"] for row in csv.DictReader(file)]


def test_filtered_images_and_annotations_are_written(export, world, tmp_path, capsys):
    files = tmp_path / "out" / "wrong.csv", tmp_path / "notes.csv"
    flags = [f"--output={files[0]}", f"--annotations={files[1]}", "--filter=country_is=wrong"]
    assert export("--run=older", *flags) == 0
    wrong = world.sql(
        "SELECT filename, image_id FROM predictions JOIN images ON images.id = image_id "
        "WHERE run_id = 1 AND country_correct = 0 ORDER BY image_id"
    )
    assert names_of(files[0]) == [name for name, _ in wrong]
    assert names_of(files[1]) == [name for name, image in wrong if image in (5, 9, 12)]
    assert f"{files[0]}: 0.0 MB, of {len(wrong)} images" in capsys.readouterr().out
    assert export("--run=older", *flags) == 2
    assert "exist already; expected new files. Replace" in capsys.readouterr().err
    assert export("--run=1", *flags, "--overwrite") == 0


def test_a_filter_by_annotation_is_read_from_the_store(export, tmp_path):
    file = tmp_path / "tagged.geojson"
    assert export("--run=2", f"--output={file}", "--filter=?tag=no+cue&status=open") == 0
    assert len(json.loads(file.read_text())["features"]) == 3


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--run=9", "--output=a.csv"], "has no run '9'; expected the name or number of one, the"),
        (["--run=1"], "neither --output nor --annotations is given"),
        (["--run=1", "--output=a.csv", "--annotations=./a.csv"], "a.csv: is named for two outputs"),
        (["--run=1", "--output=a.csv", "--filter=contry=FR"], "'contry' is no filter; expected"),
        (["--run=1", "--output=a.csv", "--filter=country=Mars"], "choose by country 'Mars'; exp"),
        (["--run=1", "--output=a.xlsx"], "'a.xlsx' ends with none of .csv, .parquet, .geojson"),
    ],
)
def test_mistakes_are_one_clear_line(export, capsys, flags, words):
    assert export(*flags) == 2
    err = capsys.readouterr().err
    assert words in err
    assert len(err.splitlines()) == 1
