"""Write files and folders whole or not at all: under another name, synced, then renamed."""

import contextlib
import errno
import fcntl
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streetclip.errors import OutputError, ResourceError, shown

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# The last two: a network disk that is gone.
_DISK_FAILS = {errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.ENOTCONN}
# FileExistsError: a parent of the path is a file.
_NOT_WRITABLE = (PermissionError, NotADirectoryError, FileExistsError)

# Each write has a holder, a folder next to its target, whose name only this module gives:
#   .streetclip-XXXXXXXX.tmp/new/NAME   what is being written
#   .streetclip-XXXXXXXX.tmp/old/NAME   the folder that it replaces, moved here once new is synced
# The writer keeps the holder locked; the lock ends with its process, however that ends.
_PREFIX, _SUFFIX = ".streetclip-", ".tmp"
_HOLDER = re.compile(rf"{re.escape(_PREFIX)}[a-z0-9_]{{8}}{re.escape(_SUFFIX)}")

_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name that becomes `path` on success and is removed on failure.

    Works for a file, and for a folder that the caller makes at the temporary name. An earlier
    `path` is kept until the new one is complete and on disk. Raises ResourceError on a full disk.
    """
    with translated_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        holder, lock = _make_holder(path.parent)
    try:
        with translated_disk_errors(path):
            temporary, old = holder / "new" / path.name, holder / "old" / path.name
            temporary.parent.mkdir()
            yield temporary
            for each in (*temporary.rglob("*"), temporary):
                if not each.is_symlink():
                    _sync(each)
            if path.is_dir() and temporary.is_dir():
                # A folder cannot be renamed over another: move the old one aside first.
                old.parent.mkdir()
                path.replace(old)
            temporary.replace(path)
            _sync(path.parent)
    finally:
        _remove_holder(holder)
        os.close(lock)


def clear_leftovers(folder: Path) -> None:
    """Remove what a killed job's `atomic_path` left in a folder; finish its replacements.

    A folder that was moved aside and not yet replaced becomes the new one if that is complete, else
    the old one again. What a live process is writing is left alone. The folder may be missing.
    """
    with translated_disk_errors(folder):
        try:
            found = sorted(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return
        for holder in found:
            if not _HOLDER.fullmatch(holder.name):
                continue
            try:
                lock = _open_folder(holder)
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue  # cleared by another process, or none of ours
            try:
                # Also an OSError where the file system has no locks: it may be in use then.
                with contextlib.suppress(OSError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove_holder(holder)
            finally:
                os.close(lock)


@contextlib.contextmanager
def translated_disk_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors about a full, failing or read-only disk into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            free = "free space unknown"
            with contextlib.suppress(OSError):
                free = f"{shutil.disk_usage(path.parent).free / 2**20:,.0f} MiB free"
            limit = "" if error.errno == errno.ENOSPC else ", or a quota or limit is reached"
            msg = (
                f"{path}: the disk is full{limit} ({free}); an earlier version is untouched. Free "
                "some space and run again, with --resume if the job has it, or name another folder."
            )
            raise ResourceError(msg) from error
        if error.errno in _DISK_FAILS:
            msg = (
                f"{path}: the disk fails ({error.strerror}); nothing is half-written. Check it and "
                "run again, with --resume if the job has it, or name another folder."
            )
            raise ResourceError(msg) from error
        if isinstance(error, _NOT_WRITABLE) or error.errno == errno.EROFS:
            msg = f"{path}: cannot be written ({error.strerror}). Name a folder that can."
            raise OutputError(msg) from error
        raise


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a temporary folder; raise ResourceError where the disk is full or fails."""
    try:
        place = Path(tempfile.gettempdir())
    except FileNotFoundError as error:  # Python tried to write a byte in each folder it knows
        msg = f"{error.strerror}. Free some space, or name a folder with the variable TMPDIR."
        raise ResourceError(msg) from error
    prefix = _PREFIX[1:]
    with (
        translated_disk_errors(place / f"{prefix}…"),
        tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder,
    ):
        yield Path(folder)


def refuse_existing(*paths: Path, advice: str) -> None:
    """Raise OutputError, ending with `advice`, if one of the paths exists."""
    found = [str(path) for path in paths if path.exists()]
    if found:
        verb = "exists" if len(found) == 1 else "exist"
        msg = f"{', '.join(found)} {verb} already; expected new files. {advice}"
        raise OutputError(msg)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON that any reader takes: UTF-8, indented, no NaN."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_path(path) as temporary:
        # Python's stand-in for a byte of a file name that is not UTF-8 becomes JSON's \\udcXX.
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))


def read_json(path: Path) -> Any:
    """Read one of our own JSON files; raise OutputError if it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path}: is not JSON ({shown(error)}). Remove it, or name another folder."
        raise OutputError(msg) from error


def _make_holder(folder: Path) -> tuple[Path, int]:
    """Make a holder; return it and the descriptor that keeps it locked."""
    while True:
        holder = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=_SUFFIX, dir=folder))
        # `clear_leftovers` of another process may remove it before it is locked.
        with contextlib.suppress(FileNotFoundError):
            lock = _open_folder(holder)
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(lock, fcntl.LOCK_EX)
            if holder.exists():
                return holder, lock
            os.close(lock)


def _remove_holder(holder: Path) -> None:
    """Remove a holder, after putting back a folder that exists only in it."""
    old = next((holder / "old").glob("*"), None)
    if old is None:
        shutil.rmtree(holder, ignore_errors=True)
        return
    path = holder.parent / old.name
    for each in (holder / "new" / old.name, old):
        if not os.path.lexists(path) and os.path.lexists(each):
            # What cannot be renamed is left for the next time.
            with contextlib.suppress(OSError):
                each.replace(path)
                _sync(path.parent)
                _LOG.warning("%s: finished a replacement that was cut short", path)
    if os.path.lexists(path):
        # Rename first: half removed, it must not be taken for one that has to go back.
        with contextlib.suppress(OSError):
            old.replace(holder / "replaced")
        shutil.rmtree(holder, ignore_errors=True)


def _open_folder(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
