import re

import numpy as np
import pytest

from streetclip.store import (
    RUN_DTYPES,
    dataset_columns,
    finish_run,
    list_runs,
    open_store,
    predicted_places,
    run_columns,
    write_predictions,
)


def test_runs_are_listed_newest_first_with_their_counts_so_far(filled):
    second = filled.start(name="second", strategy="marginal")
    empty = filled.start(name="empty")
    predictions = filled.predictions()
    write_predictions(filled.store, {filled.run_id: predictions, second: predictions[:40]})
    correct = predictions[["country_correct", "city_correct"]].sum().tolist()
    names = ("country_accuracy", "city_accuracy")
    metrics = {name: {"successes": n} for name, n in zip(names, correct, strict=True)}
    finish_run(filled.store, filled.run_id, metrics)
    runs = list_runs(filled.store)
    assert runs["id"].tolist() == [empty, second, filled.run_id]
    assert runs["state"].tolist() == ["running", "running", "done"]
    assert runs["num_done"].tolist() == [0, 40, 157]
    assert runs["num_images"].tolist() == [157, 157, 157]
    assert runs["dataset"].tolist() == ["test"] * 3
    assert runs["drawn"].tolist() == [True] * 3
    for name in ("country_correct", "city_correct"):
        expected = [0, predictions[name][:40].sum(), predictions[name].sum()]
        assert runs[name].tolist() == expected


def test_a_list_without_correct_predictions_reads_no_column(filled, monkeypatch):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    whole = list_runs(filled.store)
    monkeypatch.setattr("streetclip.store.runs.read_column", lambda *_: pytest.fail("read"))
    listed = list_runs(filled.store, with_correct=False)
    assert listed.equals(whole.drop(columns=["country_correct", "city_correct"]))


def test_a_finished_run_without_metrics_is_counted(filled):
    predictions = filled.predictions()
    write_predictions(filled.store, {filled.run_id: predictions})
    finish_run(filled.store, filled.run_id, {})
    assert list_runs(filled.store)["city_correct"].tolist() == [predictions["city_correct"].sum()]


def test_a_store_without_runs_lists_none(tmp_path):
    with open_store(tmp_path / "streetclip.db") as store:
        runs = list_runs(store)
    assert runs.empty
    assert {"id", "name", "state", "num_done", "num_images", "country_correct"} <= set(runs)


def test_no_query_of_the_dashboard_touches_predictions_or_scans_a_table(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()[:20]})
    image_ids = np.sort(filled.dataset.image_ids)
    asked = []
    filled.store.db.conn.set_trace_callback(asked.append)
    list_runs(filled.store)
    dataset_columns(filled.store, filled.dataset.id)
    run_columns(filled.store, filled.run_id, RUN_DTYPES, image_ids)
    predicted_places(filled.store, filled.run_id)
    filled.store.db.conn.set_trace_callback(None)
    queries = [sql for sql in asked if sql.lstrip().startswith("SELECT")]
    assert len(queries) > len(RUN_DTYPES)
    for sql in queries:
        assert "predictions" not in sql
        plan = [row[3] for row in filled.store.rows(f"EXPLAIN QUERY PLAN {sql}")]
        scanned = [step for step in plan if re.match(r"SCAN (?!runs\b)", step)]
        assert scanned == []
