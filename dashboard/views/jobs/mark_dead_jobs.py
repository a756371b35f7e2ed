"""States that are true: jobs that ended without a word are said to have been interrupted."""

import logging
from pathlib import Path

from dashboard.queries import runs
from streetclip import runtime
from streetclip.errors import StreetClipError
from streetclip.results.dataset_table import BUSY_S
from streetclip.store import open_store

_log = logging.getLogger(__name__)


def heal(path: Path) -> None:
    """Mark the jobs, runs and trainings whose process is gone as interrupted.

    Called at each look, and by the polls of a page; it writes only where one is found dead. Where
    the store cannot be written just now, the page is drawn as it is, and the next look tries again.

    Args:
        path: The store; there may be none yet.

    Raises:
        StoreError: The file is no store, or a newer one.
    """
    if not path.exists():
        return
    with runs.reader(path) as opened:
        dead = runtime.find_dead_jobs(opened)
    if not dead:
        return
    try:
        with open_store(path, busy_timeout_s=BUSY_S) as opened:
            runtime.interrupt_dead_jobs(opened)
    except StreetClipError as error:
        _log.warning("jobs %s are dead, which cannot be written: %s", dead, error)
