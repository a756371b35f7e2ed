"""The state of the store that an answer is read from: by its files, and by its runs."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dashboard.queries import file_times
from dashboard.shell.page_query import View
from streetclip import store
from streetclip.results.dataset_table import BUSY_S
from streetclip.store import Store, open_store

Stamp = tuple[tuple[int, ...], ...]


def stamp(store_path: Path) -> Stamp:
    """What the files of a store are like: changes whenever a job commits, or they are replaced.

    The stamp of a file that was only just written holds for a tenth of a second; see `file_times`.

    Examples:
        >>> stamp(Path("no such file"))
        ((0, 0, 0, 0), (0, 0, 0), (0,))
    """
    log = store_path.with_name(f"{store_path.name}-wal")
    size, inode, modified_ns, changed_ns = _file_stamp(store_path)
    # SQLite changes the owner of the log, and so this time of it, whenever root opens it.
    of_log = _file_stamp(log)[:3]
    newest_ns = max(modified_ns, changed_ns, of_log[-1])
    return (size, inode, modified_ns, changed_ns), of_log, (file_times.period(newest_ns),)


def _file_stamp(path: Path) -> tuple[int, int, int, int]:
    try:
        status = path.stat()
    except OSError:  # opening it says what is wrong
        return 0, 0, 0, 0
    return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def reader(path: Path) -> Store:
    """Open the store for reading, without waiting long for a writer.

    Raises:
        StoreError: The store is missing, newer, or not a store.
        ResourceError: The disk fails, or a job keeps the store locked.
    """
    return open_store(path, read_only=True, busy_timeout_s=BUSY_S)


@contextlib.contextmanager
def run_reader(view: View) -> Iterator[tuple[Store, str]]:
    """Read one state of the run that a view means, and its revision.

    Raises:
        StoreError: As `reader`; also where the store was replaced and holds another run.
        ResourceError: As `reader`.
    """
    with reader(view.path) as opened, opened.snapshot():
        yield opened, store.run_revision(opened, view.run_id, view.run_uid)


def kept_if(wanted: str, cached: Any, *key: Any, found: Callable[[Any], str]) -> Any:
    """Call a cached function, and let it forget an answer of another revision than wanted."""
    answer = cached(*key)
    if found(answer) != wanted:
        cached.clear(*key)
    return answer


def revision_of(answer: tuple[Any, str]) -> str:
    """The revision that an answer was read with."""
    return answer[1]


def log_folder(store_path: Path) -> Path:
    """Where the logs of a store's jobs lie."""
    path = Path(os.path.realpath(store_path))
    return path.with_name(f"{path.stem}-logs")
