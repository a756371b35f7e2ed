"""Move jobs through their states: queued, running, then done, failed, cancelled or interrupted.

A record belongs to one process and one attempt at a time. Each write names its attempt, so that a
process whose record was taken over changes nothing and stops. Each function that writes raises
ResourceError where the disk is full or another job holds the store for too long.
"""

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from streetclip.errors import OutputError, StoreError, StreetClipError, shown
from streetclip.process_identity import ProcessId
from streetclip.runtime.dead_jobs import await_sign_of_life, interrupt_dead_jobs, set_state_of_work
from streetclip.runtime.job_records import (
    ENDED_STATES,
    RUNNER_KIND,
    JobOrders,
    JobProgress,
    JobSpec,
    JobState,
    JobTicket,
    check_arguments,
    decode,
    resolved,
)
from streetclip.runtime.signatures import sign, signed_here
from streetclip.store.connection import Store, utc_now

_LOG = logging.getLogger(__name__)

_TICKET = "id, attempt, kind, arguments, cwd, log_path"

_OF_ATTEMPT = (
    "error", "cancel_requested_at", "host", "pid", "process_started_at", "process_boot_id",
    "heartbeat_at", "started_at", "ended_at", "rate",
)  # fmt: skip
_PROCESS = "host = ?, pid = ?, process_started_at = ?, process_boot_id = ?"
_NEW_ATTEMPT = (
    f"state = 'running', attempt = attempt + 1, {_PROCESS}, heartbeat_at = ?, started_at = ?, "
    "updated_at = ?, ended_at = NULL, error = NULL, cancel_requested_at = NULL, task = '', "
    "unit = '', done = 0, total = 0, rate = NULL, numbers = '{}'"
)


def enqueue_job(store: Store, spec: JobSpec) -> int:
    """Add a job that waits for a runner of this installation, and return its id.

    Raises OutputError if a queued or running job has the same output folder, or a folder's name is
    not Unicode; ConfigError as `signatures.sign`.
    """
    interrupt_dead_jobs(store)
    with store.transaction():
        job_id = _add_job(store, spec)
        sign(store, job_id)
    return job_id


def register_job(
    store: Store, spec: JobSpec, process: ProcessId, *, resume: bool = False
) -> JobTicket:
    """Record a job that runs already, as one started in a shell.

    With `resume`, it is a further attempt of the newest ended job of this kind and output folder,
    unless that one is done. A silent job on another machine that holds the folder is watched until
    it is known to live or to be dead. Raises OutputError as `enqueue_job`.
    """
    await_sign_of_life(store, _output_dir(spec))
    interrupt_dead_jobs(store)
    with store.transaction():
        newest = store.rows(
            "SELECT id, state FROM jobs WHERE output_dir = ? AND output_dir <> '' AND kind = ? "
            "AND state NOT IN ('queued', 'running') ORDER BY ended_at DESC, id DESC LIMIT 1",
            (_output_dir(spec), spec.kind),
        )
        if resume and newest and newest[0][1] != "done":
            job_id = newest[0][0]
            _check_folder_free(store, _output_dir(spec))
            log_path = _log_path(store, job_id, spec.kind)
            store.update("jobs", job_id, _spec_values(spec) | {"log_path": log_path})
        else:
            job_id = _add_job(store, spec)
        now = utc_now()
        found = store.rows(
            f"UPDATE jobs SET {_NEW_ATTEMPT} WHERE id = ? RETURNING {_TICKET}",  # noqa: S608 -- our own text
            (*astuple(process), now, now, now, job_id),
        )
        _sign_running(store, job_id)
    return _ticket(found[0])


def claim_job(store: Store, process: ProcessId, *, most_running: int) -> JobTicket | None:
    """Claim the job that has been queued for longest, for a runner to start; None without one.

    Only jobs that this installation queued are claimed. Each goes to one of the runners, which owns
    the record until the job's own process attaches. No job is claimed while `most_running` jobs
    run; those of a dead process count until they are interrupted, runners never.
    """

    def next_job() -> int | None:
        running = "SELECT count(*) FROM jobs WHERE state = 'running' AND kind <> ?"
        has_room = store.rows(running, (RUNNER_KIND,))[0][0] < most_running
        return next(iter(signed_here(store, "queued")), None) if has_room else None

    # Runners ask all the time: only those that may get a job take the writer's lock.
    if next_job() is None:
        return None
    now = utc_now()
    with store.transaction():
        found = store.rows(
            f"UPDATE jobs SET {_NEW_ATTEMPT} WHERE id = ? RETURNING {_TICKET}",  # noqa: S608 -- our own text
            (*astuple(process), None, now, now, next_job()),
        )
        if found:
            sign(store, found[0][0])
    return _ticket(found[0]) if found else None


