"""Define the values of a job's record, and read records."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import pandas as pd

from streetclip.errors import ConfigError, OutputError, shown
from streetclip.process_identity import ProcessId
from streetclip.runtime.signatures import signed_here
from streetclip.store.connection import Store, from_json

JobState = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]

JOB_STATES: tuple[JobState, ...] = get_args(JobState)
"""States of a job; the last four are final."""

ENDED_STATES = JOB_STATES[2:]

RUNNER_KIND = "run_queue"
"""Kind of the job that starts queued ones; hidden from lists, and not counted as running."""

STALE_AFTER_S = 30.0
"""A job on another machine that is seen to be silent for longer counts as dead."""

_JSON_COLUMNS: dict[str, type[Any]] = {
    "arguments": list,
    "parameters": dict,
    "numbers": dict,
    "outputs": list,
}
_DTYPES = {
    **dict.fromkeys(("id", "attempt", "done", "total"), "int64"),
    **dict.fromkeys(("process_started_at", "rate"), "float64"),
    "pid": "Int64",
}


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """What a job is asked to do.

    `kind` is the name of its program in jobs/, without the suffix, `arguments` its command line
    after it. `output_dir`, None if it writes no folder, is relative to the working folder `cwd`.
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
    """How far a job is with its present task, as "training", counted in units, as "step".

    `rate` is in units per second, None while unknown; `numbers` are further values to show.
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


def get_job(store: Store, job_id: int) -> dict[str, Any]:
    """Read a job: the columns of `jobs`, with arguments, parameters, numbers and outputs decoded.

    `runs_here` is True if it is queued or running, and by this installation. Raises StoreError if
    the job does not exist or its JSON is damaged.
    """
    store.require("jobs", job_id)
    found = store.frame("SELECT * FROM jobs WHERE id = ?", (job_id,), dtype=object)
    job = {str(name): value for name, value in found.iloc[0].items()}
    decoded = {name: decode(store, job_id, name, job[name]) for name in _JSON_COLUMNS}
    return job | decoded | {"runs_here": job_id in signed_here(store)}


def decode(store: Store, job_id: int, name: str, text: str) -> Any:
    """Parse a JSON column of a job: an object, or a list of texts.

    Raises StoreError for anything else: the store may come from elsewhere.
    """
    value = from_json(text, _JSON_COLUMNS[name], f"{store.path}: {name} of job {job_id}")
    return list(map(str, value)) if isinstance(value, list) else value


def process_of(job: Mapping[Any, Any]) -> ProcessId:
    """Return the process of a started job, as read by `get_job`."""
    boot_id = job["process_boot_id"] or ""
    return ProcessId(job["host"], int(job["pid"]), job["process_started_at"], boot_id)


def list_jobs(
    store: Store, *, kinds: Sequence[str] = (), states: Sequence[str] = (), limit: int = 100
) -> pd.DataFrame:
    """Read the newest jobs as a frame with the columns of `get_job`, the newest first.

    Without `kinds` all but run_queue are listed, without `states` all. Missing numbers are NA or
    NaN.
    """
    conditions, values = ["kind <> ?"], [RUNNER_KIND]
    if kinds:
        conditions, values = [f"kind IN ({_marks(kinds)})"], [*kinds]
    if states:
        conditions.append(f"state IN ({_marks(states)})")
        values += states
    found = store.frame(
        f"SELECT * FROM jobs WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?",  # noqa: S608 -- our own names
        (*values, max(limit, 0)),
        dtype=object,
    )
    for name in _JSON_COLUMNS:
        texts = zip(found["id"], found[name], strict=True)
        values = [decode(store, job_id, name, text) for job_id, text in texts]
        found[name] = pd.Series(values, dtype=object)
    found["runs_here"] = found["id"].isin(signed_here(store))
    return found.astype(_DTYPES)


def runs_of_job(store: Store, job_id: int) -> list[int]:
    """List the ids of the runs that a job made or resumed, oldest first."""
    found = store.rows("SELECT id FROM runs WHERE job_id = ? ORDER BY id", (job_id,))
    return [row[0] for row in found]


def trainings_of_job(store: Store, job_id: int) -> list[int]:
    """List the ids of the trainings that a job made or resumed, oldest first."""
    found = store.rows("SELECT id FROM trainings WHERE job_id = ? ORDER BY id", (job_id,))
    return [row[0] for row in found]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
