"""Imported predictions are measured as a plain computation over the rows of the file says."""

import csv
import json
import math
import random

import pytest

from streetclip import store
from streetclip.config import ImportPredictionsConfig
from streetclip.errors import ManifestError, OutputError
from streetclip.evaluation import imports
from streetclip.evaluation.imported_places import match_images
from streetclip.evaluation.imported_rows import NO_ROW
from tests.evaluation.plain_metrics import plain_summary

CITIES = {  # by country: spellings that models use, continent, and cities with their places
    "FR": (["France", "FR", "FRA", "french republic"], "Europe", {"Paris": (48.853, 2.349)}),
    "DE": (["Germany", "Deutschland", "DEU"], "Europe", {"Berlin": (52.524, 13.411)}),
    "NL": (["Netherlands", "Holland", "The Netherlands"], "Europe", {"Amsterdam": (52.374, 4.89)}),
    "GB": (["United Kingdom", "UK", "Great Britain"], "Europe", {"London": (51.509, -0.126)}),
    "US": (["United States", "USA", "U.S.A."], "North America", {"Chicago": (41.85, -87.65)}),
    "VN": (["Vietnam", "Viet Nam", "Việt Nam"], "Asia", {"Hanoi": (21.0245, 105.8412)}),
    "JP": (["Japan", "日本", "JPN"], "Asia", {"Tokyo": (35.69, 139.69), "Osaka": (34.69, 135.5)}),
}
GEORANKER = ("IMG_ID", "LAT", "LON", "LAT_pred", "LON_pred", "max_reward")
SAYS_NOTHING = ["", "I cannot tell.", "Sorry, I can't help with locating people.", "unknown", "N/A"]
LABELS = ("image_filename", "city", "region", "country", "continent", "latitude", "longitude")


