"""A job's record in the store, kept by the job itself: sign of life, progress, outcome.

A thread of its own writes every two seconds what the job's bar says, and reads whether the job is
asked to end. The job's own work pays for none of it.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from jobs.bars import ProgressBar
from jobs.logs import copied_to
from streetclip.config import JobConfig
from streetclip.config.arguments import to_arguments
from streetclip.errors import (
    ConfigError,
    OutputError,
    ResourceError,
    StoreError,
    StreetClipError,
    shown,
)
from streetclip.launch_env import Ranks
from streetclip.process_identity import current_process, raise_interrupt

if TYPE_CHECKING:
    from streetclip.runtime import JobState, JobTicket

_log = logging.getLogger(__name__)

JOB_VARIABLE = "STREETCLIP_JOB"
"""Environment variable in which the runner names the record to take over, as ID:ATTEMPT."""

BEAT_S = 2.0
_LONGEST_ERROR = 500  # characters


class Job:
    """The job that this process runs, as its record tells of it.

    Attributes:
        id: Number of the record; None where none could be made.
        queued: Whether the runner of the queue started it, with its output in the log file.
    """

    def __init__(
        self,
        db: Path,
        ticket: "JobTicket | None",
        *,
        queued: bool = False,
        can_interrupt: bool = False,
    ) -> None:
        """Take the record over.

        Args:
            db: The store.
            ticket: Of the record; None keeps none.
            queued: Whether the runner of the queue started it.
            can_interrupt: Whether TERM raises `KeyboardInterrupt` in the main thread.
        """
        self.id = None if ticket is None else ticket.job_id
        self.queued = queued
        self._db = db
        self._ticket = ticket
        self._outputs: list[str] = []
        self._open_bars: list[ProgressBar] = []
        self._last_bar: ProgressBar | None = None
        self._can_interrupt = can_interrupt
        self._heart = None if ticket is None else _Heart(db, ticket, self)

    def progress(self, description: str, unit: str) -> ProgressBar:
        """Make the bar of the work that begins now; the record repeats its numbers.

        A bar that is made while another is open stands for a part of its work, as a validation
        does for a training.
        """
        bar = ProgressBar(
            description,
            unit,
            visible=not self.queued,
            passing=bool(self._open_bars),
            on_close=self._close_bar,
        )
        self._open_bars.append(bar)
        return bar

    def add_output(self, path: Path) -> None:
        """Note a file or folder that the job has written."""
        self._outputs.append(str(path.absolute()))

    @property
    def bar(self) -> ProgressBar | None:
        """The bar of the work under way, else the last one; None before the first."""
        return next(reversed(self._open_bars), self._last_bar)

    def interrupt(self, reason: str) -> None:
        """End the work as Ctrl-C does, from another thread."""
        _log.warning("this job ends: %s", reason)
        if self._can_interrupt:
            os.kill(os.getpid(), signal.SIGTERM)

    @property
    def was_cancelled(self) -> bool:
        """Whether its record asked it to end."""
        return self._heart is not None and self._heart.was_cancelled

    @property
    def beat_cpu_s(self) -> float:
        """Seconds of CPU that keeping the record took so far."""
        return 0.0 if self._heart is None else self._heart.cpu_s

    def __enter__(self) -> Self:
        """Begin to beat."""
        if self._heart is not None:
            self._heart.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Write how the job ended; what it raised goes on its way."""
        if self._heart is None or self._ticket is None:
            return
        if self._can_interrupt:
            # The work is over: what is left is to say so, which is quick.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._heart.stop()
        state, cause = self._outcome(error)
        try:
            self._end(self._ticket, state, cause)
        except StreetClipError as second:
            _log.warning("how this job ended could not be recorded: %s", second)

    def _close_bar(self, bar: ProgressBar) -> None:
        if bar in self._open_bars:
            self._open_bars.remove(bar)
            self._last_bar = bar

    def _end(self, ticket: "JobTicket", state: "JobState", cause: str | None) -> None:
        from streetclip import runtime, store

        with store.open_store(self._db) as opened:
            read = None if self.bar is None else self.bar.read()
            runtime.beat_job(opened, ticket.job_id, ticket.attempt, read)
            runtime.end_job(
                opened, ticket.job_id, ticket.attempt, state, error=cause, outputs=self._outputs
            )

    def _outcome(self, error: BaseException | None) -> "tuple[JobState, str | None]":
        if error is None:
            return "done", None
        if isinstance(error, KeyboardInterrupt):
            return ("cancelled" if self.was_cancelled else "interrupted"), None
        return "failed", one_line(error)


def one_line(error: BaseException) -> str:
    """The cause of a failure in one line.

    Examples:
        >>> one_line(ZeroDivisionError("division by zero"))
        'ZeroDivisionError: division by zero'
    """
    text = str(error) if isinstance(error, StreetClipError) else _named(error)
    line = next((each for each in text.splitlines() if each.strip()), type(error).__name__)
    return line if len(line) <= _LONGEST_ERROR else line[: _LONGEST_ERROR - 1] + "…"


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