def attach_job(
    store: Store, job_id: int, process: ProcessId, *, attempt: int | None = None
) -> JobTicket:
    """Attach the process that the runner started to its claimed record.

    Job and attempt are those of the runner's ticket; None takes any attempt. Raises StoreError if
    the job has ended, or another process or attempt has it.
    """
    now = utc_now()
    with store.transaction():
        found = store.rows(
            f"UPDATE jobs SET {_PROCESS}, heartbeat_at = ?, updated_at = ? "  # noqa: S608 -- our own text
            "WHERE id = ? AND state = 'running' AND heartbeat_at IS NULL "
            f"AND attempt = coalesce(?, attempt) RETURNING {_TICKET}",
            (*astuple(process), now, now, job_id, attempt),
        )
        if not found:
            state = store.require("jobs", job_id, "state")
            if state == "running":
                owner = store.rows("SELECT attempt, pid, host FROM jobs WHERE id = ?", (job_id,))[0]
                state += f", attempt {owner[0]}, process {owner[1]} on {shown(owner[2])}"
            msg = (
                f"{store.path}: job {job_id} is {state}; expected one that waits for its process. "
                "Start it from the dashboard, or as a command of its own."
            )
            raise StoreError(msg)
        _sign_running(store, job_id)
    return _ticket(found[0])


def beat_job(
    store: Store, job_id: int, attempt: int, progress: JobProgress | None = None
) -> JobOrders:
    """Record a sign of life and any progress; read what is asked of the job."""
    now = utc_now()
    values: dict[str, Any] = {"heartbeat_at": now, "updated_at": now}
    if progress is not None:
        numbers = {name: _finite(each) for name, each in progress.numbers.items()}
        values |= {
            "task": _storable(progress.task),
            "unit": _storable(progress.unit),
            "done": int(progress.done),
            "total": int(progress.total),
            "rate": _finite(progress.rate),
            "numbers": _ascii_json(numbers),
        }
    changes = ", ".join(f"{name} = ?" for name in values)
    with store.transaction():
        found = store.rows(
            f"UPDATE jobs SET {changes} WHERE id = ? AND attempt = ? AND state = 'running' "  # noqa: S608 -- our own names
            "RETURNING cancel_requested_at IS NOT NULL",
            (*values.values(), job_id, attempt),
        )
    return JobOrders(bool(found), bool(found and found[0][0]))


def end_job(
    store: Store,
    job_id: int,
    attempt: int,
    state: JobState,
    *,
    error: str | None = None,
    outputs: Sequence[str] = (),
) -> bool:
    """Record how an attempt ended; write nothing and return False if it lost the record before.

    Its runs and trainings that are still running become failed with it, or interrupted unless it is
    done. `error` is the cause in one line; `outputs` are added to those of earlier attempts.
    """
    if state not in ENDED_STATES:
        msg = f"state is {shown(state)}; expected one of {', '.join(ENDED_STATES)}"
        raise ValueError(msg)
    with store.transaction():
        found = store.rows(
            "SELECT outputs FROM jobs WHERE id = ? AND attempt = ? AND state = 'running'",
            (job_id, attempt),
        )
        if not found:
            return False
        now, text = utc_now(), None if error is None else _storable(error)
        paths = list(dict.fromkeys([*decode(store, job_id, "outputs", found[0][0]), *outputs]))
        ended = {"state": state, "error": text, "ended_at": now, "updated_at": now}
        store.update("jobs", job_id, ended | {"outputs": _ascii_json(paths)})
        if state != "done":
            set_state_of_work(store, job_id, "failed" if state == "failed" else "interrupted", text)
    return True


