"""Write files and folders whole or not at all: under another name, synced, then renamed."""

import contextlib
import errno
import fcntl
import json
import logging
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from streetclip.errors import OutputError, ResourceError, shown

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# The last two: a network disk that is gone.
_DISK_FAILS = {errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.ENOTCONN}
# FileExistsError: a parent of the path is a file.
_NOT_WRITABLE = (PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)
_NO_PLACE = {errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP}

# Each write has a holder, a folder next to its target, whose name only this module gives:
#   .streetclip-XXXXXXXX.tmp/new/NAME   what is being written
#   .streetclip-XXXXXXXX.tmp/old/NAME   the folder that it replaces, moved here once new is synced
# The writer keeps the holder locked; the lock ends with its process, however that ends.
_PREFIX, _SUFFIX = ".streetclip-", ".tmp"
_HOLDER = re.compile(rf"{re.escape(_PREFIX)}[a-z0-9_]{{8}}{re.escape(_SUFFIX)}")

# One job writes into a folder at a time; what it holds locked names it.
_LOCK_FILE = ".streetclip.lock"
_LONGEST_HOLDER = 500  # characters

_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name that becomes `path` on success and is removed on failure.

    Works for a file, and for a folder that the caller makes at the temporary name. An earlier
    `path` is kept until the new one is complete and on disk. What killed jobs left in its folder is
    cleared. Raises ResourceError on a full disk.
    """
    clear_leftovers(path.parent)
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


@contextlib.contextmanager
def locked_folder(folder: Path, holder: str) -> Iterator[None]:
    """Hold an output folder for one job, making it if it is missing.

    The lock ends with this process, however that ends; forked children do not keep it. Raises
    OutputError with the text `holder` of the job that holds the folder.
    """
    path = folder / _LOCK_FILE
    with translated_disk_errors(folder):
        if folder.exists() and not folder.is_dir():
            msg = f"{folder}: is a file; expected a folder. Name another --output_dir."
            raise OutputError(msg)
        made = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock_file(path)
        os.ftruncate(lock, 0)
        os.write(lock, holder.encode("utf-8", "backslashreplace"))
    try:
        yield
    finally:
        if _is_at(lock, path):
            path.unlink()
        os.close(lock)
        for each in made:
            with contextlib.suppress(OSError):  # it holds files now
                each.rmdir()


def open_plain(path: Path, flags: int) -> int:
    """Open a plain file, following no link at its name or its folder's.

    Returns its descriptor. Raises FileExistsError for a file that is not plain, OSError as
    `os.open`.
    """
    folder = _open_folder(path.parent)
    try:
        return open_regular(path.name, flags | os.O_NOFOLLOW, folder)
    finally:
        os.close(folder)


def open_regular(path: str, flags: int = os.O_RDONLY, folder: int | None = None) -> int:
    """Open a plain file, or what a link leads to; a pipe or a device is not waited for.

    A relative path starts from the descriptor `folder`. Raises as `open_plain`.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileExistsError(errno.EEXIST, "it is no plain file", path)
    return descriptor


def open_log(path: Path) -> BinaryIO:
    """Open a log to append to it, making it and its folder; raises as `open_plain`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = open_plain(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    return cast("BinaryIO", os.fdopen(descriptor, "ab", buffering=0))


def is_unused(folder: Path) -> bool:
    """Return whether a folder holds at most the lock of a job."""
    return all(path.name == _LOCK_FILE for path in folder.iterdir())


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
        if isinstance(error, _NOT_WRITABLE) or error.errno in _NO_PLACE:
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


def file_id(path: Path) -> tuple[int, int] | None:
    """Identify the file at a path by device and inode; None where there is none."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def is_moved(path: Path, before: tuple[int, int] | None) -> bool:
    """Return whether the file of a `file_id` is no longer at a path.

    False where that cannot be known, as while a network disk is away.
    """
    try:
        return file_id(path) != before
    except OSError as error:
        _LOG.warning("%s: cannot be looked for (%s)", path, error.strerror)
        return False


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
    except (ValueError, RecursionError) as error:
        msg = f"{path}: is not JSON ({shown(error)}). Remove it, or name another folder."
        raise OutputError(msg) from error


def _lock_file(path: Path) -> int:
    """Lock a file and return its descriptor; raise OutputError where another process has."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            text = os.read(lock, _LONGEST_HOLDER).decode("utf-8", "replace")
            os.close(lock)
            holder = "".join(c for c in text if c.isprintable()) or "another job"
            msg = (
                f"{path.parent}: is in use by {holder}. Wait for it, cancel it, or name another "
                "--output_dir."
            )
            raise OutputError(msg) from None
        except OSError as error:
            _LOG.warning("%s: cannot be locked (%s); start no second job", path, error.strerror)
        # The job that held it may have removed it before this one had the lock.
        if _is_at(lock, path):
            return lock
        os.close(lock)


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file still lies at a path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


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
