"""A store that is deleted, moved or replaced under a job is noticed, and nothing is lost."""

import os
import sys
import time
from unittest import mock

import pytest

from jobs.support.cli import run_job
from streetclip import runtime, store
from tests.jobs.support.test_record import Config


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("jobs.support.record.BEAT_S", 0.02)


@pytest.fixture
def run(tmp_path):
    def run(work, *flags):
        argv = [f"--db={tmp_path / 'stores' / 's.db'}", f"--output_dir={tmp_path / 'out'}", *flags]
        with mock.patch.object(sys, "argv", ["job"]):
            return run_job(Config, "Do it.", argv, work)

    return run


def lose(db, how):
    if how == "replaced":
        with store.open_store(db.with_name("other.db")):
            pass
        for suffix in ("-wal", "-shm"):
            db.with_name(f"{db.name}{suffix}").unlink(missing_ok=True)
        db.with_name("other.db").replace(db)
    elif how == "its folder is gone":
        db.parent.rename(db.parent.with_name("elsewhere"))
    else:
        db.rename(db.with_name("moved.db"))
        if how == "deleted":
            db.with_name("moved.db").unlink()


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced", "its folder is gone"])
@pytest.mark.parametrize("ends_at_once", [False, True])
def test_it_ends_with_1_and_says_how_to_bring_it_in(run, tmp_path, capsys, how, ends_at_once):
    saved = []

    def work(config, _job):
        try:
            lose(config.db, how)
            time.sleep(0 if ends_at_once else 20)
        except KeyboardInterrupt:
            saved.append("state")
            raise

    began = time.monotonic()
    assert run(work) == 1
    assert time.monotonic() - began < 10
    assert ends_at_once or saved == ["state"]
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "error: " in each]
    assert (
        f"{tmp_path / 'stores' / 's.db'}: was deleted, moved or replaced while this job was" in line
    )
    assert f"kept in {tmp_path / 'out'}; run it again with --resume" in line
    db = tmp_path / "stores" / "s.db"
    assert db.exists() == (how == "replaced")  # no empty one is made in its place
    if how == "replaced":
        with store.open_store(db) as opened:
            assert runtime.list_jobs(opened).empty


def test_it_is_brought_in_by_a_resume_into_another_store(run, tmp_path):
    assert run(lambda config, _job: os.unlink(config.db)) == 1  # noqa: PTH108 -- one expression
    assert run(lambda _config, _job: None, "--resume", f"--db={tmp_path / 'new.db'}") == 0
    with store.open_store(tmp_path / "new.db") as opened:
        assert runtime.list_jobs(opened)["state"].tolist() == ["done"]


def test_a_fault_of_the_job_itself_is_raised_as_it_is(run):
    def work(config, _job):
        try:
            lose(config.db, "deleted")
            time.sleep(20)
        except KeyboardInterrupt:
            raise ZeroDivisionError from None

    with pytest.raises(ZeroDivisionError):
        run(work)
