"""Trainings whose disk fills up in the middle of what they write, as the system reports it."""

import contextlib
import dataclasses
import tempfile

import pytest
import torch

from streetclip.errors import ResourceError
from streetclip.models import checkpoints
from streetclip.models.loading import load_encoder
from streetclip.store import list_trainings, open_store, training_curves
from streetclip.training import checkpoints as training_checkpoints
from tests.disks import file_size_limit, fill, free_space, is_whole
from tests.killing import training_differences

from .conftest import run_training

pytestmark = pytest.mark.slow

# 4 steps an epoch, 12 in all, and a checkpoint after every second one.
SETTINGS = {"checkpoint_every": 2, "select_by": "loss"}  # the loss falls in every epoch


@pytest.fixture
def precision():
    """One number format: what is written, and when, is the same in each."""
    return "fp32"


@pytest.fixture
def on_small_disk(world, small_disk):
    """Settings of a training whose folder and store are on the small disk."""
    return world.config(
        output_dir=small_disk / "out",
        db=small_disk / "streetclip.db",
        **SETTINGS,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory, drawn):
    """Settings of the same training, which ran undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    config = drawn.config(output_dir=folder / "out", db=folder / "store.db", **SETTINGS)
    run_training(config)
    return config


def assert_equal(config, whole):
    differences = training_differences(config.output_dir, config.db, whole.output_dir, whole.db)
    assert differences == []


def resumed(config):
    return dataclasses.replace(config, resume=True)


def steps_saved(config):
    return torch.load(config.output_dir / "last_checkpoint.pt", weights_only=True)["resume"]["step"]


def assert_models_can_be_loaded(config):
    """Those that are there, the folder under its name or not at all."""
    for name in ("best_model.pt", "best_model"):
        if (config.output_dir / name).exists():
            load_encoder(str(config.output_dir / name), device="cpu")
    names = {path.name for path in config.output_dir.iterdir()}
    assert names <= {"best_model.pt", "best_model", "last_checkpoint.pt", "config.json"}


class Once:
    """Does something before one call of a function, of those of its name in a module."""

    def __init__(self, monkeypatch, module, name, *, call, action):
        self._function, self._calls, self._call = getattr(module, name), 0, call
        self._action = action
        monkeypatch.setattr(module, name, self)

    def __call__(self, *arguments, **named):
        self._calls += 1
        with contextlib.ExitStack() as stack:
            if self._calls == self._call:
                found = self._action()
                if found is not None:
                    stack.enter_context(found)
            return self._function(*arguments, **named)


# What writes: the function, which call of it, and the step that a resume continues from. Payloads
# are those of the steps 0, 2, 4 (best), 4 (last) and so on.
WRITES = {
    "best_model.pt": ("write_payload", 3, 2),
    "best_model": ("save_folder", 1, 2),
    "the second best_model": ("save_folder", 2, 6),
    "last_checkpoint.pt": ("write_payload", 4, 2),
}


@pytest.fixture(params=WRITES)
def write(request, monkeypatch):
    """One write of a training, before which nothing warns that the disk is too full for it."""
    monkeypatch.setattr(checkpoints, "check_space", lambda *_: None)
    name, call, step = WRITES[request.param]

    def before(action):
        Once(monkeypatch, training_checkpoints, name, call=call, action=action)
        return step

    return before


def test_a_disk_that_fills_within_a_write_loses_nothing(on_small_disk, small_disk, whole, write):
    config = on_small_disk
    step = write(lambda: fill(small_disk, leave_bytes=30_000))
    with pytest.raises(ResourceError, match=r"the disk is full \(0 MiB free\).* is untouched"):
        run_training(config)
    assert steps_saved(config) == step
    assert_models_can_be_loaded(config)
    assert is_whole(config.db)
    free_space(small_disk)
    run_training(resumed(config))
    assert_equal(config, whole)


def test_a_limit_within_a_write_loses_nothing(world, whole, write):
    config = world.config(**SETTINGS)
    step = write(lambda: file_size_limit(20_000))
    with pytest.raises(ResourceError, match=r"a quota or limit is reached .* is untouched"):
        run_training(config)
    assert steps_saved(config) == step
    assert_models_can_be_loaded(config)
    with open_store(config.db, read_only=True) as store:
        (training,) = list_trainings(store).to_dict("records")
    assert training["state"] == "failed"
    assert "a quota or limit is reached" in training["error"]
    run_training(resumed(config))
    assert_equal(config, whole)


def test_a_disk_that_is_too_full_is_told_before_anything_is_written(on_small_disk, small_disk):
    config = on_small_disk

    def fill_at_step_5(done, total, **numbers):
        if done == 5:
            fill(small_disk, leave_bytes=10_000)

    with pytest.raises(ResourceError, match=r"last_checkpoint\.pt: needs .* run again with --res"):
        run_training(config, fill_at_step_5)
    assert steps_saved(config) == 4


def test_a_full_folder_for_temporary_files_is_told_and_loses_nothing(
    world, small_disk, whole, monkeypatch
):
    config = world.config(**SETTINGS)

    def fill_at_step_3(done, total, **numbers):
        if done == 3:
            monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
            fill(small_disk)

    with pytest.raises(ResourceError, match=r"disk/streetclip-.*: the disk is full \(0 MiB free\)"):
        run_training(config, fill_at_step_3)
    assert steps_saved(config) == 2
    free_space(small_disk)
    run_training(resumed(config))
    assert_equal(config, whole)


def test_points_that_find_no_room_stop_the_training_after_its_last_checkpoint(
    on_small_disk, small_disk, whole, monkeypatch, caplog
):
    config = on_small_disk
    monkeypatch.setattr("streetclip.training.curves._SECONDS_BETWEEN_WRITES", 0.0)

    def fill_at_step_6(done, total, **numbers):
        if done == 6:
            fill(small_disk)

    with pytest.raises(ResourceError, match=r"streetclip\.db: the disk is full; what was written"):
        run_training(config, fill_at_step_6)
    assert "could not be marked as failed" in caplog.text
    assert steps_saved(config) == 6
    assert is_whole(config.db)
    with open_store(config.db, read_only=True) as store:
        steps = training_curves(store, 1).groupby("name")["step"].apply(list)
    assert steps["loss"] == list(range(1, 7))
    free_space(small_disk)
    run_training(resumed(config))
    assert_equal(config, whole)
