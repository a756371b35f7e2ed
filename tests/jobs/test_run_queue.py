"""The runner of the queue, with real jobs in processes of their own."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs import run_queue
from streetclip import runtime, store
from streetclip.config import (
    CaptionConfig,
    CheckDataConfig,
    DemoConfig,
    RunQueueConfig,
)
from streetclip.config.arguments import to_arguments
from streetclip.process_identity import find_process, is_alive, signal_group
from tests import warm

HEAD = "image_filename,city,region,country,continent\n"


class Queue:
    """A store with queued jobs over a small manifest."""

    def __init__(self, folder):
        self.folder = folder
        self.db = folder / "streetclip.db"
        self.csv = folder / "a b;'c.csv"
        self.csv.write_text(HEAD + "1.jpg,Lyon,Rhône,France,Europe\n2.jpg,Graz,,Austria,Europe\n")

    def add(self, config, cwd=None):
        folder = getattr(config, "output_dir", None)
        spec = runtime.JobSpec(
            kind=config.kind,
            arguments=to_arguments(config),
            parameters=config.to_dict(),
            output_dir=folder,
            cwd=cwd or self.folder,
        )
        with store.open_store(self.db) as opened:
            return runtime.enqueue_job(opened, spec)

    def check(self, **settings):
        return CheckDataConfig(db=self.db, csv=(self.csv,), **settings)

    def long_job(self):
        folder = self.folder / "world"
        return DemoConfig(db=self.db, output_dir=folder, num_train=200_000, num_workers=1)

    def run(self, **settings):
        with store.open_store(self.db) as opened:
            runner = run_queue.Runner(opened, RunQueueConfig(db=self.db, **settings))
            while runner.look():
                time.sleep(0.05)

    def record(self, job_id):
        with store.open_store(self.db, read_only=True) as opened:
            return runtime.get_job(opened, job_id)

    def wait_for(self, job_id, condition, seconds=60.0):
        deadline = time.monotonic() + seconds
        while not condition(self.record(job_id)):
            assert time.monotonic() < deadline, self.record(job_id)
            time.sleep(0.05)
        return self.record(job_id)

    @contextlib.contextmanager
    def started(self, *flags):
        """The runner as its own process, ended in any case."""
        with (self.folder / "runner.log").open("ab") as log:
            process = warm.Job(
                ["jobs/run_queue.py", f"--db={self.db}", *flags], stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def queue(tmp_path):
    return Queue(tmp_path)


@contextlib.contextmanager
def killed_at_last(queue, job_id):
    """Leave nothing running, however the test ends."""
    try:
        yield
    finally:
        record = queue.record(job_id)
        found = None if record["pid"] is None else find_process(int(record["pid"]))
        if found is not None and found.pid != os.getpid() and record["state"] == "running":
            os.killpg(found.pid, signal.SIGKILL)


def test_queued_jobs_run_in_their_order_one_at_a_time(queue):
    job_ids = [queue.add(queue.check()) for _ in range(3)]
    queue.run(max_jobs=1)
    records = [queue.record(job_id) for job_id in job_ids]
    assert [each["state"] for each in records] == ["done"] * 3
    assert [each["attempt"] for each in records] == [1] * 3
    for before, after in itertools.pairwise(records):
        assert before["ended_at"] <= after["started_at"]
    assert "All good." in Path(records[0]["log_path"]).read_text()


def test_arguments_are_words_of_a_list_and_never_shell_text(queue):
    folder = queue.folder / "out $(touch x) `touch x`; touch x\n'\""
    config = CaptionConfig(db=queue.db, train_csv=queue.csv, output_dir=folder)
    job_id = queue.add(config)
    queue.run()
    record = queue.record(job_id)
    assert record["state"] == "done", record["error"]
    assert (folder / "train_captions.csv").exists()
    assert record["outputs"] == [str(folder / "train_captions.csv")]
    assert not (queue.folder / "x").exists()


def test_a_file_that_vanished_is_told_in_one_line(queue):
    job_id = queue.add(queue.check())
    queue.csv.unlink()
    queue.run()
    record = queue.record(job_id)
    assert record["state"] == "failed"
    assert "found" in record["error"]
    assert "Traceback" not in Path(record["log_path"]).read_text()


def test_a_job_that_dies_before_its_record_is_its_own_is_told_by_its_last_line(queue):
    spec = runtime.JobSpec(
        kind="check_data",
        arguments=(f"--db={queue.db}", "--no_such_flag=1"),
        parameters={},
        output_dir=None,
        cwd=queue.folder,
    )
    with store.open_store(queue.db) as opened:
        job_id = runtime.enqueue_job(opened, spec)
    queue.run()
    record = queue.record(job_id)
    assert record["state"] == "failed"
    assert "--no_such_flag" in record["error"] or "--csv" in record["error"]


def test_a_folder_to_work_in_that_vanished_fails_the_job_and_not_the_runner(queue):
    job_id = queue.add(queue.check(), cwd=queue.folder / "gone")
    other = queue.add(queue.check())
    queue.run()
    assert queue.record(job_id)["state"] == "failed"
    assert "gone" in queue.record(job_id)["error"]
    assert queue.record(other)["state"] == "done"


def test_a_job_of_the_queue_draws_no_bar_into_its_log(queue):
    (queue.folder / "images").mkdir()
    job_id = queue.add(queue.check(image_dir=queue.folder / "images", num_workers=0))
    queue.run()
    record = queue.record(job_id)
    assert record["total"] == 2
    assert "it/s" not in Path(record["log_path"]).read_text()


def test_a_cancelled_job_ends_and_the_next_begins(queue):
    first = queue.add(queue.long_job())
    second = queue.add(queue.check())
    with queue.started(), killed_at_last(queue, first):
        queue.wait_for(first, lambda record: record["done"])
        assert queue.record(second)["state"] == "queued"
        with store.open_store(queue.db) as opened:
            runtime.request_cancel(opened, first)
        queue.wait_for(second, lambda record: record["state"] == "done")
    record = queue.record(first)
    assert record["state"] == "cancelled"
    assert 0 < record["done"] < record["total"]


def test_a_job_that_was_killed_is_interrupted_and_goes_on_when_asked(queue):
    job_id = queue.add(queue.long_job())
    with queue.started(), killed_at_last(queue, job_id):
        record = queue.wait_for(job_id, lambda record: record["done"])
        os.killpg(int(record["pid"]), signal.SIGKILL)
        record = queue.wait_for(job_id, lambda record: record["state"] != "running")
    assert record["state"] == "interrupted"
    assert "SIGKILL" in record["error"]
    arguments = to_arguments(queue.check())  # something shorter
    with store.open_store(queue.db) as opened:
        runtime.requeue_job(opened, job_id, arguments)
    assert queue.record(job_id)["state"] == "queued"


@pytest.mark.slow
def test_a_job_outlives_its_runner_and_another_takes_the_queue(queue):
    first = queue.add(
        DemoConfig(
            db=queue.db,
            output_dir=queue.folder / "w",
            num_train=150,
            num_val=5,
            num_test=5,
            num_workers=0,
        )
    )
    second = queue.add(queue.check())
    with queue.started() as runner, killed_at_last(queue, first):
        record = queue.wait_for(first, lambda record: record["done"])
        runner.kill()
        runner.wait()
        assert is_alive(find_process(int(record["pid"])))
        with queue.started():
            queue.wait_for(second, lambda record: record["state"] == "done")
    assert queue.record(first)["state"] == "done"
    assert queue.record(first)["attempt"] == 1


def test_a_runner_that_is_asked_to_end_leaves_its_jobs_running(queue):
    job_id = queue.add(queue.long_job())
    with queue.started() as runner, killed_at_last(queue, job_id):
        record = queue.wait_for(job_id, lambda record: record["done"])
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(timeout=20) == 130
        assert is_alive(find_process(int(record["pid"])))
        assert queue.record(job_id)["state"] == "running"


DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


def test_a_job_that_hears_nothing_is_killed_in_the_end(queue, monkeypatch):
    sent, job_id = [], queue.add(queue.check())

    def send(process, number):
        sent.append(number)
        return signal_group(process, number)

    monkeypatch.setattr(run_queue, "signal_group", send)
    command = [sys.executable, "-c", DEAF]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as deaf,
        store.open_store(queue.db) as opened,
    ):
        assert deaf.stdout.readline() == b"up\n"
        runtime.claim_job(opened, find_process(deaf.pid), most_running=1)
        runner = run_queue.Runner(opened, RunQueueConfig(db=queue.db, grace_s=100))
        term, kill = signal.SIGTERM, signal.SIGKILL
        waits = ((0, []), (50, []), (150, [term]), (199, [term]), (250, [term, kill]))
        for number, (waited_s, expected) in enumerate(waits):
            # Stamped by a clock that is stepped back and forth.
            asked_at = datetime.now(UTC) + timedelta(hours=(-1) ** number)
            with opened.transaction():
                opened.update("jobs", job_id, {"cancel_requested_at": asked_at.isoformat()})
            monkeypatch.setattr(run_queue.time, "monotonic", lambda now=waited_s: float(now))
            assert runner.look()
            assert sent == expected
        assert deaf.wait() == -signal.SIGKILL
        assert not runner.look()
    assert queue.record(job_id)["state"] == "cancelled"


def test_a_runner_ends_no_process_that_a_record_from_elsewhere_names(queue, monkeypatch):
    sent = []
    monkeypatch.setattr(run_queue, "signal_group", lambda *signalled: sent.append(signalled))
    with store.open_store(queue.db) as opened:
        with monkeypatch.context() as theirs:
            theirs.setenv("STREETCLIP_STATE_DIR", str(queue.folder / "theirs"))
            foreign = queue.add(queue.check())
            runtime.claim_job(opened, find_process(os.getpid()), most_running=1)
        runtime.request_cancel(opened, foreign)
        runner = run_queue.Runner(opened, RunQueueConfig(db=queue.db, grace_s=0.001))
        for _ in range(3):
            assert not runner.look()
            time.sleep(0.01)
    assert sent == []


def test_a_log_that_is_a_link_is_not_written_through(queue):
    mine = queue.folder / "mine.txt"
    mine.write_text("mine")
    job_id = queue.add(queue.check())
    log = Path(queue.record(job_id)["log_path"])
    log.parent.mkdir(exist_ok=True)
    log.symlink_to(mine)
    queue.run()
    record = queue.record(job_id)
    assert record["state"] == "failed"
    assert "could not be started" in record["error"]
    assert mine.read_text() == "mine"


def test_a_runner_starts_nothing_that_another_installation_queued(queue, monkeypatch):
    out = queue.folder.parent / "elsewhere"
    config = CaptionConfig(db=queue.db, train_csv=queue.csv, output_dir=out)
    with monkeypatch.context() as theirs:
        theirs.setenv("STREETCLIP_STATE_DIR", str(queue.folder / "theirs"))
        foreign = queue.add(config)
    assert run_queue.main([f"--db={queue.db}"]) == 0
    assert queue.record(foreign)["state"] == "queued"
    own = queue.add(queue.check())
    queue.run()
    assert (queue.record(foreign)["state"], queue.record(own)["state"]) == ("queued", "done")
    assert not out.exists()


@pytest.mark.parametrize("allowed", [False, True])
def test_paths_are_checked_where_a_job_starts(queue, tmp_path_factory, allowed):
    out = tmp_path_factory.mktemp("elsewhere") / "out"
    job_id = queue.add(CaptionConfig(db=queue.db, train_csv=queue.csv, output_dir=out))
    queue.run(root=(queue.folder, *[out.parent] * allowed))
    record = queue.record(job_id)
    assert record["state"] == ("done" if allowed else "failed")
    assert out.exists() == allowed
    if not allowed:
        assert f"--output_dir is '{out}': lies outside the allowed folders" in record["error"]
