"""Run the jobs that wait in the store's queue, and end when none is left.

Several may run over one store: each job is claimed once. Jobs go on when this ends.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.cli import OneLineParser, build_config_parser, run_job
from jobs.record import JOB_VARIABLE, Job
from streetclip.config import RunQueueConfig
from streetclip.errors import ResourceError
from streetclip.process_identity import ProcessId, current_process, signal_group

if TYPE_CHECKING:
    from streetclip.runtime import JobState, JobTicket
    from streetclip.store import Store

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.5
_PATIENCE_S = 10.0
_TAIL_BYTES = 4096


def build_parser() -> OneLineParser:
    """Make the parser; its flags are the fields of `RunQueueConfig`."""
    return build_config_parser(RunQueueConfig, __doc__ or "")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(build_parser(), RunQueueConfig, argv, _run_queue)


def _run_queue(config: RunQueueConfig, job: Job) -> None:
    from streetclip.store import open_store

    with open_store(config.db) as store, job.progress("queue", "job") as progress:
        runner = Runner(store, config)
        progress(0, 0)
        while _look(runner) or config.stay:
            progress(runner.num_ended, runner.num_ended + runner.num_running)
            time.sleep(_LOOK_S)
    print(f"queue empty · {runner.num_ended:,} jobs ended")


def _look(runner: "Runner") -> bool:
    try:
        return runner.look()
    except ResourceError as error:
        if not runner.num_running:
            raise
        _LOG.warning("%s", error)  # space may be freed before the jobs have ended
        time.sleep(_PATIENCE_S)
        return True


class Runner:
    """Starts queued jobs as processes of their own, and says how they ended if they do not.

    Attributes:
        num_ended: Jobs that it started and that ended.
    """

    def __init__(self, store: "Store", config: RunQueueConfig) -> None:
        """Take the queue.

        Args:
            store: Opened for writing.
            config: How many at once, and how patient with cancelled ones.
        """
        self.num_ended = 0
        self._store = store
        self._config = config
        self._process = current_process()
        self._children: dict[int, tuple[JobTicket, subprocess.Popen[bytes]]] = {}
        self._signalled: dict[tuple[int, int], signal.Signals] = {}

    @property
    def num_running(self) -> int:
        """Jobs that it started and that still run."""
        return len(self._children)

    def look(self) -> bool:
        """Do what is to be done now; whether anything is left to wait for."""
        from streetclip import runtime

        self._settle_ended()
        runtime.interrupt_dead_jobs(self._store)
        self._press_cancelled()
        while ticket := runtime.claim_job(
            self._store, self._process, most_running=self._config.max_jobs
        ):
            self._start(ticket)
        live = runtime.list_jobs(self._store, states=("queued", "running"))
        waiting = (live["state"] == "queued") | live["cancel_requested_at"].notna()
        return bool(self._children) or bool(waiting.any())

    def _start(self, ticket: "JobTicket") -> None:
        script = Path(__file__).with_name(f"{ticket.kind}.py")
        command = [sys.executable, str(script), *ticket.arguments]
        _LOG.info("job %d, attempt %d: %s", ticket.job_id, ticket.attempt, ticket.kind)
        try:
            ticket.log_path.parent.mkdir(parents=True, exist_ok=True)
            with ticket.log_path.open("ab") as log:
                child = subprocess.Popen(  # noqa: S603 -- an argument list, never a shell
                    command,
                    cwd=ticket.cwd,
                    env=os.environ
                    | {JOB_VARIABLE: f"{ticket.job_id}:{ticket.attempt}", "PYTHONUNBUFFERED": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # it outlives this process, and Ctrl-C here
                )
        except (OSError, ValueError) as error:
            self._end(ticket, "failed", f"could not be started in {ticket.cwd}: {error}")
            return
        self._children[ticket.job_id] = (ticket, child)

    def _settle_ended(self) -> None:
        for ticket, child in list(self._children.values()):
            code = child.poll()
            if code is not None:
                self._settle(ticket, code)
                self.num_ended += 1
                del self._children[ticket.job_id]

    def _settle(self, ticket: "JobTicket", code: int) -> None:
        """Close the record of a job that ended without doing so itself."""
        from streetclip import runtime

        record = runtime.get_job(self._store, ticket.job_id)
        if record["state"] != "running" or record["attempt"] != ticket.attempt:
            return
        if record["cancel_requested_at"] is not None:
            self._end(ticket, "cancelled", None)
        elif code < 0:
            name = signal.Signals(-code).name
            memory = "; most often memory ran out" if name == "SIGKILL" else ""
            self._end(ticket, "interrupted", f"its process was ended by {name}{memory}")
        else:
            self._end(ticket, "failed", _last_line(ticket.log_path) or f"exit code {code}")

    def _end(self, ticket: "JobTicket", state: "JobState", error: str | None) -> None:
        from streetclip import runtime

        runtime.end_job(self._store, ticket.job_id, ticket.attempt, state, error=error)

    def _press_cancelled(self) -> None:
        """TERM for jobs that were asked to end and had time to; KILL when that did not help."""
        from streetclip import runtime

        for record in runtime.list_jobs(self._store, states=("running",)).to_dict("records"):
            asked_at = record["cancel_requested_at"]
            if isinstance(asked_at, str):
                number = self._due_signal(_seconds_since(asked_at))
                self._signal(record, number)

    def _due_signal(self, waited_s: float) -> signal.Signals | None:
        if waited_s > 2 * self._config.grace_s:
            return signal.SIGKILL
        return signal.SIGTERM if waited_s > self._config.grace_s else None

    def _signal(self, record: dict[Any, Any], number: signal.Signals | None) -> None:
        key = (int(record["id"]), int(record["attempt"]))
        process = ProcessId(record["host"], int(record["pid"]), record["process_started_at"])
        if number is None or self._signalled.get(key) == number or process == self._process:
            return
        self._signalled[key] = number
        if signal_group(process, number):
            _LOG.warning("job %d was cancelled and still runs: %s", key[0], number.name)


def _seconds_since(iso_text: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(iso_text)).total_seconds()


def _last_line(path: Path) -> str:
    """The last line of a log that says anything, which is what a job that failed ends with."""
    with contextlib.suppress(OSError), path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = log.read().decode("utf-8", "replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")[:500]
    return ""


if __name__ == "__main__":
    raise SystemExit(main())
