"""Evaluations whose disk fills up in the middle of what they write, as the system reports it."""

import contextlib
import dataclasses

import pytest
import torch

from streetclip import store
from streetclip.errors import ResourceError
from streetclip.evaluation import runner
from streetclip.evaluation.preparation import load_inputs
from streetclip.evaluation.runner import evaluate
from streetclip.progress import no_progress
from tests.disks import file_size_limit, fill, free_space, is_whole
from tests.evaluation.configs import config_in
from tests.killing import evaluation_differences

pytestmark = pytest.mark.slow

BATCH_SIZE = 8
SETTINGS = {"strategy": ("flat", "marginal"), "batch_size": BATCH_SIZE}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _each_batch_is_written(monkeypatch):
    monkeypatch.setattr("streetclip.evaluation.runner._SECONDS_BETWEEN_WRITES", 0.0)


@pytest.fixture(scope="module")
def whole(small_world, tmp_path_factory):
    """The evaluation undisturbed."""
    config = config_in(small_world, tmp_path_factory.mktemp("whole"), **SETTINGS)
    evaluate(load_inputs(config))
    return config


def run_of(config, after=None, action=None):
    """Evaluate; do something when so many images are predicted."""

    def progress(done, total, **numbers):
        if done == after:
            action()

    def stages(task, unit):
        return contextlib.nullcontext(progress if task == "evaluate" else no_progress)

    return evaluate(load_inputs(config), stages)


def runs_of(config):
    with store.open_store(config.db, read_only=True) as database:
        return store.list_runs(database).sort_values("id").to_dict("records")


def assert_resumes_to_the_same(config, whole):
    run_of(dataclasses.replace(config, resume=True))
    places = (config.output_dir, config.db, whole.output_dir, whole.db)
    assert evaluation_differences(*places) == []


@pytest.mark.parametrize("leave_bytes", [0, 100_000])
def test_predictions_that_find_no_room_are_whole_batches_and_go_on_later(
    small_world, small_disk, whole, caplog, leave_bytes
):
    config = config_in(small_world, small_disk, **SETTINGS)
    with pytest.raises(ResourceError, match=r"streetclip\.db: the disk is full; what was written"):
        run_of(config, 2 * BATCH_SIZE, lambda: fill(small_disk, leave_bytes=leave_bytes))
    assert is_whole(config.db)
    runs = runs_of(config)
    assert runs[0]["num_done"] == runs[1]["num_done"]
    assert runs[0]["num_done"] % BATCH_SIZE == 0
    assert 2 * BATCH_SIZE <= runs[0]["num_done"] < 50
    free_space(small_disk)
    assert_resumes_to_the_same(config, whole)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("write_json", r"config\.json: the disk is full \(0 MiB free\)"),
        ("write_predictions", r"predictions\.csv: the disk is full \(0 MiB free\)"),
    ],
)
def test_files_that_find_no_room_leave_none_in_part(
    small_world, small_disk, whole, monkeypatch, name, message
):
    config = config_in(small_world, small_disk, **SETTINGS)
    write = getattr(runner, name)

    def fill_and_write(*arguments):
        fill(small_disk)
        write(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(runner, name, fill_and_write)
        with pytest.raises(ResourceError, match=message):
            run_of(config)
    assert {path.name for path in config.output_dir.iterdir()} <= {"config.json"}
    assert is_whole(config.db)
    free_space(small_disk)
    assert_resumes_to_the_same(config, whole)


def test_a_limit_on_a_file_marks_the_run_and_leaves_nothing_in_part(
    small_world, tmp_path, whole, monkeypatch
):
    config = config_in(small_world, tmp_path, **SETTINGS)
    write = runner.write_predictions

    def write_within_a_limit(*arguments):
        with file_size_limit(5_000):
            write(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(runner, "write_predictions", write_within_a_limit)
        with pytest.raises(ResourceError, match=r"predictions\.csv: the disk is full, or a quota"):
            run_of(config)
    assert [path.name for path in config.output_dir.iterdir()] == ["config.json"]
    assert [run["state"] for run in runs_of(config)] == ["failed", "failed"]
    assert_resumes_to_the_same(config, whole)


def test_the_last_word_of_a_run_finds_no_room_and_is_said_later(
    small_world, small_disk, whole, monkeypatch
):
    """Files are written, the store cannot say so."""
    config = config_in(small_world, small_disk, **SETTINGS)
    finish = store.finish_run

    def fill_and_finish(database, run_id, metrics):
        fill(small_disk)
        finish(database, run_id, metrics | {"ballast": "x" * 10**6})

    with monkeypatch.context() as patched:
        patched.setattr(store, "finish_run", fill_and_finish)
        with pytest.raises(ResourceError, match="the disk is full"):
            run_of(config)
    assert (config.output_dir / "metrics.json").exists()
    assert [run["num_done"] for run in runs_of(config)] == [50, 50]
    assert "done" not in {run["state"] for run in runs_of(config)}
    free_space(small_disk)
    assert_resumes_to_the_same(config, whole)
