"""Identify the state of a store, as a key of cached answers."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import streamlit as st

from dashboard.queries import file_times
from dashboard.shell.page_query import View
from streetclip import store
from streetclip.results.run_table import BUSY_S
from streetclip.store import Store, open_store

Stamp = tuple[tuple[int, ...], ...]
P = ParamSpec("P")
T = TypeVar("T")


def stamp(store_path: Path) -> Stamp:
    """Stamp the files of a store: changes with each commit or replacement."""
    size, inode, modified_ns, changed_ns = _file_stamp(store_path)
    # SQLite changes the owner of the log, and so this time of it, whenever root opens it.
    of_log = _file_stamp(store_path.with_name(f"{store_path.name}-wal"))[:3]
    newest_ns = max(modified_ns, changed_ns, of_log[-1])
    return (size, inode, modified_ns, changed_ns), of_log, (file_times.period(newest_ns),)


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
