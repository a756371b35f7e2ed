"""Read jobs: one record, a page of them, and what they made."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from streetclip.errors import StoreError
from streetclip.runtime.job_specs import RUNNER_KIND, JobState
from streetclip.store.connection import Store

_JSON_COLUMNS = ("arguments", "parameters", "numbers", "outputs")
_DTYPES = {
    "id": "int64",
    "attempt": "int64",
    "pid": "Int64",
    "process_started_at": "float64",
    "done": "int64",
    "total": "int64",
    "rate": "float64",
}


def get_job(store: Store, job_id: int) -> dict[str, Any]:
    """Read a job: the columns of `jobs`, with arguments, parameters, numbers and outputs decoded.

    Raises StoreError if the job does not exist.
    """
    require_state(store, job_id)
    found = store.frame("SELECT * FROM jobs WHERE id = ?", (job_id,), dtype=object)
    job = {str(name): value for name, value in found.iloc[0].items()}
    return job | {name: json.loads(job[name]) for name in _JSON_COLUMNS}


def require_state(store: Store, job_id: int) -> JobState:
    """Read the state of a job; raise StoreError if it does not exist."""
    found = store.rows("SELECT state FROM jobs WHERE id = ?", (job_id,))
    if not found:
        msg = f"{store.path}: has no job {job_id}. Choose one of those that it lists."
        raise StoreError(msg)
    state: JobState = found[0][0]
    return state


def list_jobs(
    store: Store,
    *,
    kinds: Sequence[str] = (),
    states: Sequence[str] = (),
    limit: int = 100,
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
        found[name] = pd.Series([json.loads(text) for text in found[name]], dtype=object)
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
