"""A store as the first schema left it, brought up to date: nothing lost, the columns filled."""

import dataclasses
import sqlite3

import numpy as np
import pytest

from streetclip.results import RunTable, group_counts
from streetclip.runtime import list_jobs
from streetclip.store import (
    RUN_DTYPES,
    TrainingSpec,
    annotate,
    attribute_codes,
    attribute_names,
    backfill,
    dataset_columns,
    find_training,
    finish_run,
    get_run,
    list_runs,
    list_trainings,
    log_training_points,
    open_store,
    predicted_places,
    read_filenames,
    read_predictions,
    register_dataset,
    run_columns,
    set_run_state,
    set_training_state,
    start_training,
    training_curves,
    write_predictions,
)
from streetclip.store.columns import NO_BIN, count_parts
from tests.store.older_stores import DROPPED, dump, make_older

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
def old(make_filled):
    """A store of the first schema with a finished and a partial run."""
    made = make_filled(157)
    made.other = made.start(name="partial")
    frames = {made.run_id: made.predictions(0), made.other: made.predictions(1)[::3]}
    for run_id, frame in frames.items():
        write_predictions(made.store, {run_id: frame})
    finish_run(made.store, made.run_id, {"n": 157})
    made.rows = {run_id: read_predictions(made.store, run_id) for run_id in frames}
    made.store.close()
    make_older(made.path, 1)
    assert NEW_TABLES.isdisjoint(dump(made.path))
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
    monkeypatch.setattr(backfill, "_CHUNK_ROWS", chunk_rows)
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
            assert set(now.pop("nearest_bin")) == {NO_BIN}
            for name in now:
                np.testing.assert_array_equal(now[name], then[name], err_msg=name)


def test_the_rows_of_an_old_store_stay_but_for_the_nearest_candidate(old):
    with open_store(old.path) as store:
        for run_id, rows in old.rows.items():
            kept = rows.assign(nearest_candidate_km=np.nan)
            assert read_predictions(store, run_id).equals(kept)


def test_margins_of_an_old_store_come_from_its_rankings(old):
    rankings = [
        ("[]", np.nan),
        ('[["FR", 1.0]]', np.nan),
        ('[["FR", 0.5], ["GB", 0.25], ["CA", 0.1]]', 0.25),
        ('[["F\\"R], [", 1e-1],["G]B",2E-05]]', 0.09998),
        (' [ ["FR", 1], ["GB", 0] ]', 1.0),
    ]
    image_ids = np.sort(old.rows[old.run_id].dropna(subset="top_countries")["image_id"])[:5]
    connection = sqlite3.connect(old.path)
    connection.executemany(
        "UPDATE prediction_rankings SET top_countries = ? WHERE run_id = ? AND image_id = ?",
        [(text, old.run_id, i) for (text, _), i in zip(rankings, image_ids.tolist(), strict=True)],
    )
    connection.commit()
    connection.close()
    with open_store(old.path) as store:
        found = run_columns(store, old.run_id, ["margin"], image_ids)["margin"]
    np.testing.assert_array_equal(found, np.array([each for _, each in rankings], np.float32))


@pytest.mark.parametrize("number", range(1, 7))
def test_a_store_of_every_schema_opens_with_its_rows_and_without_aggregates(make_filled, number):
    made = make_filled(157)
    write_predictions(made.store, {made.run_id: made.predictions()})
    finish_run(made.store, made.run_id, {})
    made.store.close()
    make_older(made.path, number)
    assert len(dump(made.path)["pair_aggregates"]) == 1
    with open_store(made.path, read_only=True) as store:
        assert DROPPED.isdisjoint(tables(store))
        assert len(read_predictions(store, made.run_id)) == 157
        correct = made.predictions()["city_correct"].sum()
        assert list_runs(store)["city_correct"].tolist() == [correct]
        assert store.rows("PRAGMA foreign_key_check") == []


def test_the_file_names_of_an_older_store_become_a_column(make_filled):
    made = make_filled(157)
    made.store.close()
    before = dump(made.path)
    make_older(made.path, 12)
    with sqlite3.connect(made.path) as connection:
        connection.execute("DELETE FROM column_parts WHERE name = 'filenames'")
    with open_store(made.path, read_only=True) as store:
        assert len(read_filenames(store, made.dataset.id, 157)) == 157
    after = dump(made.path)
    for name in ("column_parts", "images", "dataset_images", "datasets"):
        assert sorted(map(repr, after[name])) == sorted(map(repr, before[name])), name


def test_an_old_run_goes_on_after_the_migration(old):
    with open_store(old.path) as store:
        assert write_predictions(store, {old.other: old.predictions(1)}) == {old.other: 104}
        finish_run(store, old.other, {})
        ids = dataset_columns(store, old.dataset.id).image_ids
        assert run_columns(store, old.other, [], ids)["done"].all()
        assert count_parts(store.db.conn, ("run", old.other), "flags") == (1, 157)
        assert annotate(store, [1], add_tags=["x"]) == 1


