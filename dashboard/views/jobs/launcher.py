"""Queue, cancel and resume jobs, mark dead ones, and keep a runner alive for the queue.

The runner is a process in its own session: it outlives the dashboard and its Ctrl-C.
"""

import functools
import logging
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from dashboard.queries import run_queries, store_state
from dashboard.views.jobs.allowed_paths import JobOptions
from streetclip import runtime
from streetclip.config import JOB_CONFIGS, JobConfig, RunQueueConfig
from streetclip.config.arguments import resume_arguments, to_arguments
from streetclip.errors import StreetClipError
from streetclip.files import open_log, translated_disk_errors
from streetclip.results.run_table import BUSY_S
from streetclip.runtime import JobSpec
from streetclip.store import open_store

_LOG = logging.getLogger(__name__)

ROOT: Final = Path(__file__).resolve().parents[3]

KINDS: Final = frozenset(JOB_CONFIGS) - {runtime.RUNNER_KIND}
"""Kinds of jobs that have their own command."""

RESUMABLE: Final = ("failed", "cancelled", "interrupted")
"""States from which a job can be resumed."""

_BUSY_TIMEOUT_S: Final = 10.0  # for another writer, while a visitor waits for the page
_PAUSE_S: Final = 30.0  # after a runner that failed
_PLAIN: Final = frozenset(map(chr, range(32, 127))) - {"'", "\\"}  # inside $'…' of bash


def enqueue(store_path: Path, config: JobConfig, options: JobOptions) -> int:
    """Queue a job, ensure that a runner is alive, and return the job's id.

    Raises OutputError if a queued or running job writes into the same folder.
    """
    spec = JobSpec(
        kind=config.kind,
        name=getattr(config, "run_name", None) or "",
        arguments=to_arguments(config),
        parameters=config.to_dict(),
        output_dir=getattr(config, "output_dir", None),
        cwd=options.roots.base,
    )
    with open_store(store_path, busy_timeout_s=_BUSY_TIMEOUT_S) as opened:
        job_id = runtime.enqueue_job(opened, spec)
    ensure_runner(store_path, options, at_once=True)
    return job_id


def cancel(store_path: Path, job_id: int, options: JobOptions) -> None:
    """Ask a job to save and end; a runner kills it otherwise."""
    with open_store(store_path, busy_timeout_s=_BUSY_TIMEOUT_S) as opened:
        runtime.request_cancel(opened, job_id)
    ensure_runner(store_path, options, at_once=True)


def resume(store_path: Path, job_id: int, options: JobOptions) -> None:
    """Queue a job again that was stopped or failed, if its files lie inside the roots."""
    with open_store(store_path, busy_timeout_s=_BUSY_TIMEOUT_S) as opened:
        job = runtime.get_job(opened, job_id)
        check_resumable(store_path, job, options)
        runtime.requeue_job(opened, job_id, arguments_to_resume(job))
    ensure_runner(store_path, options, at_once=True)


def check_resumable(store_path: Path, job: Mapping[str, Any], options: JobOptions) -> None:
    """Raise ConfigError for foreign paths, another store or an unknown kind."""
    roots = replace(options.roots, base=Path(job["cwd"]))
    runtime.check_job(store_path, job["kind"], job["arguments"], roots)


def arguments_to_resume(job: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the arguments of a job, with `--resume` if its kind has that flag."""
    # A job with progress has passed its check that it overwrites no other files.
    return resume_arguments(job["kind"], tuple(job["arguments"]), begun=job["done"] > 0)


def shell_command(
    job: Mapping[str, Any], base: Path, arguments: Sequence[str] | None = None
) -> str:
    """Write the shell command of a job, with `cd` if its folder is not `base`."""
    script = Path("jobs", f"{job['kind']}.py")
    is_home = os.path.realpath(job["cwd"]) == str(ROOT)
    words = ["python", str(script if is_home else ROOT / script)]
    words += job["arguments"] if arguments is None else arguments
    command = " ".join(map(_quoted, words))
    if os.path.realpath(base) == os.path.realpath(job["cwd"]):
        return command
    return f"cd {_quoted(job['cwd'])} && {command}"


def _quoted(word: str) -> str:
    """Quote a word for a shell; escape characters that are invisible or reorder text."""
    if all(c.isprintable() or c == "\n" for c in word):
        return shlex.quote(word)
    word = re.sub("[\ud800-\udc7f\udd00-\udfff]", "?", word)  # halves that stand for no byte
    raw = word.encode("utf-8", "surrogateescape")
    safe = (chr(b) if chr(b) in _PLAIN else f"\\x{b:02x}" for b in raw)
    return f"$'{''.join(safe)}'"


def mark_dead_jobs(path: Path) -> None:
    """Mark jobs, runs and trainings whose process is gone as interrupted.

    If the store is locked or read-only, log a warning; the next call tries again.
    """
    if not path.exists():
        return
    with store_state.reader(path) as opened:
        dead = runtime.find_dead_jobs(opened)
    if not dead:
        return
    try:
        with open_store(path, busy_timeout_s=BUSY_S) as opened:
            runtime.interrupt_dead_jobs(opened)
    except StreetClipError as error:
        _LOG.warning("cannot mark the dead jobs %s interrupted: %s", dead, error)


def ensure_runner(store_path: Path, options: JobOptions, *, at_once: bool = False) -> str:
    """Start a runner if the queue needs one; return the problem, else "".

    Unless `at_once`, wait after a runner that failed.
    """
    live = run_queries.live_jobs(store_path)
    own = (each for each in live if each["runs_here"])
    is_needed = any(each["state"] == "queued" or each["cancel_requested_at"] for each in own)
    if not is_needed or not options.may_start:
        return ""
    return _start_unless_alive(store_path, options, at_once=at_once)


def log_path(store_path: Path) -> Path:
    """Locate the log file of a store's runners."""
    return store_state.log_folder(store_path) / "runner.log"


@functools.cache
def _runners() -> tuple[threading.Lock, dict[Path, tuple["subprocess.Popen[bytes]", float]]]:
    """Keep the runners that this process started, by store, and when (monotonic seconds)."""
    return threading.Lock(), {}


def _start_unless_alive(store_path: Path, options: JobOptions, *, at_once: bool) -> str:
    key = Path(os.path.realpath(store_path))
    lock, started = _runners()
    with lock:
        if key in started:  # perhaps too recently to have a record
            process, started_at_s = started[key]
            code = process.poll()
            if code is None:
                return ""
            if code != 0 and not at_once and time.monotonic() - started_at_s < _PAUSE_S:
                return f"The runner of the queue ended with exit code {code}; see {log_path(key)}."
        with store_state.reader(store_path) as opened:
            if runtime.live_runner(opened):
                return ""
        started[key] = _start_runner(key, options), time.monotonic()
    return ""


def _start_runner(store_path: Path, options: JobOptions) -> "subprocess.Popen[bytes]":
    folders, most = options.roots.folders, options.max_jobs
    config = RunQueueConfig(db=store_path, max_jobs=most, root=folders)
    command = [sys.executable, str(ROOT / "jobs" / "run_queue.py"), *to_arguments(config)]
    log = log_path(store_path)
    with translated_disk_errors(log), open_log(log) as output:
        process = subprocess.Popen(  # noqa: S603 -- an argument list, never a shell
            command,
            cwd=options.roots.base,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    # Waited for, so that it leaves no zombie behind.
    threading.Thread(target=process.wait, name=f"runner {process.pid}", daemon=True).start()
    return process
