"""Only what this installation queued is run."""

import dataclasses
import errno
import json
import os
import shutil
import stat
import threading
from pathlib import Path

import pytest

from streetclip.errors import ConfigError, OutputError
from streetclip.runtime import end_job, get_job, list_jobs, process_of, requeue_job
from streetclip.runtime.signatures import STATE_VARIABLE, state_folder
from streetclip.store import open_store
from tests.store.older_stores import make_older


@pytest.fixture
def state(tmp_path, monkeypatch):
    """Choose whose key there is, by a folder of its own."""

    def choose(name):
        monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / name))
        return tmp_path / name / "job_key"

    choose("mine")
    return choose


def change(queue, column, value):
    with queue.store.transaction():
        queue.store.rows(f"UPDATE jobs SET {column} = ?", (value,))


def test_the_key_is_made_once_and_for_this_user_alone(queue, state):
    key = state("mine")
    job_id = queue.add()
    assert (stat.S_IMODE(key.stat().st_mode), len(key.read_bytes())) == (0o600, 32)
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    before = key.read_bytes()
    queue.add()
    assert key.read_bytes() == before
    assert [each.name for each in key.parent.iterdir()] == ["job_key"]
    assert queue.claim().job_id == job_id


def test_of_many_that_make_the_key_at_once_all_have_the_same(queue, state, tmp_path):
    barrier = threading.Barrier(8)

    def add(number):
        barrier.wait()
        with open_store(queue.path) as store:
            from streetclip.runtime import enqueue_job

            enqueue_job(store, queue.spec(output_dir=Path(f"out{number}")))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert list_jobs(queue.store)["runs_here"].tolist() == [True] * 8


def test_a_job_that_another_installation_queued_stays_as_it_is(queue, state):
    state("theirs")
    foreign = queue.add()
    before = queue.get(foreign)
    assert before["runs_here"]
    for name in ("mine", "mine, which has a key"):
        state(name)
        if "key" in name:
            own = queue.add()
        assert not queue.get(foreign)["runs_here"]
    assert queue.claim().job_id == own
    assert queue.claim() is None
    assert queue.get(foreign) == before | {"runs_here": False}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("arguments", json.dumps(["--output_dir=/etc"])),
        ("kind", "make_demo"),
        ("cwd", "/"),
        ("log_path", "/etc/cron.d/x"),
        ("output_dir", "/etc"),
        ("created_at", "2020-01-01T00:00:00.000+00:00"),
        ("attempt", 3),
        ("id", 77),
        ("signature", None),
        ("signature", ""),
        ("signature", "é"),
        ("signature", "0" * 64),
    ],
)
def test_a_changed_record_is_not_run(queue, state, column, value):
    queue.add()
    change(queue, column, value)
    assert list_jobs(queue.store)["runs_here"].tolist() == [False]
    assert queue.claim() is None


@pytest.mark.parametrize(
    ("column", "value"), [("pid", 1), ("host", "x"), ("process_started_at", 1.0), ("kind", "x")]
)
@pytest.mark.parametrize("by", ["start", "register"])
def test_a_running_record_that_names_another_process_is_not_ours(queue, state, by, column, value):
    getattr(queue, by)()
    assert list_jobs(queue.store)["runs_here"].tolist() == [True]
    change(queue, column, value)
    assert list_jobs(queue.store)["runs_here"].tolist() == [False]


def test_an_ended_record_cannot_be_queued_again_by_its_state_alone(queue, state):
    end_job(queue.store, queue.start(), 1, "done")
    change(queue, "state", "queued")
    assert queue.claim() is None


@pytest.mark.parametrize("why", ["a file is in the way", "the file system has no links"])
def test_a_job_runs_where_no_key_can_be_made(queue, tmp_path, monkeypatch, caplog, why):
    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    folder = tmp_path / "file" if why.startswith("a file") else tmp_path
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(STATE_VARIABLE, str(folder / "below"))
    monkeypatch.setattr(os, "link", refuse)
    ticket = queue.register()
    assert not queue.get(ticket.job_id)["runs_here"]
    assert "will not end this job by force" in caplog.text