def test_an_old_store_without_anything_is_brought_up_to_date(tmp_path):
    path = tmp_path / "empty.db"
    open_store(path).close()
    make_older(path, 1)
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


@pytest.fixture
def without_jobs(make_filled):
    """A store as before there were jobs, with a run and a training in every state."""
    made = make_filled(157)
    made.runs = {state: made.start(name=state) for state in STATES}
    made.trainings = {state: start_training(made.store, training_spec(state)) for state in STATES}
    write_predictions(made.store, {made.runs["running"]: made.predictions()[:20]})
    log_training_points(made.store, made.trainings["running"], [(10, 0.5, "train_loss", 3.5)])
    with made.store.transaction():
        for table, ids in (("runs", made.runs), ("trainings", made.trainings)):
            for state, number in ids.items():
                made.store.rows(f"UPDATE {table} SET state = ? WHERE id = ?", (state, number))
    made.store.close()
    make_older(made.path, 2)
    made.tables = dump(made.path)
    assert "jobs" not in made.tables
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
    assert DROPPED.isdisjoint(after)
    applied = without_jobs.tables.pop("_sqlite_migrations")
    assert after["_sqlite_migrations"][: len(applied)] == applied
    added = {
        "runs": {"job_id": None, "description": "", "archived_at": None},
        "trainings": {"job_id": None, "best": None},
    }
    blank = {"nearest_candidate_km": None}
    for name, rows in without_jobs.tables.items():
        if name == "column_parts" or name in DROPPED:
            continue  # the columns are read by the tests around
        assert [without_identity(row) for row in after[name]] == [
            {key: blank.get(key, value) for key, value in row.items()}
            | added.get(name, {})
            | ({"state": "interrupted"} if row.get("state") == "running" else {})
            for row in rows
        ]


def without_identity(row):
    return {
        name: each
        for name, each in row.items()
        if name not in {"uid", "revision", "content_sha256"}
    }


def test_runs_trainings_and_datasets_of_an_old_store_get_identities(without_jobs):
    with open_store(without_jobs.path) as store:
        for table, ids in (("runs", without_jobs.runs), ("trainings", without_jobs.trainings)):
            found = store.rows(f"SELECT uid, revision FROM {table}")
            tokens = {token for row in found for token in row}
            assert len(tokens) == 2 * len(found) >= 2 * len(ids)
            assert all(len(token) == 32 for token in tokens)
        # What the migration hashed is what the program hashes: the dataset is found again.
        assert register_dataset(store, without_jobs.dataset_spec).id == without_jobs.dataset.id
        assert store.rows("PRAGMA foreign_key_check") == []


@pytest.mark.parametrize("changed", ["latitude_deg", "weather", "city", "country_code", "line"])
def test_a_dataset_of_an_old_store_is_not_taken_for_one_that_is_read_otherwise(
    without_jobs, changed
):
    spec = without_jobs.dataset_spec
    frame = spec.frame.copy()
    frame.loc[5, changed] = 70 if changed == "latitude_deg" else 900 if changed == "line" else "XX"
    with open_store(without_jobs.path) as store:
        other = register_dataset(store, dataclasses.replace(spec, frame=frame))
        assert other.id != without_jobs.dataset.id
        assert len(store.rows("SELECT 1 FROM datasets")) == 2


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


@pytest.fixture
def of_true_country(make_filled):
    """A store whose nearest candidates were sought in the true country alone; a partial run."""
    made = make_filled(157)
    for start in (0, 30, 60):
        part = made.predictions().iloc[start : start + 30]
        write_predictions(made.store, {made.run_id: part})
    made.store.close()
    make_older(made.path, 3)
    return made


def test_nearest_candidates_of_the_true_country_alone_are_no_ceiling(of_true_country):
    run_id = of_true_country.run_id
    with open_store(of_true_country.path) as store:
        assert read_predictions(store, run_id)["nearest_candidate_km"].isna().all()
    table = RunTable.open(of_true_country.path, run_id)
    overall = group_counts(table, table.done, "overall").iloc[0]
    assert (overall["n"], overall["nearest_known"]) == (90, 0)


def test_what_is_predicted_after_the_migration_knows_its_nearest_candidates(of_true_country):
    run_id = of_true_country.run_id
    with open_store(of_true_country.path) as store:
        write_predictions(store, {run_id: of_true_country.predictions()})
        finish_run(store, run_id, {})
        rows = read_predictions(store, run_id)
    known = rows["nearest_candidate_km"].notna().sum()
    assert 0 < known <= 67
    table = RunTable.open(of_true_country.path, run_id)
    overall = group_counts(table, table.done, "overall").iloc[0]
    assert (overall["n"], overall["nearest_known"]) == (157, known)
