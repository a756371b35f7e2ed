"""Disks that fill up: a small file system of one's own, or a limit on what a file may hold."""

import contextlib
import errno
import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

BALLAST = "ballast"


@contextlib.contextmanager
def mounted(folder: Path, *, megabytes: int) -> Iterator[Path]:
    """A file system in memory at a folder, which must be empty.

    Raises:
        PermissionError: This process may not mount; says why.
    """
    size = f"size={megabytes}m"
    command = ["mount", "-t", "tmpfs", "-o", size, "streetclip-test", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        msg = "there is no program called mount"
        raise PermissionError(msg) from error
    if done.returncode:
        raise PermissionError(done.stderr.strip() or "mount failed")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, *, leave_bytes: int = 0) -> None:
    """Fill a file system until it is full, but for so many bytes."""
    with (disk / BALLAST).open("ab", buffering=0) as file:
        for size in (2**20, 4096):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
        file.truncate(max(0, file.seek(0, os.SEEK_END) - leave_bytes))


def free_space(disk: Path) -> None:
    """Undo `fill`."""
    (disk / BALLAST).unlink(missing_ok=True)


@contextlib.contextmanager
def file_size_limit(num_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: what a quota does, on any machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def has_room(disk: Path) -> bool:
    """Whether one more byte can be written."""
    path = disk / "one-byte"
    try:
        path.write_bytes(b"1")
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
    finally:
        path.unlink(missing_ok=True)
    return True


def is_whole(db: Path) -> bool:
    """Whether SQLite finds no damage in a store."""
    with contextlib.closing(sqlite3.connect(db)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def limit_file_size(pid: int, num_bytes: int) -> None:
    """Let no file of another process grow beyond a size; Linux only."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (num_bytes, resource.RLIM_INFINITY))