@pytest.mark.parametrize("by", ["requeue", "register"])
def test_a_resumed_job_logs_next_to_its_store_whatever_its_record_names(queue, state, by):
    job_id = queue.register().job_id
    end_job(queue.store, job_id, 1, "failed")
    change(queue, "log_path", "/elsewhere/x.log")
    if by == "requeue":
        requeue_job(queue.store, job_id, [])
        ticket = queue.claim()
    else:
        ticket = queue.register(resume=True)
    assert (ticket.job_id, ticket.attempt) == (job_id, 2)
    assert ticket.log_path == queue.folder / "streetclip-logs" / f"job-{job_id}-train.log"


def test_a_signed_record_counts_in_its_own_store_alone(queue, state, tmp_path):
    queue.add()
    copy = tmp_path / "copy.db"
    with open_store(copy) as other:
        row = queue.store.frame("SELECT * FROM jobs", dtype=object).iloc[0].to_dict()
        with other.transaction():
            other.insert("jobs", row)
        assert not get_job(other, 1)["runs_here"]
    queue.store.close()
    shutil.copy(queue.path, copy)
    with open_store(copy) as other:
        assert not get_job(other, 1)["runs_here"]
    queue.store = open_store(queue.path)
    assert queue.get(1)["runs_here"]


def test_a_job_that_is_queued_again_is_signed_again(queue, state):
    state("theirs")
    job_id = queue.start()
    end_job(queue.store, job_id, 1, "failed")
    state("mine")
    requeue_job(queue.store, job_id, ["--resume"])
    assert queue.get(job_id)["runs_here"]
    assert queue.claim().arguments == ("--resume",)


def test_jobs_of_an_older_store_are_kept_and_not_run(queue, state):
    running, queued = queue.start(), queue.add()
    before = list_jobs(queue.store).drop(columns=["runs_here", "signature", "process_boot_id"])
    queue.store.close()
    make_older(queue.path, 7)
    queue.store = open_store(queue.path)
    after = list_jobs(queue.store)
    assert after[list(before)].equals(before)
    assert process_of(queue.get(running)) == dataclasses.replace(queue.process, boot_id="")
    assert queue.claim() is None
    assert queue.state(queued) == "queued"


@pytest.mark.parametrize("harm", ["mode", "short", "empty", "link", "folder"])
def test_a_key_that_is_not_this_users_own_is_refused(queue, state, harm):
    key = state("mine")
    queue.add()
    if harm == "mode":
        key.chmod(0o640)
    elif harm in ("short", "empty"):
        key.write_bytes(b"x" * 31 * (harm == "short"))
    else:
        key.rename(key.with_name("other"))
        key.symlink_to("other") if harm == "link" else key.mkdir()
    for ask in (queue.add, queue.claim):
        with pytest.raises((ConfigError, OutputError), match="job_key: "):
            ask()
    assert queue.store.rows("SELECT count(*) FROM jobs") == [(1,)]


def test_a_state_folder_that_cannot_be_made_is_one_line(queue, state, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "file" / "below"))
    with pytest.raises(OutputError, match="job_key: cannot be written"):
        queue.add()


def test_the_state_folder_is_the_users_own(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    assert state_folder({}) == Path("/home/ann/.local/state/streetclip")
    assert state_folder({"XDG_STATE_HOME": "relative"}) == state_folder({})
    assert state_folder({"XDG_STATE_HOME": "/state"}) == Path("/state/streetclip")
    assert state_folder({STATE_VARIABLE: "/s", "XDG_STATE_HOME": "/state"}) == Path("/s")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # as in a container with any user number
    with pytest.raises(ConfigError, match=f"Set {STATE_VARIABLE}"):
        state_folder({})
