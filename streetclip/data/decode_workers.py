"""Prepare images in processes, and attribute crashes to single images.

A thread of this process waits for each worker; it sends a path, receives pixels, and replaces a
worker that dies. Workers keep no state, so killing one is safe.
"""

import atexit
import contextlib
import gc
import multiprocessing
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streetclip.data.decoding import Turn
from streetclip.errors import ImageError, ResourceError, shown

Pixels = NDArray[np.uint8]
Prepare = Callable[[Path, Turn, int | None], Pixels]
"""Preparation of an image, the same for all, picklable.

It holds the turn while a large image is in memory. What is random about it follows from the number
that was submitted with the image.
"""

_DEATH_S = 10.0  # within which a worker whose pipe is closed has an exit code
_KILLING = frozenset({"SIGKILL", "SIGTERM"})  # signals that others send
_ATTEMPTS = 2  # a worker may have been killed for what other processes did
_TURN = "turn"  # sent to ask for the turn to decode a large image, and back to give it
# One process starts at a time: it would inherit the pipes of another that starts, which then stay
# open when that one dies. A start also reaps dead processes, and notes their exit codes later.
_STARTING = threading.Lock()


class _DiedError(Exception):
    """A worker ended before it answered; the argument is its exit code."""


class Workers(contextlib.AbstractContextManager["Workers"]):
    """Processes that prepare images; leaving the context ends them.

    They ignore Ctrl-C and SIGTERM; this process handles both.
    """

    def __init__(self, prepare: Prepare, num_workers: int) -> None:
        """Start the processes, or raise a `ResourceError` if the system refuses."""
        self._prepare = prepare
        self._turn = threading.RLock()  # large images are in memory one at a time
        self._is_closed = False
        self._workers: list[_Worker] = []
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._threads = ThreadPoolExecutor(num_workers, thread_name_prefix="decode")
        atexit.register(self.close)  # they would not heed the TERM of multiprocessing
        try:
            for _ in range(num_workers):
                self._idle.put(self._start())
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_error: object) -> None:
        self.close()

    def submit(self, path: Path, draw: int | None = None) -> "Future[Pixels]":
        """Prepare an image by `prepare`, in the order of submission.

        The future raises what `prepare` raised, an `ImageError` if the image crashes each process
        that tries, or a `ResourceError` if each is killed.
        """
        return self._threads.submit(self._attempt, path, draw)

    def close(self) -> None:
        """Kill the workers and drop pending images."""
        self._is_closed = True
        self._kill_all()
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._kill_all()  # one that took the place of a dead one meanwhile
        atexit.unregister(self.close)

    def _kill_all(self) -> None:
        for worker in list(self._workers):
            worker.kill()

    def _attempt(self, path: Path, draw: int | None) -> Pixels:
        worker = self._idle.get()
        try:
            for _ in range(_ATTEMPTS):
                try:
                    return worker.ask(path, draw, self._turn)
                except _DiedError as death:
                    exit_code = death.args[0]
                if not self._is_closed:
                    self._workers.remove(worker)
                    worker = self._start()
            raise _explained(path, exit_code)
        finally:
            self._idle.put(worker)

    def _start(self) -> "_Worker":
        worker = _Worker(self._prepare)
        self._workers.append(worker)
        return worker


class _Worker:
    """One process and the pipe to it."""

    process: BaseProcess
    pipe: "Connection[Any, Any]"

    def __init__(self, prepare: Prepare) -> None:
        with _STARTING:
            self.pipe, theirs = multiprocessing.Pipe()
            arguments = (theirs, self.pipe, prepare)
            self.process = multiprocessing.Process(target=_serve, args=arguments, daemon=True)
            # It inherits that neither signal reaches it.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
            try:
                self.process.start()
            except OSError as error:
                msg = (
                    f"no process to decode images can be started ({error.strerror or error}). "
                    "Lower --num_workers, and run again."
                )
                raise ResourceError(msg) from error
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()

    def ask(self, path: Path, draw: int | None, turn: Turn) -> Pixels:
        """Send an image; return its pixels or raise the error received."""
        try:
            with contextlib.ExitStack() as held:
                self.pipe.send((path, draw))
                while (answer := self.pipe.recv()) == _TURN:
                    held.enter_context(turn)
                    self.pipe.send(_TURN)
                if isinstance(answer, tuple):
                    # Pixels travel as they are; pickled they take four times as long.
                    return np.frombuffer(self.pipe.recv_bytes(), np.uint8).reshape(answer)
        except (EOFError, OSError):
            self.process.join(_DEATH_S)
            with _STARTING:
                self.process.kill()  # one that only closed its pipe
                exit_code = self.process.exitcode
            raise _DiedError(exit_code) from None
        raise answer

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


def _explained(path: Path, exit_code: int | None) -> Exception:
    """Distinguish a crash, the image's fault, from a kill, which is not."""
    where = shown(path.name)
    how = f"ends with exit code {exit_code}"
    if exit_code is None or exit_code < 0:
        name = "SIGKILL" if exit_code is None else signal.Signals(-exit_code).name
        if name not in _KILLING:
            msg = (
                f"{where}: each process that decodes it crashes ({name}); the file is damaged, or "
                "its decoder has a fault. Save it again, or leave it out."
            )
            return ImageError(msg)
        how = f"is killed ({name})"
    msg = (
        f"{where}: each process that decodes it {how}. Most often memory ran out: lower "
        "--num_workers or --batch_size, and run again."
    )
    return ResourceError(msg)


# What runs in a worker


class _TurnOfParent:
    """The turn, held until the answer about the image is sent."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe = pipe

    def __enter__(self) -> None:
        self._pipe.send(_TURN)
        self._pipe.recv()

    def __exit__(self, *_error: object) -> None:
        pass


def _serve(
    pipe: "Connection[Any, Any]", parents_end: "Connection[Any, Any]", prepare: Prepare
) -> None:
    """Prepare images until the parent closes its pipe or dies."""
    parents_end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    gc.freeze()  # what is inherited stays shared as long as no collection touches it
    with contextlib.suppress(EOFError, OSError):
        while True:
            path, draw = pipe.recv()
            try:
                pixels = prepare(path, _TurnOfParent(pipe), draw)
            except Exception as error:  # noqa: BLE001 -- it is raised where the image was asked for
                error.add_note(f"In a process that decodes:\n{traceback.format_exc()}")
                pipe.send(error)
            else:
                pipe.send(pixels.shape)
                pipe.send_bytes(pixels.data.cast("B"))
