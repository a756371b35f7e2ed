"""Define the values that go into a job's record and come out of it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from streetclip.errors import ConfigError, OutputError, shown

JobState = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]

JOB_STATES: tuple[JobState, ...] = get_args(JobState)
"""States of a job; the last four are final."""

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
        name: Name to show; need not be unique.
        arguments: Its command line after the program, as a list: never shell text.
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
        """Raise ConfigError or ValueError for what no process can be started with."""
        if not self.kind.isidentifier():  # it becomes part of a file's name
            msg = f"kind is {shown(self.kind)}; expected a name as of jobs/NAME.py"
            raise ValueError(msg)
        check_arguments(self.arguments)


@dataclass(frozen=True)
class JobTicket:
    """The right to run one attempt of a job, from 1; every further write names it.

    `log_path` takes stdout and stderr; its folder may be missing.
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
        rate: Units per second; None while unknown.
        numbers: Further values to show, by name; one that is not finite is stored as missing.
    """

    task: str
    unit: str
    done: int
    total: int
    rate: float | None
    numbers: dict[str, float] = field(default_factory=dict)


class JobOrders(NamedTuple):
    """What a job learns from its record: whether the user asked it to end.

    `is_ours` is False if another attempt has taken the record over: this one must stop.
    """

    is_ours: bool
    cancel: bool


def check_arguments(arguments: Iterable[str]) -> None:
    """Raise ConfigError for an argument with a NUL: no process can be started with it."""
    for argument in arguments:
        if "\0" in argument:
            msg = f"argument {shown(argument)} holds a NUL; expected text without. Remove it."
            raise ConfigError(msg)


def resolved(what: str, path: Path) -> str:
    """Return a path as the store keeps it: absolute, its links resolved.

    Raises OutputError, naming it `what`, if it is not Unicode or holds a NUL.
    """
    text = str(path)
    if "\0" not in text:
        text = os.path.realpath(text)  # unlike Path.resolve, also a link that leads to itself
        # Names are bytes: those that are not UTF-8 arrive as halves of surrogate pairs.
        if not any("\ud800" <= character <= "\udfff" for character in text):
            return text
    msg = (
        f"{what} {shown(text)}: the name is not Unicode, or holds a NUL; the store cannot keep it. "
        "Name another."
    )
    raise OutputError(msg)
