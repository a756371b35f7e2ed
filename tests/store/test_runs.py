import dataclasses
import json
from datetime import UTC, datetime

import pytest

from streetclip.errors import StoreError
from streetclip.store import (
    find_run,
    finish_run,
    get_run,
    pending_image_ids,
    read_predictions,
    register_dataset,
    set_run_state,
    write_predictions,
)


def test_a_run_keeps_what_it_was_made_of(filled):
    run_id = filled.start(commit="e3a0417", strategy="flat", seed=7)
    run = get_run(filled.store, run_id)
    expected = {
        "id": run_id,
        "name": "first",
        "fingerprint": "f1",
        "dataset_id": filled.dataset.id,
        "model_source": "models/small",
        "model_sha256": "abc",
        "candidates_path": "candidates.json",
        "candidates_sha256": "def",
        "prompts": {"name": "paper", "country": ["A photo in {country}."]},
        "strategy": "flat",
        "seed": 7,
        "config": {"batch_size": 32},
        "versions": {"python": "3.11"},
        "commit_sha": "e3a0417",
        "num_images": 157,
        "num_done": 0,
        "output_dir": str(filled.folder / "out"),
        "state": "running",
        "error": None,
        "metrics": None,
        "dataset": "test",
        "drawn": True,
        "num_skipped": 3,
        "attribute_columns": ("weather",),
        "csv_path": str(filled.folder / "test.csv"),
    }
    assert {name: run[name] for name in expected} == expected
    assert type(run["num_done"]) is int


def test_times_are_utc_and_move_with_each_write(filled):
    start = get_run(filled.store, filled.run_id)
    created = datetime.fromisoformat(start["created_at"])
    assert created.utcoffset().total_seconds() == 0
    assert abs((datetime.now(UTC) - created).total_seconds()) < 60
    assert start["updated_at"] == start["created_at"]
    write_predictions(filled.store, {filled.run_id: filled.predictions()[:9]})
    after = get_run(filled.store, filled.run_id)
    assert after["created_at"] == start["created_at"]
    assert after["updated_at"] > start["updated_at"]


def test_the_newest_run_of_a_fingerprint_is_found(filled):
    newest = filled.start(name="again")
    filled.start(fingerprint="f2")
    assert find_run(filled.store, "f1", filled.dataset.id)["id"] == newest
    assert find_run(filled.store, "unknown", filled.dataset.id) is None


def test_a_run_over_labels_that_were_read_otherwise_is_not_found(filled):
    frame = filled.manifest.assign(country_code="GL")
    other = register_dataset(filled.store, dataclasses.replace(filled.dataset_spec, frame=frame))
    assert find_run(filled.store, "f1", other.id) is None


def test_pending_images_are_those_without_a_prediction_in_manifest_order(filled):
    assert (
        pending_image_ids(filled.store, filled.run_id).tolist() == filled.dataset.image_ids.tolist()
    )
    predictions = filled.predictions().sample(60, random_state=1)
    write_predictions(filled.store, {filled.run_id: predictions})
    done = set(predictions["image_id"])
    assert pending_image_ids(filled.store, filled.run_id).tolist() == [
        each for each in filled.dataset.image_ids.tolist() if each not in done
    ]
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    assert pending_image_ids(filled.store, filled.run_id).tolist() == []


def test_predictions_of_one_run_leave_those_of_another_pending(filled):
    other = filled.start()
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    assert len(pending_image_ids(filled.store, other)) == 157


def test_a_failure_is_kept_until_the_run_goes_on(filled):
    set_run_state(filled.store, filled.run_id, "failed", "the disk is full")
    run = get_run(filled.store, filled.run_id)
    assert (run["state"], run["error"]) == ("failed", "the disk is full")
    set_run_state(filled.store, filled.run_id, "running")
    run = get_run(filled.store, filled.run_id)
    assert (run["state"], run["error"]) == ("running", None)


def test_a_complete_run_is_finished_with_its_metrics(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    metrics = {"num_images": 157, "country_accuracy": {"value": 0.5, "macro": None}}
    finish_run(filled.store, filled.run_id, metrics)
    run = get_run(filled.store, filled.run_id)
    assert (run["state"], run["metrics"]) == ("done", metrics)


def test_a_partial_run_is_not_finished(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()[:156]})
    with pytest.raises(ValueError, match="has 156 of 157 predictions"):
        finish_run(filled.store, filled.run_id, {})
    assert get_run(filled.store, filled.run_id)["state"] == "running"


def test_metrics_that_are_no_json_are_refused(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    with pytest.raises(ValueError, match="not JSON compliant"):
        finish_run(filled.store, filled.run_id, {"ece": float("nan")})
    assert get_run(filled.store, filled.run_id)["metrics"] is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: get_run(store, 41),
        lambda store: set_run_state(store, 41, "done"),
        lambda store: finish_run(store, 41, {}),
        lambda store: read_predictions(store, 41),
        lambda store: pending_image_ids(store, 41),
    ],
)
def test_a_run_that_is_not_there_is_told(filled, ask):
    with pytest.raises(StoreError, match=r"streetclip\.db: has no run 41"):
        ask(filled.store)


@pytest.mark.parametrize("name", ["prompts", "config", "versions", "attribute_columns"])
@pytest.mark.parametrize("text", ["[1, 2]", '{"a": 1}', "7", "x", "[" * 100_000])
def test_json_of_another_shape_is_named_with_its_column(filled, name, text):
    run_id = filled.start()
    table = "datasets" if name == "attribute_columns" else "runs"
    with filled.store.transaction() as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE {table} SET {name} = ?", (text,))
    if isinstance(_parsed(text), list if name == "attribute_columns" else dict):
        get_run(filled.store, run_id)
        return
    with pytest.raises(StoreError, match=rf"run {run_id}: {name} holds .*; expected a JSON"):
        get_run(filled.store, run_id)


def _parsed(text):
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
