"""An evaluation whose store is deleted or moved keeps its predictions as files."""

import contextlib
import dataclasses

import pandas as pd
import pytest

from streetclip import store
from streetclip.errors import StreetClipError
from streetclip.evaluation.preparation import load_inputs
from streetclip.evaluation.runner import evaluate
from streetclip.progress import no_progress
from tests.evaluation.configs import config_in


@pytest.fixture
def config(small_world, tmp_path):
    return config_in(small_world, tmp_path, strategy=("flat", "marginal"))


def run(config, progress=no_progress):
    def stages(task, _unit):
        return contextlib.nullcontext(progress if task == "evaluate" else no_progress)

    return evaluate(load_inputs(config), stages)


def read(config):
    return [(config.output_dir / name).read_bytes() for name in
            ("predictions.csv", "marginal/predictions.csv")]  # fmt: skip


@pytest.fixture
def whole(config, tmp_path):
    """The files of an evaluation that nothing disturbed."""
    other = dataclasses.replace(config, db=tmp_path / "a" / "a.db", output_dir=tmp_path / "whole")
    run(other)
    return read(other)


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
@pytest.mark.parametrize("when", ["at an interrupt", "before the end"])
def test_predictions_so_far_become_files_and_a_resume_completes_them(config, whole, how, when):
    def lose(done, _total, **_numbers):
        if done != (32 if when == "at an interrupt" else 50) or not config.db.exists():
            return
        for suffix in ("", "-wal", "-shm"):
            path = config.db.with_name(f"{config.db.name}{suffix}")
            path.rename(f"{path}.moved") if how == "moved" else path.unlink()
        if how == "replaced":
            store.open_store(config.db).close()
        if when == "at an interrupt":
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, StreetClipError)):
        run(config, lose)
    num_rows = [len(pd.read_csv(config.output_dir / name)) for name in
                ("predictions.csv", "marginal/predictions.csv")]  # fmt: skip
    assert num_rows == [32 if when == "at an interrupt" else 50] * 2
    assert not (config.output_dir / "metrics.json").exists()
    new = dataclasses.replace(config, db=config.db.with_name("new.db"), resume=True)
    runs = run(new)
    assert read(new) == whole
    with store.open_store(new.db, read_only=True) as database:
        found = store.list_runs(database)
        assert found["state"].tolist() == ["done", "done"]
        assert sorted(found["id"]) == sorted(each.run_id for each in runs)


def test_an_interrupt_with_the_store_in_place_writes_no_file_of_predictions(config):
    def stop(done, _total, **_numbers):
        if done == 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(config, stop)
    assert [each.name for each in config.output_dir.iterdir()] == ["config.json"]