def request_cancel(store: Store, job_id: int) -> None:
    """Ask a job to end: a queued one is cancelled at once, a running one at its next beat.

    Raises StoreError if the job does not exist or has ended.
    """
    now = utc_now()
    with store.transaction():
        state = store.require("jobs", job_id, "state")
        if state == "queued":
            store.update("jobs", job_id, {"state": "cancelled", "ended_at": now, "updated_at": now})
        elif state == "running":
            store.rows(
                "UPDATE jobs SET cancel_requested_at = coalesce(cancel_requested_at, ?), "
                "updated_at = ? WHERE id = ?",
                (now, now, job_id),
            )
        else:
            msg = (
                f"{store.path}: job {job_id} is {state} already; expected one that is queued or "
                "running. There is nothing to cancel."
            )
            raise StoreError(msg)


def requeue_job(store: Store, job_id: int, arguments: Sequence[str]) -> None:
    """Queue the next attempt of a job that failed, was cancelled or was interrupted.

    `arguments` is its command line from now on, as with --resume. Raises StoreError if the job does
    not exist, or is queued, running or done; OutputError and ConfigError as `enqueue_job` and
    `JobSpec`.
    """
    check_arguments(arguments)
    interrupt_dead_jobs(store)
    with store.transaction():
        state = store.require("jobs", job_id, "state")
        if state not in ENDED_STATES or state == "done":
            msg = (
                f"{store.path}: job {job_id} is {state}; expected one that failed, was cancelled "
                "or was interrupted. Start a new job instead."
            )
            raise StoreError(msg)
        _check_folder_free(store, store.require("jobs", job_id, "output_dir"))
        kind = store.require("jobs", job_id, "kind")
        values = {"state": "queued", "arguments": _ascii_json(arguments), "updated_at": utc_now()}
        values["log_path"] = _log_path(store, job_id, kind)  # not one that came with the record
        store.update("jobs", job_id, values | dict.fromkeys(_OF_ATTEMPT))
        sign(store, job_id)


def _add_job(store: Store, spec: JobSpec) -> int:
    _check_folder_free(store, _output_dir(spec))
    now = utc_now()
    first = {"state": "queued", "attempt": 0, "kind": spec.kind, "log_path": ""}
    values = _spec_values(spec) | first | {"created_at": now, "updated_at": now}
    job_id = store.insert("jobs", values)
    store.update("jobs", job_id, {"log_path": _log_path(store, job_id, spec.kind)})
    return job_id


def _log_path(store: Store, job_id: int, kind: str) -> str:
    path = Path(resolved("--db", store.path))
    return str(path.with_name(f"{path.stem}-logs") / f"job-{job_id}-{Path(kind).name}.log")


def _sign_running(store: Store, job_id: int) -> None:
    """Sign which process runs a job; without a key it runs all the same."""
    try:
        sign(store, job_id)
    except (StreetClipError, OSError) as error:
        _LOG.warning("a runner of the queue will not end this job by force: %s", error)


def _spec_values(spec: JobSpec) -> dict[str, Any]:
    return {
        "name": _storable(spec.name),
        "arguments": _ascii_json(spec.arguments),
        "parameters": _ascii_json(spec.parameters),
        "output_dir": _output_dir(spec),
        "cwd": resolved("working folder", spec.cwd),
    }


def _output_dir(spec: JobSpec) -> str:
    return "" if spec.output_dir is None else resolved("--output_dir", spec.cwd / spec.output_dir)


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _ascii_json(value: Any) -> str:
    # ASCII, for a file name may not be Unicode; it is read back as it was.
    return json.dumps(value, allow_nan=False)


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _ticket(row: tuple[Any, ...]) -> JobTicket:
    job_id, attempt, kind, arguments, cwd, log_path = row
    return JobTicket(job_id, attempt, kind, tuple(json.loads(arguments)), Path(cwd), Path(log_path))


def _check_folder_free(store: Store, folder: str) -> None:
    found = store.rows(
        "SELECT id, kind, name, state, coalesce(started_at, updated_at), pid, host FROM jobs "
        "WHERE output_dir = ? AND output_dir <> '' AND state IN ('queued', 'running')",
        (folder,),
    )
    if found:
        job_id, kind, name, state, since, pid, host = found[0]
        what = f"{kind}, {shown(name)}" if name else kind
        where = f", process {pid} on {shown(host)}" if state == "running" else ""
        msg = (
            f"{folder}: job {job_id} ({what}) is {state} there since {since}{where}. "
            "Wait for it, cancel it, or name another --output_dir."
        )
        raise OutputError(msg)
