import dataclasses
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from unittest import mock

import pytest

from jobs.support.cli import run_job
from jobs.support.record import JOB_VARIABLE, one_line
from streetclip import runtime, store
from streetclip.config import JobConfig, option
from streetclip.errors import ConfigError
from streetclip.process_identity import current_process


@dataclass(frozen=True, kw_only=True)
class Config(JobConfig):
    kind: ClassVar[str] = "make_demo"

    output_dir: Path = option(help="a folder")
    run_name: str | None = option(None, help="a name")
    resume: bool = option(False, help="go on")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("jobs.support.record.BEAT_S", 0.02)


class Place:
    """A folder with a store; jobs run here, in this process."""

    def __init__(self, folder):
        self.folder = folder
        self.db = folder / "streetclip.db"

    def run(self, work, *flags, folder="out"):
        argv = [f"--db={self.db}", f"--output_dir={self.folder / folder}", *flags]
        with mock.patch.object(sys, "argv", ["job"]):
            return run_job(Config, "Do it.", argv, work)

    def record(self, job_id=1):
        with store.open_store(self.db, read_only=True) as opened:
            return runtime.get_job(opened, job_id)

    def open(self):
        return store.open_store(self.db)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_a_job_that_ends_well_leaves_a_record_of_what_it_did(place):
    def work(config, job):
        with job.progress("draw", "image") as bar:
            bar(0, 7)
            bar(5, 7, loss=0.25)
        job.add_output(config.output_dir / "a.csv")
        print("a result")

    assert place.run(work, "--run_name=my 'run'; x") == 0
    record = place.record()
    assert record["kind"] == "make_demo"
    assert record["name"] == "my 'run'; x"
    assert record["state"] == "done"
    assert record["attempt"] == 1
    assert (record["task"], record["unit"]) == ("draw", "image")
    assert (record["done"], record["total"]) == (5, 7)
    assert record["numbers"] == {"loss": 0.25}
    assert record["outputs"] == [str(place.folder / "out" / "a.csv")]
    assert record["pid"] == os.getpid()
    assert record["output_dir"] == str(place.folder / "out")
    assert record["parameters"]["run_name"] == "my 'run'; x"
    assert "--run_name=my 'run'; x" in record["arguments"]
    assert "a result" in Path(record["log_path"]).read_text()


def test_a_failure_is_recorded_in_one_line(place):
    def work(_config, _job):
        msg = "\ntest.csv:4: latitude is 95\ntest.csv:5: latitude is 96"
        raise ConfigError(msg)

    assert place.run(work) == 2
    record = place.record()
    assert record["state"] == "failed"
    assert record["error"] == "test.csv:4: latitude is 95"
    assert "test.csv:5: latitude is 96" in Path(record["log_path"]).read_text()


def test_a_fault_of_our_own_is_recorded_with_its_traceback_in_the_log(place):
    def work(_config, _job):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        place.run(work)
    record = place.record()
    assert (record["state"], record["error"]) == ("failed", "ZeroDivisionError")
    assert "Traceback" in Path(record["log_path"]).read_text()


def test_long_causes_are_cut():
    assert len(one_line(ConfigError("x" * 5000))) == 500


def test_progress_is_written_while_the_job_runs(place):
    seen = []

    def work(_config, job):
        with job.progress("encode", "image") as bar:
            bar(30, 120)
            wait_for(lambda: place.record()["done"] == 30)
            seen.append(place.record())
            bar(60, 120)
            wait_for(lambda: place.record()["done"] == 60)
            seen.append(place.record())

    place.run(work)
    assert [each["state"] for each in seen] == ["running", "running"]
    assert seen[0]["heartbeat_at"] < seen[1]["heartbeat_at"]
    assert [each["rate"] for each in seen] == [None, None]


def test_a_cancelled_job_ends_as_with_ctrl_c(place, capsys):
    saved = []

    def work(_config, job):
        try:
            with place.open() as opened:
                runtime.request_cancel(opened, job.id)
            time.sleep(20)
        except KeyboardInterrupt:
            saved.append("state")
            raise

    assert place.run(work) == 130
    assert saved == ["state"]
    assert place.record()["state"] == "cancelled"
    assert "Traceback" not in capsys.readouterr().err


def test_ctrl_c_and_term_leave_it_interrupted(place):
    def press(number):
        def work(_config, _job):
            os.kill(os.getpid(), number)
            time.sleep(20)

        return work

    assert place.run(press(signal.SIGINT), folder="a") == 130
    assert place.run(press(signal.SIGTERM), folder="b") == 130
    assert [place.record(1)["state"], place.record(2)["state"]] == ["interrupted", "interrupted"]