@contextlib.contextmanager
def recorded(config: JobConfig) -> Iterator[Job]:
    """Run a job with its record: found again or made, kept, and closed.

    Raises:
        OutputError: Another job writes into the same output folder.
        StoreError: The record that the runner named is not there to be taken over.
        ConfigError: The environment names a record as no runner does.
        KeyboardInterrupt: The job was interrupted or cancelled; as it came from the job.
    """
    named = os.environ.pop(JOB_VARIABLE, None)
    ticket = _register(config) if named is None else _attach(config, named)
    with contextlib.ExitStack() as stack:
        if ticket is not None and named is None:
            stack.enter_context(copied_to(ticket.log_path))
        can_interrupt = stack.enter_context(_terminations_interrupt())
        job = Job(config.db, ticket, queued=named is not None, can_interrupt=can_interrupt)
        yield stack.enter_context(job)


@contextlib.contextmanager
def recorded_once(config: JobConfig) -> Iterator[Job]:
    """Run a job with its record; of several processes that torchrun starts, the first keeps it.

    The others only say what is wrong.

    Raises:
        Exception: As `recorded`.
    """
    if Ranks.from_environment(os.environ).is_first:
        with recorded(config) as job:
            yield job
        return
    logging.getLogger().setLevel(logging.WARNING)
    with _terminations_interrupt():
        yield Job(config.db, None)


def _attach(config: JobConfig, named: str) -> "JobTicket":
    from streetclip import runtime, store

    job_id, _, attempt = named.partition(":")
    if not (job_id.isdecimal() and attempt.isdecimal()):
        msg = f"{JOB_VARIABLE} is {shown(named)}; expected ID:ATTEMPT. Unset it."
        raise ConfigError(msg)
    with store.open_store(config.db) as opened:
        return runtime.attach_job(opened, int(job_id), current_process(), attempt=int(attempt))


def _register(config: JobConfig) -> "JobTicket | None":
    from streetclip import runtime, store

    folder: Path | None = getattr(config, "output_dir", None)
    spec = runtime.JobSpec(
        kind=config.kind,
        name=getattr(config, "run_name", None) or "",
        arguments=to_arguments(config),
        parameters=config.to_dict(),
        output_dir=None if folder is None else folder.resolve(),
        cwd=Path.cwd(),
    )
    try:
        with store.open_store(config.db) as opened:
            resume = bool(getattr(config, "resume", False))
            return runtime.register_job(opened, spec, current_process(), resume=resume)
    except OutputError:
        raise
    except (StoreError, ResourceError) as error:
        # Whoever needs the store will say so himself; to check a CSV one needs none.
        _log.warning("no record of this job is kept: %s", error)
        return None


class _Heart(threading.Thread):
    """Writes the record and reads its orders, from a connection of its own."""

    def __init__(self, db: Path, ticket: "JobTicket", job: Job) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.was_cancelled = False
        self.cpu_s = 0.0
        self._db, self._ticket, self._job = db, ticket, job
        self._stopped = threading.Event()
        self._has_interrupted = False
        self._warned = False

    def stop(self) -> None:
        """Beat no more; returns when the last beat is over."""
        self._stopped.set()
        self.join()

    def run(self) -> None:
        """Beat until stopped."""
        from streetclip import store

        while not self._stopped.is_set():
            try:
                with store.open_store(self._db) as opened:
                    self._beat(opened)
            except StreetClipError as error:
                if not self._warned:
                    _log.warning("the record of this job could not be written: %s", error)
                self._warned = True
                self._stopped.wait(BEAT_S)

    def _beat(self, opened: Any) -> None:
        from streetclip import runtime

        number, attempt = self._ticket.job_id, self._ticket.attempt
        while not self._stopped.wait(BEAT_S):
            began = time.thread_time()
            bar = self._job.bar
            read = None if bar is None else bar.read()
            orders = runtime.beat_job(opened, number, attempt, read)
            self.cpu_s += time.thread_time() - began
            if not orders.is_ours:
                self._interrupt("its record was taken over or ended by somebody else")
            elif orders.cancel:
                self.was_cancelled = True
                self._interrupt("cancelled")

    def _interrupt(self, reason: str) -> None:
        if not self._has_interrupted:
            self._has_interrupted = True
            self._job.interrupt(reason)


@contextlib.contextmanager
def _terminations_interrupt() -> Iterator[bool]:
    """Let TERM, as from a batch system that needs the machine, end a job as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield False
        return
    after = signal.signal(signal.SIGTERM, raise_interrupt)
    try:
        yield True
    except KeyboardInterrupt:
        after = signal.SIG_IGN  # this process ends now, with an exit code that says why
        raise
    finally:
        signal.signal(signal.SIGTERM, after)
