"""Stop, shorten or fail the n-th write of a job, as a machine or a disk would.

The job gives the kernel a seccomp filter that asks this process before each call that writes, and
goes on only once it has an answer. A filter is passed on to every thread and every child, and sees
all calls, whichever library makes them: SQLite's, torch's C++, safetensors' Rust. A shim of
Python's functions would miss those; a preloaded library needs a compiler and misses calls from
within libc; tracing stops at every call, also the thousands that only read. Linux on x86-64.
"""

import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests import warm

IS_POSSIBLE = sys.platform == "linux" and platform.machine() == "x86_64"

Mode = Literal["kill", "short", "full", "failing"]
MODES: tuple[Mode, ...] = ("kill", "short", "full", "failing")

# Number, and which arguments are a file number ("f"), a folder and a path ("d"), or a path ("p").
_CALLS = {
    "write": (1, "f"), "pwrite64": (18, "f"), "writev": (20, "f"), "pwritev": (296, "f"),
    "sendfile": (40, "f"), "copy_file_range": (326, "--f"), "fallocate": (285, "f"),
    "ftruncate": (77, "f"), "truncate": (76, "p"), "fsync": (74, "f"), "fdatasync": (75, "f"),
    "open": (2, "p"), "openat": (257, "dp"), "creat": (85, "p"),
    "mkdir": (83, "p"), "mkdirat": (258, "dp"), "rmdir": (84, "p"),
    "unlink": (87, "p"), "unlinkat": (263, "dp"), "link": (86, "pp"), "linkat": (265, "dpdp"),
    "symlink": (88, "-p"), "symlinkat": (266, "-dp"),
    "rename": (82, "pp"), "renameat": (264, "dpdp"), "renameat2": (316, "dpdp"),
}  # fmt: skip
_NAMES = {number: name for name, (number, _) in _CALLS.items()}
_FLAGS_OF_OPEN = {2: 1, 257: 2}  # which argument tells whether the file is made or emptied
_NEEDS_NO_ROOM = {"unlink", "unlinkat", "rmdir"}

_SUPERVISED = "tests/crash/supervised.py"
_OPENAT2 = 437  # its flags are in memory, out of the filter's sight: callers fall back on openat
_X86_64 = 0xC000003E
_ALLOW, _ASK, _NO_SUCH_CALL = 0x7FFF0000, 0x7FC00000, 0x00050000 | errno.ENOSYS
_SECCOMP, _SET_FILTER, _WITH_LISTENER = 317, 1, 8
_NO_NEW_PRIVILEGES, _ALLOW_READERS = 38, 0x59616D61
_RECEIVE, _ANSWER, _GO_ON = 0xC0502100, 0xC0182101, 1
_QUESTION = struct.Struct("=QII iIQ6Q")


@dataclass(frozen=True)
class Fault:
    """What happens to a write.

    `kill`: the job and its children are killed before it. `short`: half of its bytes are written,
    then they are killed. `full`: it and all that follow find the disk full. `failing`: it alone
    fails with an input/output error.
    """

    mode: Mode
    at: int  # 1 is the first

    def __str__(self) -> str:
        return f"{self.mode} at {self.at}"


@dataclass(frozen=True)
class Call:
    """A write of the job; `num_bytes` of those that have any."""

    name: str
    paths: tuple[Path, ...]
    num_bytes: int = 0
    is_main: bool = True
    """Whether the job's main thread makes it."""

    @property
    def is_hidden(self) -> bool:
        """Whether it writes into a file that has no name of its own yet."""
        return self.num_bytes > 0 and any(".streetclip-" in each for each in self.paths[0].parts)


@dataclass(frozen=True)
class Half:
    """The first half of a write, and where in which file it comes to lie."""

    path: Path
    place: int
    data: bytes


Watch = Callable[[int, Half | None], None]
"""Gets the number of a write, the first is 1, and its first half, if it writes data."""


@dataclass
class Outcome:
    """How a job ended, and what it wrote below the folder, as far as it got."""

    code: int
    errors: str
    calls: list[Call] = field(default_factory=list)


