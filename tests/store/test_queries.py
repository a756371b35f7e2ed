import re

import pytest

from streetclip.store import (
    country_pairs,
    distance_curve,
    finish_run,
    list_runs,
    open_store,
    place_accuracy,
    run_totals,
    write_predictions,
)


def test_runs_are_listed_newest_first_with_their_counts_so_far(filled):
    second = filled.start(name="second", strategy="marginal")
    empty = filled.start(name="empty")
    predictions = filled.predictions()
    write_predictions(filled.store, {filled.run_id: predictions, second: predictions[:40]})
    finish_run(filled.store, filled.run_id, {})
    runs = list_runs(filled.store)
    assert runs["id"].tolist() == [empty, second, filled.run_id]
    assert runs["state"].tolist() == ["running", "running", "done"]
    assert runs["num_done"].tolist() == runs["n"].tolist() == [0, 40, 157]
    assert runs["num_images"].tolist() == [157, 157, 157]
    assert runs["dataset"].tolist() == ["test"] * 3
    assert runs["drawn"].tolist() == [True] * 3
    assert runs["city_correct"].tolist() == [
        0,
        predictions["city_correct"][:40].sum(),
        predictions["city_correct"].sum(),
    ]


def test_a_store_without_runs_lists_none(tmp_path):
    with open_store(tmp_path / "streetclip.db") as store:
        runs = list_runs(store)
    assert runs.empty
    assert {"id", "name", "state", "num_done", "num_images", "country_correct"} <= set(runs)


@pytest.mark.parametrize(
    "ask",
    [
        list_runs,
        lambda store: run_totals(store, 1),
        lambda store: place_accuracy(store, 1, "city"),
        lambda store: distance_curve(store, 1),
        lambda store: country_pairs(store, 1),
    ],
)
def test_no_query_of_the_dashboard_touches_predictions_or_scans_a_table(filled, ask):
    asked = []
    filled.store.db.conn.set_trace_callback(asked.append)
    ask(filled.store)
    filled.store.db.conn.set_trace_callback(None)
    queries = [sql for sql in asked if sql.lstrip().startswith("SELECT")]
    assert queries
    for sql in queries:
        assert "predictions" not in sql
        plan = [row[3] for row in filled.store.rows(f"EXPLAIN QUERY PLAN {sql}")]
        scanned = [step for step in plan if re.match(r"SCAN (?!runs\b)", step)]
        assert scanned == []