def test_a_term_that_comes_twice_does_not_disturb_the_saving(place):
    saved = []

    def work(_config, _job):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(20)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            saved.append("state")

    assert place.run(work) == 130
    os.kill(os.getpid(), signal.SIGTERM)  # until the process has ended
    assert saved == ["state"]
    assert place.record()["state"] == "interrupted"


def test_a_job_that_was_not_interrupted_leaves_term_as_it_was(place):
    assert place.run(lambda _config, _job: None) == 0
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_job_whose_record_was_ended_by_another_stops(place):
    def work(_config, job):
        with place.open() as opened:
            assert runtime.end_job(opened, job.id, 1, "interrupted", error="taken for dead")
        time.sleep(20)

    assert place.run(work) == 130
    assert place.record()["error"] == "taken for dead"


def test_a_second_job_on_the_same_folder_is_refused_and_told_of_the_first(place, capsys):
    codes = []

    def work(_config, _job):
        codes.append(place.run(lambda _config, _job: None, "--run_name=second"))

    assert place.run(work, "--run_name=first") == 0
    assert codes == [2]
    error = capsys.readouterr().err
    assert "job 1" in error
    assert "first" in error
    assert str(os.getpid()) in error


def test_a_resumed_job_takes_its_record_over(place):
    def stopped(_config, _job):
        raise KeyboardInterrupt

    place.run(stopped)
    place.run(lambda _config, _job: None, "--resume")
    record = place.record()
    assert (record["state"], record["attempt"]) == ("done", 2)
    with place.open() as opened:
        assert len(runtime.list_jobs(opened)) == 1


def test_a_job_of_the_queue_takes_over_the_record_that_it_is_named(place, monkeypatch):
    seen = []

    def work(_config, job):
        seen.append((job.id, job.queued, os.environ.get(JOB_VARIABLE)))

    spec = runtime.JobSpec(
        kind="make_demo", arguments=(), parameters={}, output_dir=None, cwd=place.folder
    )
    with place.open() as opened:
        runtime.enqueue_job(opened, dataclasses.replace(spec, name="other"))
        job_id = runtime.enqueue_job(opened, spec)
        runtime.request_cancel(opened, 1)
        runner = dataclasses.replace(current_process(), pid=1)
        assert runtime.claim_job(opened, runner, most_running=1).job_id == job_id
    monkeypatch.setenv(JOB_VARIABLE, f"{job_id}:1")
    assert place.run(work) == 0
    assert seen == [(job_id, True, None)]
    assert place.record(job_id)["pid"] == os.getpid()
    assert place.record(job_id)["state"] == "done"


@pytest.mark.parametrize("named", ["", "1", "x:1", "1:2", "1:1; rm", "99:1"])
def test_a_record_that_nobody_claimed_is_refused(place, monkeypatch, capsys, named):
    place.open().close()
    monkeypatch.setenv(JOB_VARIABLE, named)
    assert place.run(lambda _config, _job: None) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_job_that_needs_no_store_runs_without_one(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    ran = []
    place = Place(tmp_path)
    place.db = tmp_path / "file" / "streetclip.db"
    assert place.run(lambda _config, job: ran.append(job.id)) == 0
    assert ran == [None]
    assert "no record of this job is kept" in capsys.readouterr().err


SLEEPER = """
import sys, time
sys.path.insert(0, {root!r})
from tests.jobs.support.test_record import Config
from jobs.support.cli import run_job
def work(config, job):
    print("begun", flush=True)
    time.sleep(60)
sys.exit(run_job(Config, "x", {argv!r}, work))
"""


def test_a_killed_job_is_seen_to_be_interrupted_at_the_next_look(place):
    root = str(Path(__file__).parents[3])
    argv = [f"--db={place.db}", f"--output_dir={place.folder / 'out'}"]
    code = SLEEPER.format(root=root, argv=argv)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"begun\n"
        assert place.record()["state"] == "running"
        process.kill()
        process.wait()
    with place.open() as opened:
        assert runtime.interrupt_dead_jobs(opened) == [1]
    record = place.record()
    assert record["state"] == "interrupted"
    assert str(process.pid) in record["error"]
    assert place.run(lambda _config, _job: None, "--resume") == 0
    assert place.record()["attempt"] == 2