def run(
    arguments: Sequence[str],
    folder: Path,
    fault: Fault | None = None,
    watch: Watch | None = None,
) -> Outcome:
    """Run a job, and let one of its writes below a folder meet a fault.

    Args:
        arguments: The script from the repository's root, and its flags.
        folder: Writes elsewhere are left alone and not counted; temporary files are in it.
        fault: None lets all of them through.
        watch: Called before each write, without a fault, while the job waits.
    """
    log, address = folder.with_name(f"{folder.name}.log"), f"\0streetclip-{os.getpid()}-{folder}"
    calls: list[Call] = []
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server,
        log.open("wb+") as errors,
    ):
        server.bind(address[:100])
        server.listen(1)
        command = [_SUPERVISED, address[1:100], *arguments]
        with warm.Job(command, stdout=errors, stderr=errors, env=_environment(folder)) as job:
            server.settimeout(600)
            with server.accept()[0] as connection:
                _, listeners, _, _ = socket.recv_fds(connection, 1, 1)
            if not listeners:
                job.wait(60)
                raise RuntimeError(log.read_text())
            (listener,) = listeners
            try:
                for question in _questions(listener):
                    _decide(listener, question, folder, fault, calls, job.pid, watch)
            finally:
                os.close(listener)
            code = job.wait(600)
        errors.seek(0)
        text = errors.read().decode("utf-8", "replace")
    log.unlink()
    return Outcome(code, text, calls)


def run_alone(arguments: Sequence[str], folder: Path) -> Outcome:
    """Run a job as `run` does, but let its writes through unseen: that takes less time."""
    done = warm.run([_SUPERVISED, "", *arguments], env=_environment(folder))
    return Outcome(done.returncode, done.stdout + done.stderr)


def _environment(folder: Path) -> dict[str, str]:
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return os.environ | {"TMPDIR": str(temporary)}


def supervise(address: str) -> None:
    """Let another process decide on this one's writes; called in the job, before its work."""
    libc = ctypes.CDLL(None, use_errno=True)
    program = _filter()
    instructions = ctypes.create_string_buffer(program)
    header = ctypes.create_string_buffer(
        struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(instructions))
    )
    libc.prctl(_ALLOW_READERS, ctypes.c_ulong(-1 & 2**64 - 1), 0, 0, 0)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(f"\0{address}")
        listener = libc.syscall(_SECCOMP, _SET_FILTER, _WITH_LISTENER, header)
        if listener < 0:
            msg = f"seccomp: {os.strerror(ctypes.get_errno())}"
            raise OSError(msg)
        socket.send_fds(connection, [b"x"], [listener])
        os.close(listener)


def _filter() -> bytes:
    """The kernel's program: ask about calls that write, and opens that make or empty a file."""
    load, equal, any_bit, answer = 0x20, 0x15, 0x45, 0x06
    code = [(load, 0, 0, 4), (equal, 1, 0, _X86_64), (answer, 0, 0, _ALLOW), (load, 0, 0, 0),
            (equal, 0, 1, _OPENAT2), (answer, 0, 0, _NO_SUCH_CALL)]  # fmt: skip
    for number in _NAMES:
        if number in _FLAGS_OF_OPEN:
            flags = 16 + 8 * _FLAGS_OF_OPEN[number]
            code += [(equal, 0, 4, number), (load, 0, 0, flags),
                     (any_bit, 0, 1, os.O_CREAT | os.O_TRUNC), (answer, 0, 0, _ASK),
                     (answer, 0, 0, _ALLOW)]  # fmt: skip
        else:
            code += [(equal, 0, 1, number), (answer, 0, 0, _ASK)]
    return b"".join(struct.pack("HBBI", *each) for each in [*code, (answer, 0, 0, _ALLOW)])


