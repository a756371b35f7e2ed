"""Predict a folder of photos without labels."""

import csv
import json
import shutil

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD

from jobs import predict
from streetclip.config import PredictConfig
from streetclip.evaluation.photos import predict_photos
from streetclip.evaluation.preparation import load_inputs
from streetclip.evaluation.runner import evaluate
from tests import warm
from tests.evaluation.configs import config_in

PLACES = {
    "=paris.jpg": ("N", (48, 51, 24), "E", (2, 21, 8)),
    "<b>sydney.jpg": ("S", (33, 52, 0), "E", (151, 12, 30)),
    "ocean\n.jpg": ("S", (40, 0, 0), "W", (120, 0, 0)),
}


def save(path, colour, position=None):
    exif = Image.Exif()
    if position is not None:
        names = (GPS.GPSLatitudeRef, GPS.GPSLatitude, GPS.GPSLongitudeRef, GPS.GPSLongitude)
        exif.get_ifd(IFD.GPSInfo).update(dict(zip(names, position, strict=True)))
    Image.new("RGB", (64, 48), colour).save(path, exif=exif)


@pytest.fixture
def photos(tmp_path):
    """Three photos with GPS, one without, two files that are no photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, (name, position) in enumerate(PLACES.items()):
        save(folder / name, (50 * number, 90, 30), position)
    save(folder / "plain.png", "grey")
    (folder / "broken.jpg").write_bytes(b"<html>")
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(12))
    return folder


def flags(world, photos, *more):
    folder = photos.parent
    return [
        f"--image_dir={photos}",
        f"--model_name={world / 'model'}",
        f"--candidates_file={world / 'candidates.json'}",
        f"--output_dir={folder / 'out'}",
        f"--db={folder / 'store.db'}",
        "--precision=fp32",
        "--num_workers=0",
        *more,
    ]


def test_a_folder_of_photos_is_predicted(small_world, photos):
    done = warm.run(["jobs/predict.py", *flags(small_world, photos)])
    assert done.returncode == 0, done.stderr
    assert "4 photos predicted, 2 unreadable; 3 with GPS in their EXIF" in done.stdout
    assert "1 without any truth" in done.stdout
    assert "phone.heic': is an HEIC image" in done.stdout
    assert "'ocean\\n.jpg'" in done.stdout
    assert "nan" not in done.stdout
    assert "predict: 100%" in done.stderr

    with (photos.parent / "out" / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["image_filename"]: row for row in csv.DictReader(file)}
    names = {*PLACES, "plain.png", "broken.jpg", "phone.heic"}
    assert rows.keys() == names - {"=paris.jpg"} | {"'=paris.jpg"}
    assert not any("correct" in name or "rank" in name for name in rows["plain.png"])
    paris, sydney = rows["'=paris.jpg"], rows["<b>sydney.jpg"]
    assert (paris["true_country"], paris["true_city"]) == ("FR", "Paris")
    assert (sydney["true_country"], sydney["true_city"]) == ("AU", "Sydney")
    assert float(sydney["true_latitude_deg"]) == pytest.approx(-33.866667, abs=1e-6)
    assert {row["truth_source"] for row in rows.values()} == {"EXIF GPS", ""}
    assert rows["ocean\n.jpg"]["true_country"] == ""
    assert float(rows["ocean\n.jpg"]["distance_km"]) > 1000
    plain = rows["plain.png"]
    assert {plain[name] for name in plain if name.startswith("true_")} == {""}
    assert plain["distance_km"] == plain["truth_source"] == ""
    ranking = json.loads(plain["top_countries"])
    assert len(ranking) == 5
    assert ranking[0][0] == plain["pred_country"]
    assert rows["broken.jpg"]["status"] == "unreadable"
    assert rows["broken.jpg"]["pred_country"] == ""

    made = json.loads((photos.parent / "out" / "predictions.geojson").read_text())
    features = {each["properties"]["image_filename"]: each for each in made["features"]}
    assert features.keys() == names
    place = features["=paris.jpg"]["geometry"]["coordinates"]
    assert place == [float(paris["pred_longitude_deg"]), float(paris["pred_latitude_deg"])]
    assert features["plain.png"]["properties"]["top_countries"] == ranking
    assert features["plain.png"]["properties"]["true_latitude_deg"] is None
    assert features["broken.jpg"]["geometry"] is None


def test_photos_are_predicted_as_in_an_evaluation(small_world, tmp_path):
    config = config_in(small_world, tmp_path, top_k=5)
    list(evaluate(load_inputs(config)))
    with (tmp_path / "evaluation" / "predictions.csv").open(newline="") as file:
        expected = {row["image_filename"]: row for row in csv.DictReader(file)}
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in list(expected)[:9]:
        shutil.copy(small_world / "images" / name, photos)
    found = predict_photos(
        PredictConfig(
            image_dir=photos,
            model_name=config.model_name,
            candidates_file=config.candidates_file,
            db=config.db,
            precision="fp32",
            num_workers=0,
            batch_size=4,
        )
    )
    assert len(found) == 9
    for row in found.to_dict("records"):
        same = expected[row["image_filename"]]
        for name in ("pred_country", "pred_city", "top_countries", "top_cities"):
            assert row[name] == same[name]
        for name in ("country_probability", "city_probability", "pred_latitude_deg"):
            assert row[name] == float(same[name])


def test_what_exists_is_not_replaced_unless_asked_for(small_world, photos, capsys):
    for name in PLACES:
        (photos / name).unlink()
    out = photos.parent / "out"
    out.mkdir()
    (out / "predictions.geojson").write_text("mine")
    assert predict.main(flags(small_world, photos)) == 2
    assert "predictions.geojson exists already" in capsys.readouterr().err
    assert (out / "predictions.geojson").read_text() == "mine"
    assert predict.main(flags(small_world, photos, "--overwrite")) == 0
    assert json.loads((out / "predictions.geojson").read_text())["type"] == "FeatureCollection"


@pytest.mark.parametrize("case", ["empty", "unreadable", "missing"])
def test_no_photo_is_one_clear_line_and_no_file(small_world, photos, capsys, case):
    for path in photos.iterdir():
        if case != "unreadable" or path.name != "broken.jpg":
            path.unlink()
    if case == "missing":
        photos.rmdir()
    assert predict.main(flags(small_world, photos)) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    expected = {
        "empty": "no photo is in it",
        "unreadable": "none of its 1 photos can be read. broken.jpg",
        "missing": "no such folder",
    }
    assert expected[case] in said.replace("'", "")
    assert not (photos.parent / "out").exists()


def test_help_names_the_limits():
    done = warm.run(["jobs/predict.py", "--help"])
    assert done.returncode == 0
    assert "do not use it to locate or follow people" in " ".join(done.stdout.split())
