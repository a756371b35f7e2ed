import csv
import io
import json

import pandas as pd
import pytest

from dashboard.images import exports
from dashboard.queries import run_queries
from dashboard.views.failures.page import DEFAULTS
from streetclip.results.filters import Selection
from streetclip.store import annotate, open_store
from tests.dashboard.twins import write_sql
from tests.dashboard.worlds import World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("export"), num_images=90, with_files=False)
    made.add_run("older", seed=1)
    made.add_run("newer", seed=2)
    with open_store(made.path) as store:
        annotate(store, [5, 9], add_tags=["no cue", "=own"], note="-see\nthere", status="reviewed")
    return made


def view_of(world, run_id=2, **selection):
    return run_queries.make_view(world.path, run_id, None, Selection(**selection), DEFAULTS)


def rows_of(view, order="file"):
    text = exports.file_of(view, order).read().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_file_has_the_rows_that_sql_gives(world):
    expected = world.sql(
        "SELECT filename, true_longitude_deg, distance_km, country_probability FROM predictions "
        "JOIN images ON images.id = image_id WHERE run_id = 2 AND country_correct = 0 "
        "ORDER BY image_id"
    )
    found = rows_of(view_of(world, country_correct=False))
    number = ["" if value is None else value for row in expected for value in row[1:]]
    assert [row["image_filename"] for row in found] == [row[0] for row in expected]
    written = [
        value and float(value)
        for row in found
        for value in (row["true_longitude_deg"], row["distance_km"], row["country_probability"])
    ]
    assert written == number
    assert any(value != "" and value < 0 for value in number)


def test_the_file_follows_the_order_of_the_page(world):
    expected = world.sql(
        "SELECT filename FROM predictions JOIN images ON images.id = image_id WHERE run_id = 2 "
        "ORDER BY distance_km IS NULL, distance_km DESC, image_id"
    )
    found = rows_of(view_of(world), "farthest")
    assert [row["image_filename"] for row in found] == [name for (name,) in expected]


def test_what_was_noted_and_the_attributes_stand_in_their_columns(world):
    found = {row["image_filename"]: row for row in rows_of(view_of(world))}
    for image_id, name, attributes in world.sql(
        "SELECT image_id, filename, attributes FROM dataset_images "
        "JOIN images ON images.id = image_id"
    ):
        row = found[name]
        noted = image_id in (5, 9)
        # "=own" stands first: tags are in alphabetical order.
        assert row["tags"] == ("'=own; no cue" if noted else "")
        assert row["note"] == ("'-see\nthere" if noted else "")
        assert row["triage_status"] == ("reviewed" if noted else "open")
        for attribute, value in json.loads(attributes).items():
            assert row[f"attribute:{attribute}"] == value


def test_attributes_that_a_spreadsheet_would_run_are_made_harmless(tmp_path):
    world = World(tmp_path, num_images=12, with_files=False)
    world.add_run()
    formulas = {"weather": "=1+1", "camera": "@SUM(A1)", "scene": "-3.5"}
    write_sql(world.path, f"UPDATE dataset_images SET attributes = '{json.dumps(formulas)}'")
    for row in rows_of(view_of(world, run_id=1)):
        found = [row[f"attribute:{name}"] for name in formulas]
        assert found == ["'=1+1", "'@SUM(A1)", "-3.5"]


def test_a_spreadsheet_is_told_the_encoding(world):
    assert exports.file_of(view_of(world), "file").read(3) == b"\xef\xbb\xbf"


def test_hostile_names_cannot_break_out_of_their_cells(tmp_path):
    text = "\"; =cmd|' /C calc'!A0\n,x"
    world = World(tmp_path, num_images=40, text=text, with_files=False)
    world.add_run()
    found = rows_of(view_of(world, run_id=1))
    assert len(found) == 40
    assert all(row["true_city"].endswith(text) for row in found)
    assert all(None not in row for row in found)


def test_a_large_selection_is_cut_and_said_to_be(world, monkeypatch):
    said = []
    monkeypatch.setattr(exports, "MOST_ROWS", 30)
    monkeypatch.setattr(exports.html, "remark", said.append)
    view = view_of(world)
    assert len(rows_of(view)) == 30
    exports.limit_remark(view)
    assert "the first 30 images" in said[0]
    assert "python jobs/export_predictions.py --run 2 " in said[0]


def test_a_small_selection_is_whole_and_nothing_is_said(world, monkeypatch):
    monkeypatch.setattr(exports.html, "remark", lambda _: pytest.fail("said something"))
    exports.limit_remark(view_of(world))
    assert len(rows_of(view_of(world))) == 90


def test_other_formats_have_the_same_images(world):
    view = view_of(world, country_correct=False)
    names = [row["image_filename"] for row in rows_of(view, "farthest")]
    columns = pd.read_parquet(exports.file_of(view, "farthest", "parquet"))
    features = json.load(exports.file_of(view, "farthest", "geojson"))["features"]
    assert columns["image_filename"].tolist() == names
    assert [each["properties"]["image_filename"] for each in features] == names
