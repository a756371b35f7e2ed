"""Files that are whole or not there: written beside their name, synced, then renamed."""

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
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streetclip.errors import OutputError, ResourceError, shown

_DISK_GAVE_OUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# FileExistsError: a parent of the path is a file.
_NOT_WRITABLE = (PermissionError, NotADirectoryError, FileExistsError)

# Beside what is written stands a holder, a folder of a name that only this module gives:
#   .streetclip-XXXXXXXX.tmp/new/NAME   what is being written
#   .streetclip-XXXXXXXX.tmp/old/NAME   the folder that it replaces, moved here when new is on disk
# Who made it keeps it locked: the lock goes with the process, however that ends.
_PREFIX, _SUFFIX = ".streetclip-", ".tmp"
_HOLDER = re.compile(rf"{re.escape(_PREFIX)}[a-z0-9_]{{8}}{re.escape(_SUFFIX)}")
# Versions up to 0.2.0: .NAME.XXXXXXXX/NAME, beside it "before" for the old folder, and no lock.
_OLDER_HOLDER = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}", re.DOTALL)
_OLDER_IDLE_S = 3600.0

_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it becomes `path`, else it is removed.

    Works for a file and for a folder that the caller makes at the temporary name. What stood at
    `path` before stays until the new one is complete and on disk.

    Raises:
        ResourceError: The disk is full; what stood at `path` is untouched.
        OutputError: The folder cannot be written.
    """
    with translated_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        holder, lock = _make_holder(path.parent)
    try:
        with translated_disk_errors(path):
            temporary = holder / "new" / path.name
            temporary.parent.mkdir()
            yield temporary
            _sync(temporary)
            _replace(temporary, path, holder / "old" / path.name)
            _sync_entry(path.parent)
    finally:
        _settle(holder, *_parts(holder))
        os.close(lock)


def clear_leftovers(folder: Path) -> None:
    """Remove what a killed job's `atomic_path` left in a folder, and finish what it had begun.

    A folder that was being replaced, and has lost its name to neither the old one nor the new one,
    becomes the new one, which was complete by then; where only the old one is left, that. What
    a process that lives is writing, here or on another machine, stays, and so does everything
    else in the folder.

    Args:
        folder: Where outputs go; may be missing.

    Raises:
        OutputError: The folder cannot be read or written.
    """
    with translated_disk_errors(folder):
        try:
            found = sorted(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return
        for path in found:
            if _HOLDER.fullmatch(path.name):
                _clear_holder(path)
            elif _is_older_leftover(path):
                _settle(path, *_older_parts(path))


@contextlib.contextmanager
def translated_disk_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors about a full or read-only disk into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_GAVE_OUT:
            limit = "" if error.errno == errno.ENOSPC else ", or a quota or limit is reached"
            msg = (
                f"{path}: the disk is full{limit} ({_free_space(path)}); what stood there is "
                "untouched. Free some space and run again, with --resume if the job has it, or "
                "name another folder."
            )
            raise ResourceError(msg) from error
        if isinstance(error, _NOT_WRITABLE) or error.errno == errno.EROFS:
            msg = f"{path}: cannot be written ({error.strerror}). Name a folder that can."
            raise OutputError(msg) from error
        raise


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for a moment, where the system keeps such.

    Raises:
        ResourceError: There is no room for it.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX[1:]))
        except FileNotFoundError as error:  # Python tried to write a byte in each folder it knows
            msg = f"{error.strerror}. Free some space, or name a folder with the variable TMPDIR."
            raise ResourceError(msg) from error
        with translated_disk_errors(Path(folder)):
            yield Path(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON that any reader takes: UTF-8, indented, no NaN."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_path(path) as temporary:
        # Of a file name that is no UTF-8, Python's stand-in for a byte becomes JSON's \\udcXX.
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))


def read_json(path: Path) -> Any:
    """Read one of our own JSON files.

    Raises:
        OutputError: The file is not JSON, as after an editor's accident.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        msg = f"{path}: is not JSON ({shown(error)}). Remove it, or name another folder."
        raise OutputError(msg) from error


def _make_holder(folder: Path) -> tuple[Path, int]:
    """Make a holder; give it and the descriptor that keeps it locked."""
    while True:
        holder = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=_SUFFIX, dir=folder))
        # Whoever clears leftovers at this moment may have it before it is locked.
        with contextlib.suppress(FileNotFoundError):
            lock = _open_folder(holder)
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(lock, fcntl.LOCK_EX)
            if holder.exists():
                return holder, lock
            os.close(lock)


def _clear_holder(holder: Path) -> None:
    try:
        lock = _open_folder(holder)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # another one cleared it, or it is none of ours
    try:
        # OSError also where locks are unknown, so that nobody can tell whether it is in use.
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _settle(holder, *_parts(holder))
    finally:
        os.close(lock)


def _open_folder(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _parts(holder: Path) -> tuple[Path, Path] | tuple[None, None]:
    """Where in a holder the new and the old folder are; None if no old one was moved there."""
    with contextlib.suppress(FileNotFoundError):
        for old in (holder / "old").iterdir():
            return holder / "new" / old.name, old
    return None, None


def _older_parts(holder: Path) -> tuple[Path, Path]:
    found = _OLDER_HOLDER.fullmatch(holder.name)
    assert found
    return holder / found["name"], holder / "before"


def _is_older_leftover(path: Path) -> bool:
    """Whether an earlier version made this folder and has left it alone for long."""
    found = _OLDER_HOLDER.fullmatch(path.name)
    with contextlib.suppress(OSError):
        status = path.lstat()
        is_ours = stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == stat.S_IRWXU
        if not (found and is_ours and status.st_uid == os.getuid()):
            return False
        held = {each.name for each in path.iterdir()}
        if held not in ({found["name"]}, {found["name"], "before"}, {"before"}):
            return False
        times = (each.lstat().st_mtime for each in (path, *path.rglob("*")))
        return time.time() - max(times) > _OLDER_IDLE_S
    return False


def _settle(holder: Path, new: Path | None, old: Path | None) -> None:
    """Remove a holder; before, put back what has no other place than it."""
    if new is None or old is None or not os.path.lexists(old):
        shutil.rmtree(holder, ignore_errors=True)
        return
    path = holder.parent / new.name
    for each in (new, old):
        if not os.path.lexists(path) and os.path.lexists(each):
            # What cannot be renamed stays, for the next time.
            with contextlib.suppress(OSError):
                each.replace(path)
                _sync_entry(holder.parent)
                _LOG.warning("%s: its replacement was cut short, and is finished now", path)
    if os.path.lexists(path):
        # Half removed, it must not be taken for the old one that has to go back.
        with contextlib.suppress(OSError):
            old.replace(holder / "replaced")
        shutil.rmtree(holder, ignore_errors=True)


def _sync(path: Path) -> None:
    for each in (*path.rglob("*"), path) if path.is_dir() else (path,):
        if not each.is_symlink():
            _sync_entry(each)


def _sync_entry(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(new: Path, path: Path, aside: Path) -> None:
    if path.is_dir() and new.is_dir():
        # A folder cannot be renamed over another: the old one steps aside for a moment.
        aside.parent.mkdir()
        path.replace(aside)
    new.replace(path)


def _free_space(path: Path) -> str:
    with contextlib.suppress(OSError):
        return f"{shutil.disk_usage(path.parent).free / 2**20:,.0f} MiB free"
    return "free space unknown"
