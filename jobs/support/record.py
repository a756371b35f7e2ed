"""Keep a job's record in the store: sign of life, progress, outcome.

A thread writes the numbers every two seconds and checks for a cancellation.
"""

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

from jobs.support.bars import ProgressBar
from jobs.support.logs import copied_to
from streetclip.config import JobConfig
from streetclip.config.arguments import to_arguments
from streetclip.errors import ConfigError, ResourceError, StoreError, StreetClipError, shown
from streetclip.files import file_id, is_moved, locked_folder
from streetclip.launch_env import Ranks
from streetclip.process_identity import current_process, raise_interrupt

if TYPE_CHECKING:
    from streetclip.runtime import JobTicket
    from streetclip.store import Store

_LOG = logging.getLogger(__name__)

JOB_VARIABLE = "STREETCLIP_JOB"
"""Environment variable in which the runner names the record to take over, as ID:ATTEMPT."""

BEAT_S = 2.0
_SHARED_KINDS = ("train", "evaluate")  # jobs that several processes of a launcher may share
_LONGEST_ERROR = 500  # characters
_WHILE_RUNNING = "while this job was running"


class Job:
    """The job of this process, with its record, if any.

    `bar` is that of the current work, else the last one; `queued` if the runner started it.
    """

    def __init__(
        self, db: Path, ticket: "JobTicket | None", *, queued: bool = False, advice: str = ""
    ) -> None:
        """Keep the record of `ticket`; `advice` is for a store that is lost meanwhile."""
        self.id = None if ticket is None else ticket.job_id
        self.queued = queued
        self.bar: ProgressBar | None = None
        self._db, self._ticket, self._advice = db, ticket, advice
        self._store_id = None if ticket is None else file_id(db)
        self._outputs: list[str] = []
        self._open_bars: list[ProgressBar] = []
        self._beats = threading.Thread(target=self._keep_beating, name="heartbeat", daemon=True)
        self._stopped = threading.Event()
        self._was_interrupted = self._was_cancelled = False

    @contextlib.contextmanager
    def progress(self, description: str, unit: str) -> Iterator[ProgressBar]:
        """Show the progress of the next work, or of a part of the current."""
        is_part = bool(self._open_bars)
        self.bar = bar = ProgressBar(description, unit, visible=not self.queued, passing=is_part)
        self._open_bars.append(bar)
        try:
            yield bar
        finally:
            bar.close()
            self._open_bars.remove(bar)
            self.bar = next(reversed(self._open_bars), bar)

    def add_output(self, path: Path) -> None:
        """Record a file or folder that the job has written."""
        self._outputs.append(str(path.absolute()))

    def __enter__(self) -> Self:
        if self._ticket is not None:
            self._beats.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._ticket is None:
            return
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the work is over; recording it is quick
        self._stopped.set()
        self._beats.join()
        if self._is_store_lost:
            if error is None or isinstance(error, (KeyboardInterrupt, StoreError, ResourceError)):
                msg = f"{self._db}: was deleted, moved or replaced {_WHILE_RUNNING}. {self._advice}"
                raise ResourceError(msg) from error
            return
        try:
            self._record_end(self._ticket, error)
        except StreetClipError as second:
            _LOG.warning("how this job ended could not be recorded: %s", second)

    @property
    def _is_store_lost(self) -> bool:
        return is_moved(self._db, self._store_id)

    def _record_end(self, ticket: "JobTicket", error: BaseException | None) -> None:
        from streetclip import runtime, store

        state: runtime.JobState = "failed"
        if error is None:
            state = "done"
        elif isinstance(error, KeyboardInterrupt):
            state = "cancelled" if self._was_cancelled else "interrupted"
        cause = one_line(error) if error is not None and state == "failed" else None
        with store.open_store(self._db, must_exist=True) as opened:
            read = None if self.bar is None else self.bar.read()
            runtime.beat_job(opened, ticket.job_id, ticket.attempt, read)
            runtime.end_job(
                opened, ticket.job_id, ticket.attempt, state, error=cause, outputs=self._outputs
            )

    def _keep_beating(self) -> None:
        from streetclip import store

        has_warned = False
        while not (self._stopped.is_set() or self._is_store_lost):
            try:
                with store.open_store(self._db, must_exist=True) as opened:
                    self._beat(opened)
            except StreetClipError as error:
                if not has_warned:
                    _LOG.warning("the record of this job could not be written: %s", error)
                has_warned = True
                self._stopped.wait(BEAT_S)
        if not self._stopped.is_set():
            self._interrupt(f"its store was deleted, moved or replaced {_WHILE_RUNNING}")

    def _beat(self, opened: "Store") -> None:
        from streetclip import runtime

        assert self._ticket is not None
        while not (self._stopped.wait(BEAT_S) or self._is_store_lost):
            read = None if self.bar is None else self.bar.read()
            orders = runtime.beat_job(opened, self._ticket.job_id, self._ticket.attempt, read)
            if orders.is_ours and not orders.cancel:
                continue
            if not orders.is_ours and self._is_store_lost:
                return  # another file has taken its place since
            self._was_cancelled |= orders.is_ours
            self._interrupt("cancelled" if orders.is_ours else "its record was taken over or ended")

    def _interrupt(self, reason: str) -> None:
        """Let the main thread save and end, once."""
        if not self._was_interrupted:
            self._was_interrupted = True
            _LOG.warning("this job ends: %s", reason)
            os.kill(os.getpid(), signal.SIGTERM)


