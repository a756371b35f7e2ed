"""What a folder holds at each write of a job: what a kill there would leave.

A killed process leaves what it has written, and no locks. A copy that is made while the job waits
for its next write is the same, so that one run shows what a kill at any of its writes leaves. Where
nothing has changed since another write, as before a sync, what is left is equal to the last byte.
"""

import contextlib
import hashlib
import os
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from tests.crash.system_calls import Fault, Half
from tests.killing import OF_THE_MACHINE

_REBUILT = "-shm"  # SQLite makes it from the log when nobody has the store open


@dataclass(frozen=True)
class _Entry:
    """A file or folder."""

    mode: int
    mtime_ns: int
    content: str | None  # the hash of a file's bytes


State = dict[Path, _Entry]


class States:
    """The distinct states of a folder, and the faults that leave each; contents are kept once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: dict[tuple[tuple[Path, str | None], ...], list[Fault]] = {}
        self._states: dict[tuple[tuple[Path, str | None], ...], State] = {}
        self._contents: dict[str, bytes] = {}

    def watch(self, number: int, half: Half | None) -> None:
        """Keep what a kill before a write leaves, and a kill in the middle of it."""
        state = None
        while state is None:
            # The last write of another thread may not have ended; its next one waits.
            with contextlib.suppress(FileNotFoundError):
                state = {path: self._read(self.folder / path) for path in _below(self.folder)}
        self._add(state, Fault("kill", number))
        path = None if half is None else half.path.relative_to(self.folder)
        # A file without a name, or outside, is as it would be without the write.
        if half is None or path not in state or not half.data:
            return
        content = bytearray(self._contents[state[path].content])
        content += bytes(max(0, half.place - len(content)))
        content[half.place : half.place + len(half.data)] = half.data
        entry = _Entry(state[path].mode, state[path].mtime_ns, self._keep(bytes(content)))
        self._add(state | {path: entry}, Fault("short", number))

    def restore(self, key: object) -> None:
        """Write a state into its folder, which is empty or missing."""
        self.folder.mkdir(exist_ok=True)
        entries = self._states[key]
        for path, entry in entries.items():
            if entry.content is None:
                (self.folder / path).mkdir()
            else:
                (self.folder / path).write_bytes(self._contents[entry.content])
        for path, entry in reversed(entries.items()):
            (self.folder / path).chmod(entry.mode)
            os.utime(self.folder / path, ns=(entry.mtime_ns, entry.mtime_ns))

    def _add(self, state: State, fault: Fault) -> None:
        key = tuple(
            (path, each.content) for path, each in state.items() if not path.name.endswith(_REBUILT)
        )
        self._states.setdefault(key, state)
        self.faults.setdefault(key, []).append(fault)

    def _read(self, path: Path) -> _Entry:
        status = path.stat()
        content = self._keep(path.read_bytes()) if path.is_file() else None
        return _Entry(status.st_mode & 0o7777, status.st_mtime_ns, content)

    def _keep(self, content: bytes) -> str:
        name = hashlib.blake2b(content, digest_size=16).hexdigest()
        self._contents.setdefault(name, content)
        return name


def found_by_a_rerun(folder: Path) -> str:
    """A hash of what a folder means to a rerun; its store is mended by that.

    That is the rows of the store, not how far SQLite had come with a transaction, and without a
    job's process, signs of life and progress; the other files but for logs; and of what is written
    under a temporary name, which is removed, the names alone. Times and random names are left out.
    """
    found = hashlib.blake2b()
    for path in _below(folder):
        if path.parts[0].startswith("streetclip.db") or path.suffix == ".log":
            continue
        is_read = (folder / path).is_file() and ".streetclip-" not in str(path)
        content = (folder / path).read_bytes() if is_read else b""
        found.update(_VARIES.sub(b"*", f"{path}\n".encode() + content))
    with contextlib.closing(sqlite3.connect(folder / "streetclip.db")) as connection:
        connection.execute(_FORGET)
        for line in connection.iterdump():
            if not any(name in line for name in OF_THE_MACHINE):
                found.update(_VARIES.sub(b"*", line.encode()))
    return found.hexdigest()


_VARIES = re.compile(
    rb"\d{4}-\d\d-\d\d[T ][\d:.]+\d|[0-9a-f]{16,}|(?<=\.streetclip-)[a-z0-9_]{8}(?=\.tmp)"
)
_FORGET = """
    UPDATE jobs SET pid = 0, process_started_at = 0, heartbeat_at = '', updated_at = '', task = '',
        unit = '', done = 0, total = 0, rate = 0, numbers = '{}'
"""


def _below(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))
