"""What SQLite's errors mean to the user: a full disk, a lock, a file that is no store."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from streetclip.errors import ResourceError, StoreError, StreetClipError

_NO_ROOM = (
    ResourceError,
    (
        "the disk is full; what was written before is kept. Free some space and run again with "
        "--resume."
    ),
)
# SQLite tells a full disk from a failing one, but not a quota or a limit from either.
_NO_ROOM_OR_FAULT = (
    ResourceError,
    (
        "cannot be written ({error}): the disk is full, over its quota, or fails; what was written "
        "before is kept. Free some space and run again with --resume."
    ),
)
_LOCKED = (
    ResourceError,
    (
        "another program kept it locked for too long. Wait for that job or end it, then run again "
        "with --resume."
    ),
)
_CLOSED = (
    StoreError,
    (
        "cannot be opened ({error}). SQLite writes beside the file, also for a reader: give the "
        "file and its folder write permission, or name another file with --db."
    ),
)
_TRANSLATIONS: dict[int, tuple[type[StreetClipError], str]] = {
    sqlite3.SQLITE_FULL: _NO_ROOM,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_CANTOPEN: _CLOSED,
    sqlite3.SQLITE_READONLY: _CLOSED,
    sqlite3.SQLITE_PERM: _CLOSED,
    sqlite3.SQLITE_IOERR_WRITE: _NO_ROOM_OR_FAULT,
    sqlite3.SQLITE_IOERR_SHMSIZE: _NO_ROOM_OR_FAULT,
    sqlite3.SQLITE_IOERR: (
        ResourceError,
        (
            "the disk failed ({error}). Check it and its free space, and keep the store on a local "
            "disk."
        ),
    ),
    sqlite3.SQLITE_NOTADB: (
        StoreError,
        "is no SQLite database; expected a StreetCLIP store. Name another file with --db.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        StoreError,
        "is damaged ({error}). Restore a copy, or name another file with --db.",
    ),
}


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about disk, lock and file into ours; leave our own faults alone."""
    try:
        yield
    except sqlite3.Error as error:
        ours = _translation(error, path)
        if ours is None:
            raise
        raise ours from error


def _translation(error: sqlite3.Error, path: Path) -> StreetClipError | None:
    # Errors of Python's own module, as of a wrong thread, carry no code.
    code = getattr(error, "sqlite_errorcode", 0)
    found = _TRANSLATIONS.get(code) or _TRANSLATIONS.get(code & 0xFF)
    if found is None:
        return None
    kind, text = found
    return kind(f"{path}: {text.format(error=error)}")