def one_line(error: BaseException) -> str:
    """Return the cause of a failure in one line, as "ZeroDivisionError: division by zero"."""
    name, text = type(error).__name__, str(error)
    if text and not isinstance(error, StreetClipError):
        text = f"{name}: {text}"
    line = next((each for each in text.splitlines() if each.strip()), name)
    return line if len(line) <= _LONGEST_ERROR else line[: _LONGEST_ERROR - 1] + "…"


def is_helper(kind: str) -> bool:
    """Return whether another process of this job keeps its record."""
    return kind in _SHARED_KINDS and not Ranks.from_environment(os.environ).is_first


@contextlib.contextmanager
def recorded(config: JobConfig) -> Iterator[Job]:
    """Run a job with its record: found or made, kept, and closed.

    Of several processes that a launcher starts, the first keeps it; the others log only warnings.
    Raises OutputError if another job, of any store, writes into the same output folder.
    """
    with contextlib.ExitStack() as stack:
        if is_helper(config.kind):
            logging.getLogger().setLevel(logging.WARNING)
        if is_helper(config.kind) or not config.is_recorded:
            stack.enter_context(_term_interrupts())
            yield Job(config.db, None)
            return
        named = os.environ.pop(JOB_VARIABLE, None)
        ticket = _register(config) if named is None else _attach(config, named)
        if ticket is not None and named is None:
            stack.enter_context(copied_to(ticket.log_path))
        stack.enter_context(_term_interrupts())
        queued, advice = named is not None, _how_to_bring_in(config)
        job = stack.enter_context(Job(config.db, ticket, queued=queued, advice=advice))
        folder: Path | None = getattr(config, "output_dir", None)
        if folder is not None:
            process, db = current_process(), config.db.absolute()
            holder = f"{config.kind}, process {process.pid} on {shown(process.host)}"
            stack.enter_context(locked_folder(folder, f"{holder}, with the store {db}"))
        yield job


def _how_to_bring_in(config: JobConfig) -> str:
    """Advise how what a job wrote gets into a store, after its own was lost."""
    if hasattr(config, "resume"):
        return (
            f"What it finished is kept in {getattr(config, 'output_dir', '')}; run it again with "
            "--resume, and with --db if the store shall lie elsewhere, to bring it in."
        )
    return "Run it again, with --db if the store shall lie elsewhere."


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

    spec = runtime.JobSpec(
        kind=config.kind,
        name=getattr(config, "run_name", None) or "",
        arguments=to_arguments(config),
        parameters=config.to_dict(),
        output_dir=getattr(config, "output_dir", None),
        cwd=Path.cwd(),
    )
    try:
        with store.open_store(config.db) as opened:
            resume = bool(getattr(config, "resume", False))
            return runtime.register_job(opened, spec, current_process(), resume=resume)
    except (StoreError, ResourceError) as error:
        if config.kind in _SHARED_KINDS and isinstance(error, StoreError):
            raise  # they write into the store; checking a CSV needs none
        _LOG.warning("no record of this job is kept: %s", error)
        return None


@contextlib.contextmanager
def _term_interrupts() -> Iterator[None]:
    """Let TERM end a job like Ctrl-C."""
    after = signal.signal(signal.SIGTERM, raise_interrupt)
    try:
        yield
    except KeyboardInterrupt:
        after = signal.SIG_IGN  # this process ends now, with an exit code that says why
        raise
    finally:
        signal.signal(signal.SIGTERM, after)
