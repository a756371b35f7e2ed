"""Translate SQLite's errors for the user: a full disk, a lock, a file that is no store."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from streetclip.errors import ResourceError, StoreError, StreetClipError

_RESUME = "Free some space and run again with --resume."
_FULL = f"the disk is full; what was written before is kept. {_RESUME}"
# SQLite tells a full disk from a failing one, but not a quota or a limit from either.
_FULL_OR_FAILING = (
    "cannot be written ({error}): the disk is full, over its quota, or fails; what was written "
    f"before is kept. {_RESUME}"
)
_FAILING = (
    "the disk failed ({error}). Check it and its free space, and keep the store on a local disk."
)
_LOCKED = (
    "another program kept it locked for too long. Wait for that job or end it, then run again "
    "with --resume."
)
_CLOSED = (
    "cannot be opened ({error}). SQLite writes files next to it, also for a reader: give the "
    "file and its folder write permission, or name another file with --db."
)
_NO_DATABASE = "is no SQLite database; expected a StreetCLIP store. Name another file with --db."
_DAMAGED = "is damaged ({error}). Restore a copy, or name another file with --db."

_TRANSLATIONS: dict[int, tuple[type[StreetClipError], str]] = {
    sqlite3.SQLITE_FULL: (ResourceError, _FULL),
    sqlite3.SQLITE_BUSY: (ResourceError, _LOCKED),
    sqlite3.SQLITE_LOCKED: (ResourceError, _LOCKED),
    sqlite3.SQLITE_CANTOPEN: (StoreError, _CLOSED),
    sqlite3.SQLITE_READONLY: (StoreError, _CLOSED),
    sqlite3.SQLITE_PERM: (StoreError, _CLOSED),
    sqlite3.SQLITE_IOERR_WRITE: (ResourceError, _FULL_OR_FAILING),
    sqlite3.SQLITE_IOERR_SHMSIZE: (ResourceError, _FULL_OR_FAILING),
    sqlite3.SQLITE_IOERR: (ResourceError, _FAILING),
    sqlite3.SQLITE_NOTADB: (StoreError, _NO_DATABASE),
    sqlite3.SQLITE_CORRUPT: (StoreError, _DAMAGED),
}


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about disk, lock and file into ours; pass on our own faults."""
    try:
        yield
    except sqlite3.Error as error:
        # Errors of Python's own module, as of a wrong thread, carry no code.
        code = getattr(error, "sqlite_errorcode", 0)
        found = _TRANSLATIONS.get(code) or _TRANSLATIONS.get(code & 0xFF)
        if found is None:
            raise
        kind, text = found
        msg = f"{path}: {text.format(error=error)}"
        raise kind(msg) from error
