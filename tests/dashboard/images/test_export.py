import csv
import io
import json

import pytest

from dashboard.images import csv_export
from dashboard.queries import run_queries
from dashboard.views.failures.page import DEFAULTS
from streetclip.results.filters import Selection
from streetclip.store import annotate, open_store
from tests.dashboard.twins import write_sql
from tests.dashboard.worlds import World

RISKY = ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\tx", "\rx", "=", "-", "+", '=HYPERLINK("x")']
HARMLESS = ["a=1", " =1", "'=1", "", "−5", "-5", "+5.5", "-.5e-3", "1,5", "🙈", '"=1"']


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
    text = csv_export.file_of(view, order).read().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("text", RISKY)
def test_a_text_that_a_spreadsheet_would_run_is_made_harmless(text):
    assert csv_export.harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", HARMLESS)
def test_other_texts_and_numbers_stay_as_they_are(text):
    assert csv_export.harmless(text) == text


def test_negative_numbers_stay_numbers():
    assert csv_export.harmless(-122.4) == -122.4
    assert csv_export.harmless(-3) == -3


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
    assert csv_export.file_of(view_of(world), "file").read(3) == b"\xef\xbb\xbf"


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
    monkeypatch.setattr(csv_export, "MOST_ROWS", 30)
    monkeypatch.setattr(csv_export.html, "remark", said.append)
    view = view_of(world)
    assert len(rows_of(view)) == 30
    csv_export.limit_remark(view)
    assert "the first 30 images" in said[0]
    assert "outputs/evaluation/predictions.csv" in said[0]


def test_a_small_selection_is_whole_and_nothing_is_said(world, monkeypatch):
    monkeypatch.setattr(csv_export.html, "remark", lambda _: pytest.fail("said something"))
    csv_export.limit_remark(view_of(world))
    assert len(rows_of(view_of(world))) == 90


def test_chunks_join_without_a_seam(world, monkeypatch):
    whole = rows_of(view_of(world))
    monkeypatch.setattr(csv_export, "_CHUNK_ROWS", 7)
    assert rows_of(view_of(world)) == whole
