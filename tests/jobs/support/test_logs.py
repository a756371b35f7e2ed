"""A log that cannot be written stops no job. /dev/full is a file on a disk that is always full."""

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.support.logs import copied_to, output_may_fail
from streetclip.errors import ResourceError

ROOT = Path(__file__).parents[3]
FULL = Path("/dev/full")

needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def test_a_log_has_what_is_printed_and_logged_and_why_it_ended(tmp_path, capsys):
    path = tmp_path / "logs" / "job-1.log"

    def work():
        print("a result")
        logging.getLogger("streetclip").warning("half – a pair")
        msg = "no more paper"
        raise ResourceError(msg)

    with pytest.raises(ResourceError), copied_to(path):
        work()
    text = "a result\nWARNING half – a pair\nerror: no more paper\n"
    assert path.read_text(encoding="utf-8") == text
    assert capsys.readouterr().out == "a result\n"


def test_a_name_that_is_no_unicode_is_spelt_out_in_the_log(tmp_path):
    path = tmp_path / "job-1.log"
    # Not by print or logging: pytest keeps what those say, and could not pass it on.
    with pytest.raises(ResourceError), copied_to(path):
        raise ResourceError("half \ud800 a pair")  # noqa: EM101
    assert path.read_text(encoding="utf-8") == "error: half \\ud800 a pair\n"


@needs_full
def test_a_full_disk_under_the_log_leaves_the_job_alone(tmp_path, capsys):
    path = tmp_path / "job-1.log"
    path.symlink_to(FULL)
    with copied_to(path):
        print("a result")
        logging.getLogger("streetclip").warning("careful")
        sys.stdout.flush()
    captured = capsys.readouterr()
    assert captured.out == "a result\n"
    assert "Logging error" not in captured.err


def test_a_log_that_cannot_be_opened_leaves_the_job_alone(tmp_path, capsys, caplog):
    (tmp_path / "logs").write_text("a file")
    with copied_to(tmp_path / "logs" / "job-1.log"):
        print("a result")
    assert capsys.readouterr().out == "a result\n"
    assert "no log is kept there" in caplog.text


def test_a_fault_of_the_work_stays_one_where_no_log_is_kept(tmp_path):
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(ZeroDivisionError), copied_to(tmp_path / "logs" / "job-1.log"):
        _ = 1 / 0


def test_output_that_may_fail_is_written_where_it_can_be(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with output_may_fail():
        print("a line", file=sys.stderr)
    assert stream.getvalue() == "a line\n"


@needs_full
def test_a_queued_job_whose_log_is_full_does_its_work(tmp_path):
    """As the runner starts it: stdout and stderr are the log file."""
    from streetclip import runtime, store
    from streetclip.process_identity import current_process

    (tmp_path / "test.csv").write_text(
        "image_filename,city,region,country,continent\na.jpg,A,,France,\nb.jpg,B,,Italy,\n"
    )
    arguments = (f"--test_csv={tmp_path / 'test.csv'}", f"--output_dir={tmp_path / 'out'}",
                 f"--db={tmp_path / 'streetclip.db'}", "--log_level=debug")  # fmt: skip
    spec = runtime.JobSpec(kind="generate_captions", arguments=arguments, parameters={},
                         output_dir=tmp_path / "out", cwd=ROOT)  # fmt: skip
    with store.open_store(tmp_path / "streetclip.db") as opened:
        job_id = runtime.enqueue_job(opened, spec)
        ticket = runtime.claim_job(opened, current_process(), most_running=1)
    with FULL.open("wb") as log:
        done = subprocess.run(
            [sys.executable, "jobs/generate_captions.py", *arguments],
            cwd=ROOT,
            env=os.environ
            | {"STREETCLIP_JOB": f"{job_id}:{ticket.attempt}", "PYTHONUNBUFFERED": "1"},
            stdout=log,
            stderr=log,
            check=False,
        )
    assert done.returncode == 0
    assert (tmp_path / "out" / "test_captions.csv").is_file()
    with store.open_store(tmp_path / "streetclip.db", read_only=True) as opened:
        assert runtime.get_job(opened, job_id)["state"] == "done"
