"""What is read of jobs: one record, a page of them, what is going on."""

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
    """One job: the columns of `jobs`, with arguments, parameters, numbers and outputs decoded.

    Raises:
        StoreError: There is no such job.
    """
    found = store.frame("SELECT * FROM jobs WHERE id = ?", (job_id,), dtype=object)
    if found.empty:
        raise _no_job(store, job_id)
    job = {str(name): value for name, value in found.iloc[0].items()}
    return job | {name: json.loads(job[name]) for name in _JSON_COLUMNS}


def require_state(store: Store, job_id: int) -> JobState:
    """The state of a job that must be there.

    Raises:
        StoreError: There is no such job.
    """
    found = store.rows("SELECT state FROM jobs WHERE id = ?", (job_id,))
    if not found:
        raise _no_job(store, job_id)
    state: JobState = found[0][0]
    return state


def list_jobs(
    store: Store,
    *,
    kinds: Sequence[str] = (),
    states: Sequence[str] = (),
    limit: int = 100,
    before: int | None = None,
) -> pd.DataFrame:
    """A page of jobs, the newest first.

    Args:
        store: The store.
        kinds: Only of these kinds; none: of all but run_queue.
        states: Only in these states; none: in all.
        limit: The most rows.
        before: Only jobs with a smaller id: the last of the page before.

    Returns:
        A frame with the columns of `jobs`, as `get_job` gives them; pid is missing and rate NaN
        where there is none.
    """
    conditions = [_one_of("kind", kinds) if kinds else "kind <> ?"]
    values: list[Any] = [*(kinds or (RUNNER_KIND,))]
    if states:
        conditions.append(_one_of("state", states))
        values += states
    if before is not None:
        conditions.append("id < ?")
        values.append(before)
    frame = store.frame(
        f"SELECT * FROM jobs WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?",  # noqa: S608 -- our own names
        (*values, max(limit, 0)),
        dtype=object,
    )
    for name in _JSON_COLUMNS:
        frame[name] = pd.Series([json.loads(text) for text in frame[name]], dtype=object)
    return frame.astype(_DTYPES)


def has_live_jobs(store: Store) -> bool:
    """Whether any job is queued or running, as its record says; runners do not count."""
    found = store.rows(
        "SELECT EXISTS (SELECT 1 FROM jobs WHERE state IN ('queued', 'running') AND kind <> ?)",
        (RUNNER_KIND,),
    )
    return bool(found[0][0])


def runs_of_job(store: Store, job_id: int) -> list[int]:
    """Ids of the runs that a job made or went on with, oldest first."""
    found = store.rows("SELECT id FROM runs WHERE job_id = ? ORDER BY id", (job_id,))
    return [row[0] for row in found]


def trainings_of_job(store: Store, job_id: int) -> list[int]:
    """Ids of the trainings that a job made or went on with, oldest first."""
    found = store.rows("SELECT id FROM trainings WHERE job_id = ? ORDER BY id", (job_id,))
    return [row[0] for row in found]


def _no_job(store: Store, job_id: int) -> StoreError:
    return StoreError(f"{store.path}: has no job {job_id}. Choose one of those that it lists.")


def _one_of(column: str, values: Sequence[str]) -> str:
    return f"{column} IN ({', '.join('?' * len(values))})"
