"""Jobs that ended without a word: who looks next says so, also of their runs and trainings."""

from datetime import datetime, timedelta
from typing import NamedTuple

from streetclip import process_identity
from streetclip.errors import shown
from streetclip.process_identity import ProcessId
from streetclip.runtime.job_specs import RUNNER_KIND, STALE_AFTER_S
from streetclip.store.connection import Store, utc_now
from streetclip.store.runs import RunState


class _Running(NamedTuple):
    """A running job as it was read, to be changed only if it still is so."""

    id: int
    attempt: int
    host: str
    pid: int
    process_started_at: float
    heartbeat_at: str | None
    started_at: str
    kind: str

    @property
    def last_sign(self) -> str:
        return self.heartbeat_at or self.started_at


def find_dead_jobs(store: Store) -> list[int]:
    """Ids of the running jobs whose process is gone; changes nothing.

    A process on another machine cannot be looked for: its job is dead once it has been silent for
    more than `STALE_AFTER_S` seconds. One that lives on this machine is never dead, however long
    it is silent: it may have been put to sleep with the machine.
    """
    return [job.id for job, _ in _dead_jobs(store)]


def interrupt_dead_jobs(store: Store) -> list[int]:
    """Make dead jobs, and their running runs and trainings, interrupted.

    A job that was asked to end, and was ended before it could say so, is cancelled.

    Returns:
        Ids of the jobs; `find_dead_jobs` says which are dead. They ended at their last sign of
        life, and their error says what is known.

    Raises:
        ResourceError: The disk is full, or another job holds the store for too long.
    """
    dead = _dead_jobs(store)
    if not dead:
        return []
    with store.transaction():
        return [job.id for job, error in dead if _interrupt(store, job, error)]


def live_runner(store: Store) -> bool:
    """Whether a process lives that starts queued jobs; on another machine, one not yet silent."""
    return any(
        job.kind == RUNNER_KIND and _cause_of_death(job, utc_now()) is None
        for job in _running_jobs(store)
    )


def set_state_of_work(store: Store, job_id: int, state: RunState, error: str | None) -> None:
    """Say of the runs and trainings of a job that still run how they stand; in a transaction."""
    now = utc_now()
    for table in ("runs", "trainings"):
        store.rows(
            f"UPDATE {table} SET state = ?, error = ?, updated_at = ? "  # noqa: S608 -- our own names
            "WHERE job_id = ? AND state = 'running'",
            (state, error, now, job_id),
        )


def _running_jobs(store: Store) -> list[_Running]:
    columns = ", ".join(_Running._fields)
    sql = f"SELECT {columns} FROM jobs WHERE state = 'running' ORDER BY id"  # noqa: S608 -- our own names
    return [_Running(*row) for row in store.rows(sql)]


def _dead_jobs(store: Store) -> list[tuple[_Running, str]]:
    found = []
    for job in _running_jobs(store):
        error = _cause_of_death(job, utc_now())
        if error is not None:
            found.append((job, error))
    return found


def _cause_of_death(job: _Running, now: str) -> str | None:
    """What is known of a dead job's end; None if it may well live."""
    process = ProcessId(job.host, job.pid, job.process_started_at)
    is_alive = process_identity.is_alive(process)
    where = f"process {job.pid} on {shown(job.host)}"
    if is_alive is False:
        return (
            f"{where} ended without saying why; its last sign of life was at {job.last_sign}. It "
            "was killed, or the machine was restarted. What it finished is kept: resume it."
        )
    if is_alive is None and _is_stale(job.last_sign, now):
        return (
            f"{where} gave no sign of life after {job.last_sign}, for more than "
            f"{STALE_AFTER_S:.0f} s. See there whether it lives; if not, resume it."
        )
    return None


def _is_stale(last_sign: str, now: str) -> bool:
    silent = datetime.fromisoformat(now) - datetime.fromisoformat(last_sign)
    return silent > timedelta(seconds=STALE_AFTER_S)


def _interrupt(store: Store, job: _Running, error: str) -> bool:
    # Since it was read it may have been attached, have beaten, ended or been resumed.
    found = store.rows(
        "UPDATE jobs SET ended_at = ?, error = ?, updated_at = ?, state = "
        "CASE WHEN cancel_requested_at IS NULL THEN 'interrupted' ELSE 'cancelled' END "
        "WHERE id = ? AND attempt = ? AND state = 'running' AND heartbeat_at IS ? RETURNING id",
        (job.last_sign, error, utc_now(), job.id, job.attempt, job.heartbeat_at),
    )
    if found:
        set_state_of_work(store, job.id, "interrupted", error)
    return bool(found)
