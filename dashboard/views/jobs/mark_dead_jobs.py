"""Detect dead jobs and mark them interrupted."""

import logging
from pathlib import Path

from dashboard.queries import store_state
from streetclip import runtime
from streetclip.errors import StreetClipError
from streetclip.results.run_table import BUSY_S
from streetclip.store import open_store

_log = logging.getLogger(__name__)


def mark_dead_jobs(path: Path) -> None:
    """Mark jobs, runs and trainings whose process is gone as interrupted.

    If the store is locked or read-only, log a warning; the next call tries again.
    """
    if not path.exists():
        return
    with store_state.reader(path) as opened:
        dead = runtime.find_dead_jobs(opened)
    if not dead:
        return
    try:
        with open_store(path, busy_timeout_s=BUSY_S) as opened:
            runtime.interrupt_dead_jobs(opened)
    except StreetClipError as error:
        _log.warning("cannot mark the dead jobs %s interrupted: %s", dead, error)
