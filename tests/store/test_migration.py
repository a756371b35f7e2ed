"""A store as the first schema left it, brought up to date: nothing lost, the columns filled."""

import numpy as np
import pytest
from sqlite_utils import Migrations

from streetclip.store import (
    RUN_DTYPES,
    annotate,
    attribute_codes,
    attribute_names,
    dataset_columns,
    datasets,
    fill,
    finish_run,
    open_store,
    parts,
    predicted_places,
    predictions,
    read_predictions,
    run_columns,
    runs,
    schema,
    write_predictions,
)

NEW_TABLES = {
    "column_parts",
    "places",
    "attribute_values",
    "predicted_places",
    "annotations",
    "annotation_tags",
    "annotation_events",
    "annotation_changes",
}


@pytest.fixture
def first_schema(monkeypatch):
    """While it holds, stores are made and written as before there were columns."""
    with monkeypatch.context() as patch:
        migrations = Migrations("streetclip")
        migrations(name="m001_images_runs_and_trainings")(schema.m001_images_runs_and_trainings)
        patch.setattr(schema, "MIGRATIONS", migrations)
        for module, name in (
            (datasets, "add_dataset_columns"),
            (predictions, "add_run_columns"),
            (runs, "sort_run_columns"),
        ):
            patch.setattr(module, name, lambda *_: None)
        yield patch


@pytest.fixture
def old(first_schema, make_filled):
    """An old store with a finished and a partial run; from here on by this program."""
    made = make_filled(157)
    made.other = made.start(name="partial")
    frames = {made.run_id: made.predictions(0), made.other: made.predictions(1)[::3]}
    for run_id, frame in frames.items():
        write_predictions(made.store, {run_id: frame})
    finish_run(made.store, made.run_id, {"n": 157})
    made.rows = {run_id: read_predictions(made.store, run_id) for run_id in frames}
    assert NEW_TABLES.isdisjoint(tables(made.store))
    made.store.close()
    first_schema.undo()
    return made


@pytest.fixture
def new(make_filled):
    """The same, written by this program."""
    made = make_filled(157)
    made.other = made.start(name="partial")
    write_predictions(made.store, {made.run_id: made.predictions(0)})
    write_predictions(made.store, {made.other: made.predictions(1)[::3]})
    finish_run(made.store, made.run_id, {"n": 157})
    return made


def tables(store):
    return {name for (name,) in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}


def columns_of(store, run_id, image_ids):
    """The columns of a run, with the places that the numbers stand for."""
    columns = run_columns(store, run_id, RUN_DTYPES, image_ids)
    places = predicted_places(store, run_id).iloc[columns.pop("pred_place")]
    return columns | {name: places[name].to_numpy() for name in places}


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("chunk_rows", [20, 2**16])
def test_an_old_store_gets_the_columns_that_it_would_have_now(
    old, new, monkeypatch, chunk_rows, read_only
):
    monkeypatch.setattr(fill, "_CHUNK_ROWS", chunk_rows)
    with open_store(old.path, read_only=read_only) as store:
        assert tables(store) >= NEW_TABLES
        expected = dataset_columns(new.store, new.dataset.id)
        found = dataset_columns(store, old.dataset.id)
        np.testing.assert_array_equal(found.image_ids, expected.image_ids)
        np.testing.assert_array_equal(found.place, expected.place)
        assert found.places.equals(expected.places)
        assert attribute_names(store, old.dataset.id) == {"weather": ("rain", "sun")}
        np.testing.assert_array_equal(
            attribute_codes(store, old.dataset.id, "weather"),
            attribute_codes(new.store, new.dataset.id, "weather"),
        )
        for run_id, same in ((old.run_id, new.run_id), (old.other, new.other)):
            then = columns_of(new.store, same, expected.image_ids)
            now = columns_of(store, run_id, expected.image_ids)
            assert now.keys() == then.keys()
            for name in then:
                np.testing.assert_array_equal(now[name], then[name], err_msg=name)


def test_the_rows_of_an_old_store_stay_as_they_were(old):
    with open_store(old.path) as store:
        for run_id, rows in old.rows.items():
            assert read_predictions(store, run_id).equals(rows)


def test_an_old_run_goes_on_after_the_migration(old):
    with open_store(old.path) as store:
        assert write_predictions(store, {old.other: old.predictions(1)}) == {old.other: 104}
        finish_run(store, old.other, {})
        ids = dataset_columns(store, old.dataset.id).image_ids
        assert run_columns(store, old.other, [], ids)["done"].all()
        assert parts.num_parts(store.db.conn, ("run", old.other), "flags") == (1, 157)
        assert annotate(store, [1], add_tags=["x"]) == 1


def test_an_old_store_without_anything_is_brought_up_to_date(first_schema, tmp_path):
    path = tmp_path / "empty.db"
    open_store(path).close()
    first_schema.undo()
    with open_store(path) as store:
        assert tables(store) >= NEW_TABLES
        assert store.rows("SELECT count(*) FROM column_parts") == [(0,)]
