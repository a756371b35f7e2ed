"""Run the jobs that wait in the store's queue, and end when none is left.

Several may run over one store: each job is claimed once. Jobs continue when this ends.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.support.cli import run_job
from jobs.support.record import JOB_VARIABLE, Job
from streetclip.config import RunQueueConfig
from streetclip.errors import ResourceError, StreetClipError
from streetclip.files import open_log, open_plain
from streetclip.process_identity import ProcessId, current_process, signal_group

if TYPE_CHECKING:
    from streetclip.runtime import JobTicket
    from streetclip.store import Store

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.5
_PATIENCE_S = 10.0
_TAIL_BYTES = 4096


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(RunQueueConfig, __doc__, argv, _run_queue)


def _run_queue(config: RunQueueConfig, job: Job) -> None:
    from streetclip.store import open_store

    with open_store(config.db) as store, job.progress("queue", "job") as progress:
        runner = Runner(store, config)
        progress(0, 0)
        while _look(runner) or config.stay:
            progress(runner.num_ended, runner.num_ended + len(runner.children))
            time.sleep(_LOOK_S)
    print(f"queue empty · {runner.num_ended:,} jobs ended")


def _look(runner: "Runner") -> bool:
    try:
        return runner.look()
    except ResourceError as error:
        if not runner.children:
            raise
        _LOG.warning("%s", error)  # space may be freed before the jobs have ended
        time.sleep(_PATIENCE_S)
        return True


class Runner:
    """Starts queued jobs as processes, and records ends that they do not record."""

    def __init__(self, store: "Store", config: RunQueueConfig) -> None:
        from streetclip.runtime import allowed_folders

        self.num_ended = 0
        self._folders = allowed_folders(config.root, store.path)
        self._store, self._config, self._process = store, config, current_process()
        self.children: dict[int, tuple[JobTicket, subprocess.Popen[bytes]]] = {}  # by job
        self._signalled: dict[tuple[int, int], signal.Signals] = {}  # by job and attempt
        self._cancel_seen: dict[tuple[int, int], float] = {}

    def look(self) -> bool:
        """Record ended jobs, start queued ones, and return whether any is left to wait for."""
        from streetclip import runtime

        for ticket, child in list(self.children.values()):
            code = child.poll()
            if code is not None:
                self._record_end(ticket, code)
                self.num_ended += 1
                del self.children[ticket.job_id]
        runtime.interrupt_dead_jobs(self._store)
        self._signal_cancelled()
        most = self._config.max_jobs
        while claimed := runtime.claim_job(self._store, self._process, most_running=most):
            self._start(claimed)
        live = runtime.list_jobs(self._store, states=("queued", "running"))
        is_asked = (live["state"] == "queued") | live["cancel_requested_at"].notna()
        waiting = live["runs_here"] & is_asked
        return bool(self.children) or bool(waiting.any())

    def _start(self, ticket: "JobTicket") -> None:
        from streetclip import runtime

        script = Path(__file__).with_name(f"{ticket.kind}.py")
        variables = {JOB_VARIABLE: f"{ticket.job_id}:{ticket.attempt}", "PYTHONUNBUFFERED": "1"}
        _LOG.info("job %d, attempt %d: %s", ticket.job_id, ticket.attempt, ticket.kind)
        try:
            roots = runtime.Roots(self._folders, ticket.cwd)
            runtime.check_job(self._store.path, ticket.kind, ticket.arguments, roots)
            with open_log(ticket.log_path) as log:
                child = subprocess.Popen(  # noqa: S603 -- an argument list, never a shell
                    [sys.executable, str(script), *ticket.arguments],
                    cwd=ticket.cwd,
                    env=os.environ | variables,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # it outlives this process, and Ctrl-C here
                )
        except (OSError, ValueError, StreetClipError) as error:
            cause = f"could not be started in {ticket.cwd}: {error}"
            runtime.end_job(self._store, ticket.job_id, ticket.attempt, "failed", error=cause)
            return
        self.children[ticket.job_id] = (ticket, child)

    def _record_end(self, ticket: "JobTicket", code: int) -> None:
        """Close the record of a job that ended without doing so itself."""
        from streetclip import runtime

        record = runtime.get_job(self._store, ticket.job_id)
        state: runtime.JobState = "failed"
        error: str | None = None
        if record["cancel_requested_at"] is not None:
            state = "cancelled"
        elif code < 0:
            name = signal.Signals(-code).name
            memory = "; most often memory ran out" if name == "SIGKILL" else ""
            state, error = "interrupted", f"its process was ended by {name}{memory}"
        else:
            error = _last_line(ticket.log_path) or f"exit code {code}"
        # Changes nothing if the job, or a further attempt, has written the record meanwhile.
        runtime.end_job(self._store, ticket.job_id, ticket.attempt, state, error=error)

    def _signal_cancelled(self) -> None:
        """Send TERM to cancelled jobs whose grace is over, KILL after as long again.

        The grace begins when this process first sees the request: clocks may be stepped. A record
        that comes from elsewhere may name any process: nothing is sent to it.
        """
        from streetclip import runtime

        for record in runtime.list_jobs(self._store, states=("running",)).to_dict("records"):
            if not (record["runs_here"] and isinstance(record["cancel_requested_at"], str)):
                continue
            key = (int(record["id"]), int(record["attempt"]))
            waited_s = time.monotonic() - self._cancel_seen.setdefault(key, time.monotonic())
            if waited_s > self._config.grace_s:
                is_ignored = waited_s > 2 * self._config.grace_s
                number = signal.SIGKILL if is_ignored else signal.SIGTERM
                self._signal(key, runtime.process_of(record), number)

    def _signal(self, key: tuple[int, int], process: ProcessId, number: signal.Signals) -> None:
        if self._signalled.get(key) == number or process == self._process:
            return
        self._signalled[key] = number
        if signal_group(process, number):
            _LOG.warning("job %d was cancelled and still runs: %s", key[0], number.name)


def _last_line(path: Path) -> str:
    """Return the last line of a log: a failed job ends with its error."""
    with contextlib.suppress(OSError), os.fdopen(open_plain(path, os.O_RDONLY), "rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = log.read().decode("utf-8", "replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")[:500]
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