@dataclass(frozen=True)
class _Question:
    """A call that waits for an answer."""

    id: int
    thread: int
    number: int
    arguments: tuple[int, ...]

    @property
    def name(self) -> str:
        return _NAMES[self.number]

    def paths(self) -> tuple[Path, ...]:
        """The files that the call is about."""
        found, base = [], "cwd"
        for kind, value in zip(_CALLS[self.name][1], self.arguments, strict=False):
            if kind == "f":
                found.append(self._link(f"fd/{value}"))
            elif kind == "d":
                base = "cwd" if value & 0xFFFFFFFF == 2**32 - 100 else f"fd/{value}"
            elif kind == "p":
                found.append(self._link(base) / os.fsdecode(self._text(value)))
        return tuple(Path(os.path.normpath(each)) for each in found)

    def data(self) -> bytes:
        """What the call would write."""
        if self.name in ("write", "pwrite64"):
            return self._memory(self.arguments[1], self.arguments[2])
        if self.name in ("writev", "pwritev"):
            pairs = struct.iter_unpack(
                "QQ", self._memory(self.arguments[1], 16 * self.arguments[2])
            )
            return b"".join(self._memory(*pair) for pair in pairs)
        return b""

    def half(self) -> Half | None:
        """The first half of its bytes, and where the call would write them."""
        data = self.data()
        if not data:
            return None
        process, file = Path(f"/proc/{self.thread}"), self.arguments[0]
        place = self.arguments[3]
        if self.name in ("write", "writev"):
            info = (process / f"fdinfo/{file}").read_text().split()
            place = int(info[1])
            if int(info[3], 8) & os.O_APPEND:
                place = (process / f"fd/{file}").stat().st_size
        return Half(self.paths()[0], place, data[: len(data) // 2])

    def write_half(self) -> None:
        """Write the first half of its bytes, where the call would."""
        half = self.half()
        if half is not None:
            descriptor = os.open(f"/proc/{self.thread}/fd/{self.arguments[0]}", os.O_WRONLY)
            os.pwrite(descriptor, half.data, half.place)
            os.close(descriptor)

    def _link(self, name: str) -> Path:
        return Path(os.readlink(f"/proc/{self.thread}/{name}").removesuffix(" (deleted)"))  # noqa: PTH115 -- no path

    def _memory(self, address: int, num_bytes: int) -> bytes:
        with open(f"/proc/{self.thread}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
            memory.seek(address)
            return memory.read(num_bytes)

    def _text(self, address: int) -> bytes:
        """A text that ends with a zero; read up to the end of a page, as the next may not exist."""
        found = b""
        while b"\0" not in found:
            start = address + len(found)
            found += self._memory(start, 4096 - start % 4096)
        return found.partition(b"\0")[0]


def _questions(listener: int) -> Iterator[_Question]:
    """Every call that waits, until the last process with the filter has ended."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while True:
        (_, events), *_ = poll.poll() or [(0, 0)]
        if events & select.POLLIN:
            buffer = bytearray(_QUESTION.size)
            try:
                fcntl.ioctl(listener, _RECEIVE, buffer, True)
            except OSError as error:  # it was killed meanwhile
                if error.errno != errno.ENOENT:
                    raise
                continue
            id_, thread, _, number, _, _, *arguments = _QUESTION.unpack(buffer)
            yield _Question(id_, thread, number, tuple(arguments))
        elif events & select.POLLHUP:
            return


def _decide(
    listener: int,
    question: _Question,
    folder: Path,
    fault: Fault | None,
    calls: list[Call],
    group: int,
    watch: Watch | None,
) -> None:
    """Answer a call; kill the group, or refuse it, where the fault says so."""
    refusal, num_before, half = 0, len(calls), None
    try:
        paths = question.paths()
        if any(path.is_relative_to(folder) for path in paths):
            num_bytes = len(question.data()) if fault is None else 0
            calls.append(Call(question.name, paths, num_bytes, question.thread == group))
            if watch is not None:
                half = question.half()
            if fault is not None and len(calls) >= fault.at:
                refusal = _meet(question, fault, group, is_first=len(calls) == fault.at)
    except (FileNotFoundError, ProcessLookupError):
        pass  # the thread was killed
    if watch is not None and len(calls) > num_before:
        watch(len(calls), half)
    answer = struct.pack("=QqiI", question.id, 0, -refusal, 0 if refusal else _GO_ON)
    try:
        fcntl.ioctl(listener, _ANSWER, answer)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise


def _meet(question: _Question, fault: Fault, group: int, *, is_first: bool) -> int:
    """Let a fault happen to a call, and give the error that it meets, if any."""
    if fault.mode == "full":
        return 0 if question.name in _NEEDS_NO_ROOM else errno.ENOSPC
    if fault.mode == "failing":
        return errno.EIO if is_first else 0
    if fault.mode == "short" and is_first:
        question.write_half()
    os.killpg(group, signal.SIGKILL)
    return errno.EIO  # should the signal come late
