"""Damage is found by checksum, count and structure, and what is held twice is repaired."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from streetclip.errors import StoreError
from streetclip.runtime import JobSpec, enqueue_job
from streetclip.store import (
    RUN_DTYPES,
    explained,
    find_faults,
    finish_run,
    list_runs,
    open_store,
    predicted_places,
    read_predictions,
    repair_store,
    run_columns,
    write_predictions,
)
from streetclip.store.columns import read_column
from tests.store.damaged_stores import DAMAGE
from tests.store.older_stores import make_older

HELD_ONCE = ("no predictions table", "text for a number", "no JSON in a run")


@pytest.fixture(params=["done", "partial"])
def run(request, filled):
    """A store, closed into one file, with a finished or a partial run in several batches."""
    predictions = filled.predictions()
    order = np.random.default_rng(0).permutation(len(predictions))
    for rows in np.array_split(order if request.param == "done" else order[:90], 4):
        write_predictions(filled.store, {filled.run_id: predictions.iloc[rows]})
    if request.param == "done":
        finish_run(filled.store, filled.run_id, {"n": 157})
    filled.before = state(filled)
    filled.store.close()
    sql(filled.path, "PRAGMA journal_mode = DELETE")
    return filled


def state(filled):
    """Rows and columns of the run, and the places that its columns stand for."""
    with open_store(filled.path, read_only=True) as store:
        ids = np.sort(filled.dataset.image_ids)
        columns = run_columns(store, filled.run_id, RUN_DTYPES, ids)
        places = predicted_places(store, filled.run_id).iloc[columns.pop("pred_place")]
        rows = read_predictions(store, filled.run_id)
    return columns | {name: places[name].to_numpy() for name in places} | {"rows": rows.to_json()}


def sql(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def faults(path):
    with open_store(path, read_only=True) as store:
        return list(find_faults(store))


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


def test_a_whole_store_has_no_fault(run):
    assert faults(run.path) == []


@pytest.mark.parametrize("position", [0, 0.3, 0.99])
@pytest.mark.parametrize("name", ["image_id", "flags", "distance_km", "pred_place"])
def test_a_flipped_bit_is_found_named_and_repaired(run, name, position):
    where = f"WHERE owner = 'run' AND name = '{name}' AND part = 0"
    with closing(sqlite3.connect(run.path)) as connection, connection:
        (data,) = connection.execute(f"SELECT data FROM column_parts {where}").fetchone()
        flipped = bytearray(data)
        flipped[int(position * len(data))] ^= 1
        connection.execute(f"UPDATE column_parts SET data = ? {where}", (bytes(flipped),))
    with (
        open_store(run.path, read_only=True) as store,
        pytest.raises(StoreError, match=rf"db: run 1: its column '{name}' is damaged.*--repair"),
    ):
        read_column(store.db.conn, ("run", 1), name, RUN_DTYPES[name])
    found = faults(run.path)
    assert [each.text for each in found] == [f"the column '{name}' of run 1 is damaged"]
    assert repair_store(run.path, found) == 1
    assert faults(run.path) == []
    assert_same(state(run), run.before)


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("DELETE FROM column_parts WHERE owner = 'run' AND name = 'margin'", "0 rows; expected"),
        ("DELETE FROM predicted_places WHERE id > 1", "names places beyond the 2"),
        ("DELETE FROM places WHERE id > 2", "names places beyond the 3"),
        ("DELETE FROM column_parts WHERE owner = 'dataset'", "0 rows; expected 157"),
        ("UPDATE column_parts SET crc32 = 1 WHERE name = 'filenames'", "'filenames' of dataset 1"),
        ("UPDATE runs SET num_done = num_done - 3", "predictions; expected"),
        ("DROP INDEX runs_by_job", "runs_by_job, an index or trigger, is missing"),
        ("DROP TRIGGER runs_changed", "runs_changed, an index or trigger, is missing"),
    ],
)
def test_what_is_held_twice_is_repaired(run, statement, text):
    sql(run.path, statement)
    found = faults(run.path)
    assert any(text in each.text for each in found)
    assert all(each.repair for each in found)
    repair_store(run.path, found)
    assert faults(run.path) == []
    assert_same(state(run), run.before)


def test_where_rows_were_lost_the_columns_that_hold_more_are_kept(run):
    sql(run.path, "DELETE FROM predictions WHERE image_id % 2", "DELETE FROM dataset_images")
    found = faults(run.path)
    assert [each.repair for each in found] == [None, None]
    assert "dataset 1 has 0 images; expected 157" in found[0].text
    assert "run 1 has" in found[1].text


def test_an_index_that_disagrees_is_rebuilt(filled):
    filled.start(name="second")
    filled.store.close()
    DAMAGE["index disagrees"](filled.path)
    found = faults(filled.path)
    assert found
    assert all("index runs_by_fingerprint" in each.text and each.repair for each in found)
    repair_store(filled.path, found)
    assert faults(filled.path) == []


@pytest.mark.parametrize("kind", [*HELD_ONCE])
def test_what_is_held_once_is_not_repaired(run, kind):
    DAMAGE[kind](run.path)
    found = faults(run.path)
    assert found
    assert repair_store(run.path, [each for each in found if each.repair]) == 0


@pytest.mark.parametrize(
    ("table", "column"),
    [("runs", "name"), ("predictions", "pred_city"), ("dataset_images", "city"), ("jobs", "error")],
)
def test_a_text_that_is_not_utf8_is_found_and_named(run, table, column):
    if table == "jobs":
        with open_store(run.path) as store:
            enqueue_job(store, JobSpec(**JOB, output_dir=None, cwd=run.path.parent))
    sql(run.path, f"UPDATE {table} SET {column} = CAST(x'c3' AS TEXT)")
    found = faults(run.path)
    assert [each.text for each in found] == [f"{column} of {table} holds a text that is not UTF-8"]
    with open_store(run.path, read_only=True) as store:
        assert len(list(find_faults(store))) == 1
        assert store.rows(f"SELECT {column} FROM {table} LIMIT 1") == [("\ufffd",)]


JOB = {"kind": "train", "arguments": ("--num_epochs=3",), "parameters": {}}


@pytest.mark.parametrize("value", ["{}", "[", "null", "7", "NaN", "[NaN]", '["a",]', "[" * 2000])
def test_odd_json_is_found_and_named(run, value):
    with open_store(run.path) as store:
        enqueue_job(store, JobSpec(**JOB, output_dir=None, cwd=run.path.parent))
    with closing(sqlite3.connect(run.path)) as connection, connection:
        connection.execute("UPDATE jobs SET arguments = ?", (value,))
        connection.execute("UPDATE dataset_images SET attributes = '[]' WHERE image_id = 3")
    assert {each.text for each in faults(run.path)} == {
        "arguments of row 1 of jobs is no JSON array",
        "attributes of row 3 of dataset_images is no JSON object",
    }


def test_a_run_that_is_written_is_counted_from_rows_where_its_column_is_damaged(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()[:50]})
    before = list_runs(filled.store)
    assert before["country_correct"].item() > 0
    filled.store.rows("UPDATE column_parts SET crc32 = 1 WHERE owner = 'run'")
    assert list_runs(filled.store).equals(before)


def test_an_error_is_explained_by_damage_and_else_passed_on(filled):
    with pytest.raises(ZeroDivisionError), explained(filled.path):
        1 / 0  # noqa: B018
    filled.store.rows("DROP TABLE annotation_tags")
    missing = "the table annotation_tags is missing"
    with pytest.raises(StoreError, match=missing), explained(filled.path):
        1 / 0  # noqa: B018
    with pytest.raises(ZeroDivisionError), explained(filled.folder / "none.db"):
        1 / 0  # noqa: B018


def test_columns_of_the_schema_before_get_checksums_once(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    finish_run(filled.store, filled.run_id, {})
    before = state(filled)
    filled.store.close()
    make_older(filled.path, 7)
    with closing(sqlite3.connect(filled.path)) as connection:
        assert not connection.execute(
            "SELECT 1 FROM pragma_table_info('column_parts') WHERE name = 'crc32'"
        ).fetchall()
    assert faults(filled.path) == []
    assert_same(state(filled), before)
