"""Exported files: their cells, types and portions."""

import io
import json

import pandas as pd
import pytest

from streetclip.errors import ConfigError
from streetclip.reports import exports
from streetclip.reports.exports import annotation_portions, harmless, portions
from streetclip.store import annotate, open_store
from tests.dashboard.twins import write_sql
from tests.dashboard.worlds import World

RISKY = ["=1+1", "'=1", "+cmd", "-2+3", "@SUM(A1)", "\tx", "\rx", "=", "-", "+", '=HYPERLINK("x")']
HARMLESS = ["a=1", " =1", "", "−5", "-5", "+5.5", "-.5e-3", "1,5", "🙈", '"=1"']


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("exports"), num_images=60, with_files=False)
    made.add_run()
    write_sql(made.path, "UPDATE images SET filename = 'odd\\udc80 ' || filename WHERE id = 3")
    with open_store(made.path) as store:
        annotate(store, [9, 5], add_tags=["no cue", "=own"], note="-see\nthere", status="reviewed")
    return made


@pytest.fixture
def read(world):
    """The columns of all images, in portions of some size."""

    def columns(size=exports.PORTION, of=portions):
        with open_store(world.path, read_only=True) as opened:
            return list(of(opened, 1, list(range(1, 61)), size))

    return columns


def written(ending, columns):
    file = io.BytesIO()
    exports.WRITERS[ending](columns, file)
    file.seek(0)
    return file


@pytest.mark.parametrize("text", RISKY)
def test_a_text_that_a_spreadsheet_would_run_is_made_harmless(text):
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", HARMLESS)
def test_other_texts_and_numbers_stay_as_they_are(text):
    assert harmless(text) == text
    assert (harmless(-122.4), harmless(-3)) == (-122.4, -3)


@pytest.mark.parametrize("ending", exports.WRITERS)
def test_portions_join_without_a_seam(read, ending):
    whole, parts = read(), read(7)
    assert (len(whole), [len(each["line"]) for each in parts]) == (1, [7] * 8 + [4])
    as_rows = {
        "csv": lambda file: file.read(),
        "parquet": pd.read_parquet,
        "geojson": json.load,
    }[ending]
    one, other = as_rows(written(ending, whole)), as_rows(written(ending, parts))
    assert one.equals(other) if ending == "parquet" else one == other


def test_parquet_keeps_types_and_what_is_missing(read):
    found = pd.read_parquet(written("parquet", read()), dtype_backend="pyarrow")
    types = {name: str(found[name].dtype) for name in found}
    assert types["country_correct"] == "bool[pyarrow]"
    assert types["true_city_rank"] == types["line"] == "int64[pyarrow]"
    assert types["distance_km"] == types["true_latitude_deg"] == "double[pyarrow]"
    assert types["pred_city"] == types["attribute:weather"] == "string[pyarrow]"
    (columns,) = read()
    unreadable = [i for i, each in enumerate(columns["status"]) if each == "unreadable"]
    assert len(unreadable) > 0
    assert found["distance_km"].isna().to_numpy().nonzero()[0].tolist() == unreadable
    assert found["note"][4] == "-see\nthere"  # no formula can run here: nothing is changed


def test_geojson_has_a_point_at_each_predicted_place_and_none_where_there_is_none(read):
    (columns,) = read()
    features = json.load(written("geojson", [columns]))["features"]
    places = zip(columns["pred_longitude_deg"], columns["pred_latitude_deg"], strict=True)
    for feature, place in zip(features, places, strict=True):
        point = None if None in place else {"type": "Point", "coordinates": list(place)}
        assert feature["geometry"] == point
    assert features[8]["properties"]["tags"] == "=own; no cue"
    assert None in [feature["geometry"] for feature in features]


@pytest.mark.parametrize("ending", exports.WRITERS)
def test_of_no_image_there_is_a_whole_file_without_rows(world, ending):
    with open_store(world.path, read_only=True) as opened:
        file = written(ending, portions(opened, 1, []))
    if ending == "csv":
        assert file.read().decode("utf-8-sig").startswith("image_filename,line,")
    elif ending == "parquet":
        assert len(pd.read_parquet(file)) == 0
    else:
        assert json.load(file) == {"type": "FeatureCollection", "features": []}


def test_annotations_are_those_of_the_images_that_have_one(read):
    for size in (60, 7):
        rows = pd.read_csv(written("csv", read(size, annotation_portions)))
        assert rows["image_filename"].tolist() == ["street/0004.jpg", "street/0008.jpg"]
        assert rows["tags"].tolist() == ["'=own; no cue"] * 2
        assert rows["note"].tolist() == ["'-see\nthere"] * 2
        assert rows["triage_status"].tolist() == ["reviewed"] * 2
        assert rows["updated_at"].notna().all()


def test_an_unknown_ending_is_refused_in_words():
    with pytest.raises(ConfigError, match=r"'a\.txt' ends with none of \.csv, \.parquet, \.geo"):
        exports.writer_of("a.txt")
    assert exports.writer_of("a.PARQUET") is exports.write_parquet
