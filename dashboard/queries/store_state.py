"""Identify the state of a store, as a key of cached answers."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import streamlit as st

from dashboard.shell.page_query import View
from streetclip import store
from streetclip.results.run_table import BUSY_S
from streetclip.store import Store, open_store

SETTLED_NS: Final = 2 * 10**9  # file systems round times to 2 s or better, Linux to some ms
PERIOD_NS: Final = 10**8

Stamp = tuple[tuple[int, ...], ...]
P = ParamSpec("P")
T = TypeVar("T")


def stamp(store_path: Path) -> Stamp:
    """Stamp the files of a store: changes with each commit or replacement."""
    size, inode, modified_ns, changed_ns = _file_stamp(store_path)
    # SQLite changes the owner of the log, and so this time of it, whenever root opens it.
    of_log = _file_stamp(store_path.with_name(f"{store_path.name}-wal"))[:3]
    newest_ns = max(modified_ns, changed_ns, of_log[-1])
    return (size, inode, modified_ns, changed_ns), of_log, (period(newest_ns),)


def period(newest_ns: int) -> int:
    """Number the current tenth of a second while a file is fresh, else 0.

    As part of a cache key: two writes within one tick of the file system leave the same time.
    """
    now_ns = time.time_ns()
    return 0 if newest_ns < now_ns - SETTLED_NS else now_ns // PERIOD_NS


def _file_stamp(path: Path) -> tuple[int, int, int, int]:
    try:
        status = path.stat()
    except OSError:  # the reader that opens it reports what is wrong
        return 0, 0, 0, 0
    return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def cached_by_stamp(
    max_entries: int,
) -> Callable[[Callable[Concatenate[Path, P], T]], Callable[Concatenate[Path, P], T]]:
    """Keep the answers of a function of a store's path until the store's files change."""

    def decorate(function: Callable[Concatenate[Path, P], T]) -> Callable[Concatenate[Path, P], T]:
        def answer(store_path: Path, seen: Stamp, *args: Any, **kwargs: Any) -> T:  # noqa: ARG001
            return function(store_path, *args, **kwargs)

        # Streamlit distinguishes cached functions by their module and name.
        answer.__module__, answer.__qualname__ = function.__module__, function.__qualname__
        kept = st.cache_data(show_spinner=False, max_entries=max_entries)(answer)

        def read(store_path: Path, /, *args: P.args, **kwargs: P.kwargs) -> T:
            return kept(store_path, stamp(store_path), *args, **kwargs)

        read.__doc__ = function.__doc__
        return read

    return decorate


_READ: ContextVar[dict[Any, Any] | None] = ContextVar("read", default=None)


@contextlib.contextmanager
def one_reading() -> Iterator[None]:
    """Answer each `once` question from its first answer, so that a page shows one state."""
    token = _READ.set({})
    try:
        yield
    finally:
        _READ.reset(token)


def once(function: Callable[P, T]) -> Callable[P, T]:
    """Call a function once in `one_reading` for the same arguments; outside, each time."""

    @wraps(function)
    def answer(*args: P.args, **kwargs: P.kwargs) -> T:
        read = _READ.get()
        if read is None:
            return function(*args, **kwargs)
        key = (answer, args, *kwargs.items())
        if key not in read:
            read[key] = function(*args, **kwargs)
        found: T = read[key]
        return found

    return answer


def reader(path: Path) -> Store:
    """Open the store for reading, without waiting long for a writer."""
    return open_store(path, read_only=True, busy_timeout_s=BUSY_S)


@contextlib.contextmanager
def run_reader(view: View) -> Iterator[Store]:
    """Read one state of a view's run; StoreError if the store now holds another run."""
    with reader(view.path) as opened, opened.snapshot():
        store.run_revision(opened, view.run_id, view.run_uid)
        yield opened


def kept_if(wanted: str, cached: Any, *key: Any, found: Callable[[Any], str]) -> Any:
    """Call a cached function, and let it forget an answer of another revision than wanted."""
    answer = cached(*key)
    if found(answer) != wanted:
        cached.clear(*key)
    return answer


def log_folder(store_path: Path) -> Path:
    """Locate the logs of a store's jobs."""
    path = Path(os.path.realpath(store_path))
    return path.with_name(f"{path.stem}-logs")
