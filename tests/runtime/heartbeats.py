"""Heartbeats by any clock."""

from datetime import UTC, datetime, timedelta


def set_heartbeat(queue, job_id, ahead_s):
    """Let a job have beaten by a clock that is so many seconds ahead of ours."""
    then = datetime.now(UTC) + timedelta(seconds=ahead_s)
    last = then.isoformat(timespec="milliseconds")
    with queue.store.transaction():
        queue.store.rows("UPDATE jobs SET heartbeat_at = ? WHERE id = ?", (last, job_id))
    return last
