"""Files that are whole or not there: written beside their name, synced, then renamed."""

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streetclip.errors import OutputError, ResourceError, shown

_DISK_GAVE_OUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# FileExistsError: a parent of the path is a file.
_NOT_WRITABLE = (PermissionError, NotADirectoryError, FileExistsError)


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
        holder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    temporary = holder / path.name
    try:
        with translated_disk_errors(path):
            yield temporary
            _sync(temporary)
            _replace(temporary, path)
            _sync_entry(path.parent)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


@contextlib.contextmanager
def translated_disk_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors about a full or read-only disk into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_GAVE_OUT:
            msg = (
                f"{path}: the disk is full ({_free_space(path)}); the file that stood there is "
                "untouched. Free some space, or name another folder, and run again."
            )
            raise ResourceError(msg) from error
        if isinstance(error, _NOT_WRITABLE) or error.errno == errno.EROFS:
            msg = f"{path}: cannot be written ({error.strerror}). Name a folder that can."
            raise OutputError(msg) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON that any reader takes: UTF-8, indented, no NaN."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


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


def _sync(path: Path) -> None:
    for each in path.rglob("*") if path.is_dir() else (path,):
        if each.is_file():
            _sync_entry(each)


def _sync_entry(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(new: Path, path: Path) -> None:
    if path.is_dir() and new.is_dir():
        # A folder cannot be renamed over another: the old one steps aside for a moment.
        aside = new.parent / "before"
        path.rename(aside)
        try:
            new.rename(path)
        except OSError:
            aside.rename(path)
            raise
        return
    new.replace(path)


def _free_space(path: Path) -> str:
    with contextlib.suppress(OSError):
        return f"{shutil.disk_usage(path.parent).free / 2**20:,.0f} MiB free"
    return "free space unknown"