def table(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def settings(folder, **changes):
    values = {
        "predictions": folder / "predictions.csv",
        "test_csv": folder / "test.csv",
        "run_name": "another model",
        "db": folder / "streetclip.db",
        "output_dir": folder / "out",
    }
    return ImportPredictionsConfig(**values | changes)


def imported(folder, **changes):
    return imports.import_predictions(settings(folder, **changes))


def plain_km(a, b):
    lat_a, lon_a, lat_b, lon_b = map(math.radians, (*a, *b))
    h = math.sin((lat_b - lat_a) / 2) ** 2
    h += math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * 6371.0088 * math.asin(math.sqrt(h))


def write_model(folder, *, num_images, num_silent, num_out_of_range):
    """Write a test file and a model's predictions; return records for the plain computation."""
    rng, names = random.Random(num_silent), list(CITIES)
    labels, rows, records = [], [], []
    silent = set(rng.sample(range(num_images), num_silent))
    spoken = [i for i in range(num_images) if i not in silent]
    out_of_range = set(rng.sample(spoken, num_out_of_range))
    for i in range(num_images):
        true = rng.choice(names)
        pred = true if rng.random() < 0.6 else rng.choice(names)
        city, other = (rng.choice(list(CITIES[code][2])) for code in (true, pred))
        here, there = (
            tuple(round(degrees + rng.uniform(-0.2, 0.2), 4) for degrees in CITIES[code][2][name])
            for code, name in ((true, city), (pred, other))
        )
        spelling = rng.choice(CITIES[pred][0])
        labels.append([f"img/{i}.jpg", city, "", CITIES[true][0][0], CITIES[true][1], *here])
        km = plain_km(here, there)
        if i in silent:
            rows.append([f"img/{i}.jpg", rng.choice(SAYS_NOTHING), "", "", "", ""])
        elif i in out_of_range:
            rows.append([f"img/{i}.jpg", spelling, other, 151.2, -33.9, 0.5])
            km = math.nan
        else:
            rows.append([f"img/{i}.jpg", spelling, other, *there, 0.5])
        readable = i not in silent
        records.append(
            {
                "true_country": true,
                "true_continent": CITIES[true][1],
                "predicted_country": pred if readable else "",
                "country_probability": 0.5,
                "country_correct": readable and pred == true,
                "city_correct": readable and (pred, other) == (true, city),
                "country_reachable": True,
                "city_reachable": True,
                "readable": readable,
                "has_coordinates": True,
                "distance_km": km if readable else math.nan,
                "nearest_candidate_km": math.nan,
            }
        )
    table(folder / "test.csv", LABELS, labels)
    header = ["image", "predicted_country", "predicted_city", "pred_lat", "pred_lon", "confidence"]
    table(folder / "predictions.csv", header, rows)
    return records


def flat(value, name=""):
    """The numbers of nested figures by path (None as −1); ceilings of distances are unknown."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flat(each, f"{name}/{key}")
    elif not isinstance(value, str) and not (name[:5] == "/dist" and name.endswith("ceiling")):
        yield name, -1.0 if value is None else value


@pytest.mark.parametrize(
    ("num_images", "num_silent", "num_out_of_range"), [(1602, 24, 4), (1602, 557, 0)]
)
def test_metrics_are_those_of_a_plain_computation(
    tmp_path, num_images, num_silent, num_out_of_range
):
    records = write_model(
        tmp_path,
        num_images=num_images,
        num_silent=num_silent,
        num_out_of_range=num_out_of_range,
    )
    run = imported(tmp_path)
    written = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert written == {"run_id": run.run_id, "strategy": "imported"} | run.metrics
    expected = dict(flat(plain_summary(records)))
    found = dict(flat(run.metrics))
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-12)
    answered = dict(flat(plain_summary([each for each in records if each["readable"]])))
    found = dict(flat(run.metrics["answered"]))
    assert found == pytest.approx({key: answered[key] for key in found}, rel=1e-12)
    assert run.metrics["answered"]["num_images"] == num_images - num_silent
    counts = run.metrics["imported"]
    assert counts["num_unparsable"] == num_silent
    assert counts["num_bad_coordinates"] == num_out_of_range
    with (tmp_path / "out" / "predictions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == num_images
    assert [row["status"] == "ok" for row in rows] == [each["readable"] for each in records]
    assert {row["status"] for row in rows} == {"ok", "unparsable"}


@pytest.fixture
def two_images(tmp_path):
    places = [("a.jpg", "Paris", "France", 48.853, 2.349), ("b.jpg", "Rome", "Italy", 41.89, 12.5)]
    rows = [[name, city, "", country, "", *place] for name, city, country, *place in places]
    table(tmp_path / "test.csv", LABELS, rows)
    return tmp_path


def write_rows(folder, *rows, header=("file", "country", "city", "lat", "lon")):
    table(folder / "predictions.csv", header, rows)


def detail(folder):
    with (folder / "out" / "predictions.csv").open(encoding="utf-8") as file:
        return {row["image_filename"]: row for row in csv.DictReader(file)}


def test_what_is_missing_and_what_is_foreign_is_counted(two_images):
    write_rows(two_images, ["a.jpg", "France", "Paris", 48.9, 2.3], ["z.jpg", "Italy", "", 1, 2])
    counts = imported(two_images).metrics["imported"]
    assert (counts["num_images_without_row"], counts["num_rows_of_other_images"]) == (1, 1)
    missing = detail(two_images)["b.jpg"]
    assert (missing["status"], missing["error"]) == ("unparsable", NO_ROW)
    assert (missing["pred_country"], missing["country_correct"]) == ("", "0")


@pytest.mark.parametrize(("duplicates", "correct"), [("first", "0"), ("last", "1")])
def test_of_several_rows_for_an_image_one_is_chosen(two_images, duplicates, correct):
    write_rows(two_images, ["a.jpg", "Italy", "", "", ""], ["x/a.png", "France", "", "", ""])
    with pytest.raises(ManifestError, match=r"predictions\.csv:3: image 'x/a\.png' repeats line 2"):
        imported(two_images)
    run = imported(two_images, duplicates=duplicates)
    assert run.metrics["imported"]["num_repeated_rows"] == 1
    assert detail(two_images)["a.jpg"]["country_correct"] == correct


def test_names_and_coordinates_complete_each_other(two_images):
    write_rows(two_images, ["a", "", "", 48.86, 2.35], ["b", "IT", "Roma", "", ""])
    run = imported(two_images)
    assert run.metrics["city_accuracy"]["successes"] == 2
    located = detail(two_images)
    assert located["a.jpg"]["pred_country"] == "FR"
    assert float(located["b.jpg"]["distance_km"]) < 5


def test_a_city_is_not_its_namesake_elsewhere(tmp_path):
    rows = [["a.jpg", "Portland", "Maine", "USA", "", 43.66, -70.25]]
    table(tmp_path / "test.csv", LABELS, rows)
    write_rows(tmp_path, ["a.jpg", "US", "Portland", 45.5, -122.6])
    run = imported(tmp_path)
    assert run.metrics["country_accuracy"]["successes"] == 1
    assert run.metrics["city_accuracy"]["successes"] == 0
    write_rows(tmp_path, ["a.jpg", "US", "Portland", 43.7, -70.3])
    assert imported(tmp_path, output_dir=tmp_path / "2").metrics["city_accuracy"]["successes"] == 1


def test_a_rank_and_probabilities_come_from_a_ranking(two_images):
    header = ("image", "country", "top_countries")
    ranking = json.dumps([["Spain", 0.5], ["France", 0.375]])
    write_rows(two_images, ["a.jpg", "Spain", ranking], ["b.jpg", "Italy", ""], header=header)
    imported(two_images)
    row = detail(two_images)["a.jpg"]
    assert (row["true_country_rank"], row["country_correct"]) == ("2", "0")
    assert json.loads(row["top_countries"]) == [["ES", 0.5], ["FR", 0.375]]


def test_labels_in_the_same_file_become_a_manifest(tmp_path):
    header = [
        *("image_name", "model_response", "label_city", "label_country", "predicted_city"),
        *("predicted_country", "label_lat", "label_long", "predicted_lat", "predicted_long"),
    ]
    rows = [
        [
            "i/0.jpg",
            "x",
            "Geelong",
            "Australia",
            "Melbourne",
            "Australia",
            -38.1,
            144.3,
            -37.8,
            145,
        ],
        ["i/1.jpg", "x", "Rome", "Italy", "", "", 41.89, 12.5, "", ""],
    ]
    write_rows(tmp_path, *rows, header=header)
    run = imported(tmp_path, test_csv=tmp_path / "predictions.csv")
    assert run.metrics["imported"]["format"] == "vlm"
    assert (run.metrics["num_images"], run.metrics["country_accuracy"]["successes"]) == (2, 1)
    labels = (tmp_path / "out" / "labels.csv").read_text(encoding="utf-8").splitlines()
    assert labels[2] == "i/1.jpg,Rome,,Italy,,41.89,12.5"
    with pytest.raises(ManifestError, match=r"no column 'nation', which --truth names"):
        imported(
            tmp_path,
            test_csv=tmp_path / "predictions.csv",
            truth=("country=nation",),
            output_dir=tmp_path / "2",
        )


def test_labels_in_a_table_of_their_own_become_a_manifest(tmp_path):
    table(tmp_path / "test.csv", ("IMG_ID", "LAT", "LON"), [["0.jpg", 48.853, 2.349]])
    write_rows(tmp_path, ["0.jpg", 1, 2, 48.8, 2.3, 9], header=GEORANKER)
    run = imported(tmp_path)
    assert run.metrics["imported"]["format"] == "georanker"
    assert run.metrics["country_accuracy"]["successes"] == 1
    assert 5 < run.metrics["distance"]["mean_km"] < 10


def test_an_import_joins_the_dataset_and_is_repeated_only_elsewhere(two_images):
    write_rows(two_images, ["a.jpg", "France", "Paris", 48.9, 2.3])
    folder = two_images / "photos"
    imported(two_images, image_dir=folder)
    with pytest.raises(OutputError, match=r"It holds a run"):
        imported(two_images)
    second = imported(two_images, output_dir=two_images / "2", run_name="b")
    assert second.image_dir == folder
    with store.open_store(two_images / "streetclip.db", read_only=True) as database:
        runs = store.list_runs(database)
    assert set(runs["strategy"]) == {"imported"}
    assert runs["dataset_id"].nunique() == 1


def test_an_interrupted_import_is_continued(two_images, monkeypatch):
    write_rows(two_images, ["a.jpg", "France", "Paris", 48.9, 2.3])

    def interrupt(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(imports, "write_predictions", interrupt)
        with pytest.raises(KeyboardInterrupt):
            imported(two_images)
    with store.open_store(two_images / "streetclip.db", read_only=True) as database:
        assert store.list_runs(database)["state"].tolist() == ["interrupted"]
    run = imported(two_images)
    with store.open_store(two_images / "streetclip.db", read_only=True) as database:
        assert store.list_runs(database)["state"].tolist() == ["done"]
    assert run.run_id == 1


def test_a_name_that_two_images_share_fits_neither():
    assert match_images(["1.jpg", "a/2.jpg"], ["a/1.jpg", "b/1.jpg", "2.jpg"]).tolist() == [-1, 2]
