"""Detect dead jobs and mark them, their runs and trainings interrupted."""

import logging
import time
from typing import NamedTuple

from streetclip import process_identity
from streetclip.errors import shown
from streetclip.process_identity import ProcessId
from streetclip.runtime.job_records import RUNNER_KIND, STALE_AFTER_S
from streetclip.store.connection import Store, utc_now
from streetclip.store.runs import RunState

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.5
# When this process first saw a job's latest sign of life, by store and job, on its own clock: those
# of two machines may differ.
_first_seen: dict[tuple[str, int], tuple[tuple[int, str], float]] = {}


class _Running(NamedTuple):
    """A running job as it was read, to be changed only if it is still the same."""

    id: int
    attempt: int
    host: str
    pid: int
    process_started_at: float
    process_boot_id: str | None
    heartbeat_at: str | None
    started_at: str
    kind: str
    output_dir: str

    @property
    def process(self) -> ProcessId:
        started_at, boot_id = self.process_started_at, self.process_boot_id
        return ProcessId(self.host, self.pid, started_at, boot_id or "")

    @property
    def last_sign(self) -> str:
        return self.heartbeat_at or self.started_at


def find_dead_jobs(store: Store) -> list[int]:
    """List the ids of the running jobs whose process is gone; change nothing.

    A job on another machine is dead once this process has watched it for more than `STALE_AFTER_S`
    seconds without a new sign of life: the first look never finds one dead. A process that lives on
    this machine is never dead, however long it is silent: the machine may have slept.
    """
    return [job.id for job, _ in _dead_jobs(store)]


def interrupt_dead_jobs(store: Store) -> list[int]:
    """Mark dead jobs, and their running runs and trainings, as interrupted; return their ids.

    A dead job that was asked to end becomes cancelled. The end of a job is its last sign of life.
    """
    dead = _dead_jobs(store)
    if not dead:
        return []
    interrupted = []
    with store.transaction():
        for job, error in dead:
            # Since it was read it may have been attached, have reported, ended or been resumed.
            found = store.rows(
                "UPDATE jobs SET ended_at = ?, error = ?, updated_at = ?, state = CASE WHEN "
                "cancel_requested_at IS NULL THEN 'interrupted' ELSE 'cancelled' END WHERE id = ? "
                "AND attempt = ? AND state = 'running' AND heartbeat_at IS ? RETURNING id",
                (job.last_sign, error, utc_now(), job.id, job.attempt, job.heartbeat_at),
            )
            if found:
                set_state_of_work(store, job.id, "interrupted", error)
                interrupted.append(job.id)
    return interrupted


def live_runner(store: Store) -> bool:
    """Return whether a process that starts queued jobs is alive, on any machine."""
    return any(
        job.kind == RUNNER_KIND and _cause_of_death(store, job) is None
        for job in _running_jobs(store)
    )


def await_sign_of_life(store: Store, folder: str) -> None:
    """Watch a job that holds a folder until it lives or is dead.

    Only a job on another machine is watched, for at most `STALE_AFTER_S` seconds.
    """

    def holder() -> _Running | None:
        found = (job for job in _running_jobs(store) if job.output_dir == folder != "")
        return next((job for job in found if process_identity.is_alive(job.process) is None), None)

    first = holder()
    if first is not None:
        message = "waiting up to %.0f s for a sign of life of job %d on %s"
        _LOG.info(message, STALE_AFTER_S, first.id, shown(first.host))
    while first is not None and holder() == first and _cause_of_death(store, first) is None:
        time.sleep(_LOOK_S)


def set_state_of_work(store: Store, job_id: int, state: RunState, error: str | None) -> None:
    """Set the state of the running runs and trainings of a job; call it in a transaction."""
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
    causes = [(job, _cause_of_death(store, job)) for job in _running_jobs(store)]
    return [(job, cause) for job, cause in causes if cause is not None]


def _cause_of_death(store: Store, job: _Running) -> str | None:
    """Explain how a dead job ended; None if it may be alive."""
    is_alive = process_identity.is_alive(job.process)
    where = f"process {job.pid} on {shown(job.host)}"
    if is_alive is False:
        return (
            f"{where} ended without an error message; its last sign of life was at "
            f"{job.last_sign}. It was killed, or the machine was restarted. What it finished is "
            "kept: resume it."
        )
    if is_alive is None and _silent_s(store, job) > STALE_AFTER_S:
        return (
            f"{where} gave no sign of life after {job.last_sign}, for more than "
            f"{STALE_AFTER_S:.0f} s. Check whether it is alive there; if not, resume it."
        )
    return None


def _silent_s(store: Store, job: _Running) -> float:
    """Measure for how long this process has seen the same sign of life."""
    key, sign = (str(store.path.absolute()), job.id), (job.attempt, job.last_sign)
    if _first_seen.get(key, (None, 0.0))[0] != sign:
        _first_seen[key] = sign, time.monotonic()
    return time.monotonic() - _first_seen[key][1]
