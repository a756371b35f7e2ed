"""What goes into a job's record and what comes out of it, as values."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from streetclip.errors import OutputError, shown

JobState = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]

JOB_STATES: tuple[JobState, ...] = get_args(JobState)
"""How a job may stand; the last four are ends."""

ENDED_STATES = JOB_STATES[2:]

RUNNER_KIND = "run_queue"
"""Kind of the job that starts queued ones; hidden from lists, and not counted as running."""

STALE_AFTER_S = 30.0
"""A job on another machine that has been silent for longer counts as dead."""


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """What a job is asked to do.

    Attributes:
        kind: Name of its program in jobs/, without the suffix.
        name: What to call it; need not be unique.
        arguments: Its command line after the program, as a list: never shell text.
        parameters: `JobConfig.to_dict()`.
        output_dir: Folder that it writes, relative to `cwd`; None if it writes none.
        cwd: The working folder that its paths are relative to.
    """

    kind: str
    name: str = ""
    arguments: tuple[str, ...]
    parameters: dict[str, Any]
    output_dir: Path | None
    cwd: Path

    def __post_init__(self) -> None:
        """Refuse what no record can hold or no process can be started with.

        Raises:
            OutputError: A folder's name is not Unicode, or a NUL stands in it or an argument.
        """
        _check_folder("working folder", self.cwd)
        if self.output_dir is not None:
            _check_folder("--output_dir", self.output_dir)
        for argument in self.arguments:
            if "\0" in argument:
                msg = f"argument {shown(argument)} holds a NUL; expected text without. Remove it."
                raise OutputError(msg)


@dataclass(frozen=True)
class JobTicket:
    """The right to run one attempt of a job.

    Attributes:
        job_id: The job.
        attempt: Which attempt, from 1; every further write names it.
        kind: Name of its program.
        arguments: Its command line after the program.
        cwd: Where to start it.
        log_path: File that its stdout and stderr are appended to, in a folder that may be missing.
    """

    job_id: int
    attempt: int
    kind: str
    arguments: tuple[str, ...]
    cwd: Path
    log_path: Path


@dataclass(frozen=True)
class JobProgress:
    """How far a job is.

    Attributes:
        task: What it does now, as "training".
        unit: What one unit of the task is, as "step".
        done: Units done.
        total: Units of the whole task.
        rate: Units a second; None while unknown.
        numbers: Values to show beside it, by name; one that is not finite is kept as missing.
    """

    task: str
    unit: str
    done: int
    total: int
    rate: float | None
    numbers: dict[str, float] = field(default_factory=dict)


class JobOrders(NamedTuple):
    """What a job learns from its record.

    Attributes:
        is_ours: False: the record was taken from this attempt, which must stop.
        cancel: Somebody asked it to end.
    """

    is_ours: bool
    cancel: bool


def _check_folder(what: str, folder: Path) -> None:
    text = str(folder)
    if "\0" in text or not _is_unicode(text):
        msg = (
            f"{what} {shown(text)} is no Unicode text without NUL, which the store cannot keep. "
            "Name another folder."
        )
        raise OutputError(msg)


def _is_unicode(text: str) -> bool:
    # The system's names are bytes: those that are not UTF-8 arrive as halves of surrogate pairs.
    return not any("\ud800" <= character <= "\udfff" for character in text)
