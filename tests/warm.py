"""Run jobs as processes of their own, without waiting for their imports.

Importing torch and transformers takes seconds; a fork of a process that has done so takes none. A
job behaves as one of `subprocess.Popen`, always in a session of its own. What a cold start shows
(imports, `--help`, `python -m`, torchrun) is tested with `subprocess` itself.
"""

import atexit
import contextlib
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

ROOT = Path(__file__).parents[1]
_STREAMS = ("stdout", "stderr")


class _Server:
    """The process that forks; one for each process of the tests."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.warm_server", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )
        theirs.close()
        self._lock = threading.Lock()
        self._codes: dict[int, int] = {}
        atexit.register(self.close)

    def start(self, request: Mapping[str, Any], files: Sequence[int]) -> int:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(request).encode()], files)
            while True:
                answer = json.loads(self._socket.recv(4096) or b"{}")
                if not answer:
                    msg = "the warm process has ended"
                    raise RuntimeError(msg)
                if "code" not in answer:
                    self._codes.pop(answer["pid"], None)  # of an earlier process with this number
                    return int(answer["pid"])
                self._codes[answer["pid"]] = answer["code"]

    def code_of(self, pid: int, timeout_s: float) -> int | None:
        """The exit status of a process, waited for so long; None while it runs."""
        deadline = time.monotonic() + timeout_s
        while pid not in self._codes:
            with self._lock:
                left_s = max(0.0, min(0.05, deadline - time.monotonic()))
                if select.select([self._socket], [], [], left_s)[0]:
                    answer = json.loads(self._socket.recv(4096) or b"{}")
                    self._codes[answer["pid"]] = answer["code"]
            if pid not in self._codes and time.monotonic() >= deadline:
                return None
        return self._codes[pid]

    def close(self) -> None:
        self._socket.close()
        self._process.wait(60)


@functools.cache
def _server() -> _Server:
    return _Server()


class Job:
    """A script that runs; has what of `subprocess.Popen` the tests use."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path = ROOT,
        env: Mapping[str, str] | None = None,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        text: bool = False,
    ) -> None:
        """Start it.

        Args:
            arguments: The script's path, from the repository's root or whole, and its arguments.
            cwd: Its working folder.
            env: Its environment; ours by default.
            stdout: A file, `subprocess.PIPE`, `subprocess.DEVNULL`, or ours.
            stderr: The same.
            text: Whether the pipes give texts.
        """
        self.args = [str(ROOT / arguments[0]), *map(str, arguments[1:])]
        self.returncode: int | None = None
        with contextlib.ExitStack() as given:
            nothing = given.enter_context(open(os.devnull, "r+b"))  # noqa: PTH123
            ours, theirs = zip(
                *(self._stream(each, number, text, nothing, given)
                  for number, each in ((1, stdout), (2, stderr))), strict=True
            )  # fmt: skip
            self.stdout, self.stderr = ours
            environment = dict(os.environ if env is None else env)
            request = {"argv": self.args, "cwd": str(cwd), "env": environment}
            self.pid = _server().start(request, [nothing.fileno(), *theirs])

    @staticmethod
    def _stream(
        wanted: int | IO[Any] | None,
        number: int,
        text: bool,
        nothing: IO[bytes],
        given: contextlib.ExitStack,
    ) -> tuple[IO[Any] | None, int]:
        """Our end of a stream, if it is a pipe, and the file number of theirs."""
        if wanted is None:
            return None, number
        if wanted == subprocess.DEVNULL:
            return None, nothing.fileno()
        if wanted == subprocess.PIPE:
            reading, writing = os.pipe()
            given.callback(os.close, writing)
            return os.fdopen(reading, "r" if text else "rb", -1 if text else 2**13), writing
        return None, wanted if isinstance(wanted, int) else wanted.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        self.returncode = _server().code_of(self.pid, 0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended."""
        self.returncode = _server().code_of(self.pid, 600.0 if timeout is None else timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 600.0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Signal it, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        """Read both streams to their end, then wait."""
        streams = [self.stdout, self.stderr]
        read: list[Any] = [None, None]

        def drain(index: int) -> None:
            read[index] = streams[index].read()

        readers = [threading.Thread(target=drain, args=(i,)) for i in (0, 1) if streams[i]]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        self.wait(timeout)
        for stream in streams:
            if stream is not None:
                stream.close()
        return read[0], read[1]


def run(arguments: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, both outputs captured as texts, as `subprocess.run` does."""
    job = Job(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    output, errors = job.communicate(600.0)
    assert job.returncode is not None
    return subprocess.CompletedProcess(job.args, job.returncode, output, errors)


def start_group(arguments: Sequence[str], num_processes: int) -> list[Job]:
    """Start a script in several processes that share a job, as torchrun would on one machine."""
    port = free_port()
    return [
        Job(
            arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | rank_environment(rank, num_processes, port),
        )
        for rank in range(num_processes)
    ]


def run_group(
    arguments: Sequence[str], num_processes: int
) -> list[subprocess.CompletedProcess[str]]:
    """Run a script in several processes to their end, and return what came of each, by rank."""
    jobs = start_group(arguments, num_processes)
    outputs = [job.communicate(600.0) for job in jobs]
    return [
        subprocess.CompletedProcess(job.args, job.returncode or 0, *texts)
        for job, texts in zip(jobs, outputs, strict=True)
    ]


def joined(
    group: Sequence[subprocess.CompletedProcess[str]],
) -> subprocess.CompletedProcess[str]:
    """Join the outputs of a group; its exit code is the first that is not 0, as torchrun's."""
    code = next((each.returncode for each in group if each.returncode), 0)
    output, errors = ("".join(getattr(each, name) for each in group) for name in _STREAMS)
    return subprocess.CompletedProcess(group[0].args, code, output, errors)


def free_port() -> int:
    """A port that nothing listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def rank_environment(rank: int, num_processes: int, port: int) -> dict[str, str]:
    """What torchrun sets for one of its processes."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(num_processes),
        "LOCAL_WORLD_SIZE": str(num_processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
