"""What a folder holds at each write of a job: what a kill there would leave.

A killed process leaves what it has written, and no locks. A copy that is made while the job waits
for its next write is the same, so that one run shows what a kill at any of its writes leaves. Where
nothing has changed since another write, as before a sync, what is left is equal to the last byte.
"""

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from tests.crash.system_calls import Fault, Half

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


def _below(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))
