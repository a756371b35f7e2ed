"""What becomes of jobs whose dashboard, process or machine went away."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.reliability.place import Place, print_table
from streetclip import runtime, store
from streetclip.errors import StoreError
from streetclip.process_identity import ProcessId, current_process
from tests.killing import ROOT

_PATIENCE_S = 300.0
_HEAD = ("what happened", "record before", "after", "seconds from the look", "good")

# As the Jobs page does it when one presses Start.
_DASHBOARD = """
import sys, time
from pathlib import Path
from dashboard.views.jobs import launcher
from dashboard.views.jobs.allowed_paths import JobOptions
from streetclip.config import EvaluateConfig
from streetclip.runtime import Roots

db, test_csv, images, model, candidates, out, root = map(Path, sys.argv[1:])
config = EvaluateConfig(
    db=db, test_csv=test_csv, image_dir=images, model_name=str(model), candidates_file=candidates,
    output_dir=out, num_workers=1, device="cpu", precision="fp32", batch_size=8)
print(launcher.enqueue(db, config, JobOptions(Roots((root,)))), flush=True)
time.sleep(3600)
"""


def restart(place: Place, options: Any) -> bool:
    """Kill the dashboard, jobs and, as far as the record can tell, machines."""
    rows = [
        _dashboard_killed(place),
        _job_killed(place),
        _machine_restarted(place, "the process is gone", pid=2**22 - 1, age_s=3600),
        _machine_restarted(place, "its number is another's now", pid=os.getpid(), age_s=3600),
        _other_machine(place, silent_s=0),
        _other_machine(place, silent_s=31),
    ]
    print_table("What is left of jobs whose surroundings went away", _HEAD, rows)
    return all(row[-1] for row in rows)


def _dashboard_killed(place: Place) -> tuple[Any, ...]:
    folder, images = place.folder / "dashboard-killed", place.many_images(1000)
    folder.mkdir()
    db, world = folder / "streetclip.db", place.world
    arguments = (db, images / "test.csv", images / "images", world / "model",
                 world / "candidates.json", folder / "out", place.folder)  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", _DASHBOARD, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # streamlit, which misses its server
        text=True,
        start_new_session=True,
    ) as dashboard:
        job_id = int(dashboard.stdout.readline())
        _wait(lambda: _has_begun(db, job_id))
        os.killpg(dashboard.pid, signal.SIGKILL)
    before = _job(db, job_id)["state"]
    began = time.monotonic()
    _wait(lambda: _look(db, job_id) != "running")
    job = _job(db, job_id)
    with store.open_store(db, read_only=True) as opened:
        (run_id,) = runtime.runs_of_job(opened, job_id)
        n = store.get_run(opened, run_id)["num_done"]
    is_good = before == "running" and job["state"] == "done" and n == 1000
    return ("dashboard killed while its job ran", before, f"{job['state']}, {n} rows",
            time.monotonic() - began, is_good)  # fmt: skip


def _job_killed(place: Place) -> tuple[Any, ...]:
    folder = place.folder / "job-killed"
    db = folder / "streetclip.db"
    flags = place.evaluation_flags(place.many_images(1000), folder / "out", db)
    with subprocess.Popen(
        [sys.executable, "jobs/evaluate.py", *flags],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        _wait(lambda: _has_begun(db, 1))
        os.killpg(process.pid, signal.SIGKILL)
    before = _job(db, 1)["state"]
    state, seconds = _timed_look(db, 1)
    with store.open_store(db, read_only=True) as opened:
        runs = store.list_runs(opened)["state"].tolist()
    is_good = (before, state, runs) == ("running", "interrupted", ["interrupted"])
    return "job killed", before, f"{state}, its run {runs[0]}", seconds, is_good


def _machine_restarted(place: Place, what: str, *, pid: int, age_s: float) -> tuple[Any, ...]:
    """A record that a process of before the restart has left."""
    process = ProcessId(current_process().host, pid, time.time() - age_s)
    db = _left_running(place.folder / f"restarted-{pid}", process)
    state, seconds = _timed_look(db, 1)
    return f"machine restarted: {what}", "running", state, seconds, state == "interrupted"


def _other_machine(place: Place, *, silent_s: float) -> tuple[Any, ...]:
    process = ProcessId("another-machine", 1234, time.time() - 7200)
    db = _left_running(place.folder / f"elsewhere-{silent_s}", process)
    with store.open_store(db) as opened, opened.transaction():
        opened.rows(
            "UPDATE jobs SET heartbeat_at = strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', ?)",
            (f"-{silent_s} seconds",),
        )
    first, _ = _timed_look(db, 1)
    began = time.monotonic()
    _wait(lambda: _look(db, 1) == "interrupted")
    seconds = time.monotonic() - began
    is_good = first == "running" and seconds < 31
    what = f"another machine, its clock {silent_s:g} s behind, silent from now on"
    return what, first, "interrupted", seconds, is_good


def _left_running(folder: Path, process: ProcessId) -> Path:
    folder.mkdir()
    db = folder / "streetclip.db"
    with store.open_store(db) as opened:
        spec = runtime.JobSpec(
            kind="train", arguments=(), parameters={}, output_dir=folder / "out", cwd=folder
        )
        runtime.register_job(opened, spec, process)
    return db


def _timed_look(db: Path, job_id: int) -> tuple[str, float]:
    began = time.monotonic()
    state = _look(db, job_id)
    return state, time.monotonic() - began


def _look(db: Path, job_id: int) -> str:
    """What a page does when it is opened."""
    with store.open_store(db) as opened:
        runtime.interrupt_dead_jobs(opened)
        return str(runtime.get_job(opened, job_id)["state"])


def _job(db: Path, job_id: int) -> dict[str, Any]:
    with store.open_store(db, read_only=True) as opened:
        return runtime.get_job(opened, job_id)


def _has_begun(db: Path, job_id: int) -> bool:
    try:
        return bool(_job(db, job_id)["done"])
    except StoreError:  # not there yet, or empty yet
        return False


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            msg = f"it did not happen within {_PATIENCE_S:.0f} s"
            raise TimeoutError(msg)
        time.sleep(0.05)
