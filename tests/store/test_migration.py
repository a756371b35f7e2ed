"""A store as the first schema left it, brought up to date: nothing lost, the columns filled."""

import dataclasses
import sqlite3

import numpy as np
import pytest
from sqlite_utils import Migrations

from streetclip.store import (
    RUN_DTYPES,
    TrainingSpec,
    annotate,
    attribute_codes,
    attribute_names,
    dataset_columns,
    datasets,
    fill,
    find_training,
    finish_run,
    get_run,
    list_jobs,
    list_runs,
    list_trainings,
    log_training_points,
    open_store,
    parts,
    predicted_places,
    predictions,
    read_predictions,
    register_dataset,
    run_columns,
    runs,
    schema,
    set_run_state,
    set_training_state,
    start_training,
    training_curves,
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
    "jobs",
    "run_files",
}
STATES = ("running", "interrupted", "failed", "done")


@pytest.fixture
def first_schema(monkeypatch):
    """While it holds, stores are made and written as before there were columns."""
    with monkeypatch.context() as patch:
        migrations = Migrations("streetclip")
        migrations(name="m001_images_runs_and_trainings")(schema.m001_images_runs_and_trainings)
        patch.setattr(schema, "MIGRATIONS", migrations)
        for module, name in (
            (datasets, "_find"),
            (datasets, "add_dataset_columns"),
            (datasets, "_update"),
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


def test_a_dataset_of_an_old_store_keeps_its_id(old):
    with open_store(old.path) as store:
        assert register_dataset(store, old.dataset_spec).id == old.dataset.id
        frame = old.manifest.assign(country_code="GL")  # as a newer gazetteer may say
        other = register_dataset(store, dataclasses.replace(old.dataset_spec, frame=frame))
        assert other.id != old.dataset.id


def training_spec(name):
    return TrainingSpec(
        name=name, model_source="m", train_csv="a", val_csv="b", output_dir=name, config={}
    )


def dump(path):
    """Every row of every table, as dicts."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    found = {
        name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]
        for (name,) in names
    }
    connection.close()
    return found


@pytest.fixture
def without_jobs(make_filled, monkeypatch):
    """A store as before there were jobs, with a run and a training in every state."""
    with monkeypatch.context() as patch:
        migrations = Migrations("streetclip")
        for name in ("m001_images_runs_and_trainings", "m002_columns_and_annotations"):
            migrations(name=name)(getattr(schema, name))
        patch.setattr(schema, "MIGRATIONS", migrations)
        for name in ("_find", "_update"):  # which look for the column of a later migration
            patch.setattr(datasets, name, lambda *_: None)
        made = make_filled(157)
    made.runs = {state: made.start(name=state) for state in STATES}
    made.trainings = {state: start_training(made.store, training_spec(state)) for state in STATES}
    write_predictions(made.store, {made.runs["running"]: made.predictions()[:20]})
    log_training_points(made.store, made.trainings["running"], [(10, 0.5, "train_loss", 3.5)])
    with made.store.transaction():
        for table, ids in (("runs", made.runs), ("trainings", made.trainings)):
            for state, number in ids.items():
                made.store.rows(f"UPDATE {table} SET state = ? WHERE id = ?", (state, number))
    made.tables = dump(made.path)
    assert "jobs" not in made.tables
    made.store.close()
    return made


@pytest.mark.parametrize("read_only", [False, True])
def test_a_store_from_before_jobs_keeps_every_row_and_calls_nothing_running(
    without_jobs, read_only
):
    with open_store(without_jobs.path, read_only=read_only) as store:
        assert list_jobs(store).empty
        ended = ["interrupted", "interrupted", "failed", "done"]
        for frame, ids in (
            (list_runs(store), without_jobs.runs),
            (list_trainings(store), without_jobs.trainings),
        ):
            assert frame.set_index("id").loc[[*ids.values()], "state"].tolist() == ended
            assert frame["job_id"].isna().all()
        assert list_trainings(store)["best"].tolist() == [None] * 4
    after = dump(without_jobs.path)
    applied = without_jobs.tables.pop("_sqlite_migrations")
    assert after["_sqlite_migrations"][: len(applied)] == applied
    added = {"runs": {"job_id": None}, "trainings": {"job_id": None, "best": None}}
    added["datasets"] = {"labels_digest": None}
    for name, rows in without_jobs.tables.items():
        assert after[name] == [
            row
            | added.get(name, {})
            | ({"state": "interrupted"} if row.get("state") == "running" else {})
            for row in rows
        ]


def test_what_ran_before_jobs_says_itself_how_it_ends_or_goes_on(without_jobs):
    run_id, training_id = (each["running"] for each in (without_jobs.runs, without_jobs.trainings))
    with open_store(without_jobs.path) as store:
        assert write_predictions(store, {run_id: without_jobs.predictions()}) == {run_id: 137}
        finish_run(store, run_id, {})
        set_training_state(store, training_id, "done")
        set_run_state(store, without_jobs.runs["failed"], "running", job_id=1)
        assert get_run(store, run_id)["state"] == "done"
        assert get_run(store, without_jobs.runs["failed"])["job_id"] == 1
        assert find_training(store, "running") == training_id
        assert len(training_curves(store, training_id)) == 1
