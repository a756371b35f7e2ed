"""Decode images in batches, in other processes while this one computes.

A thread of this process waits for each worker process; it sends a path, receives pixels, and
replaces a worker that dies. Workers keep no state, so killing one is safe.

Legend: B readable images of a batch, C channels, H height, W width.
"""

import atexit
import contextlib
import functools
import gc
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from streetclip.data.decoding import LARGE_TURN, Crop, Turn, decode_crop, decode_image
from streetclip.errors import ImageError, ResourceError, shown

Pixels = NDArray[np.uint8]
Prepare = Callable[[Path, Turn, int | None], Pixels]
"""Prepares any image, by the number drawn for it; holds the turn for a large one; picklable."""

Preprocess = Callable[[Image.Image], Pixels]

# Batches decoded ahead, if the caller computes elsewhere than on the cores that decode. Only
# preprocessed pixels wait, so that large panoramas keep memory bounded.
_BATCHES_AHEAD = 2
_MAX_AUTOMATIC_WORKERS = 16

_DEATH_S = 10.0  # within which a worker whose pipe is closed has an exit code
_KILLING = frozenset({"SIGKILL", "SIGTERM"})  # signals that others send
_ATTEMPTS = 2  # a worker may have been killed for what other processes did
_TURN = "turn"  # sent to ask for the turn to decode a large image, and back to give it
# One process starts at a time: it would inherit the pipes of another that starts, which then stay
# open when that one dies. A start also reaps dead processes, and notes their exit codes later.
_STARTING = threading.Lock()


@runtime_checkable
class FastPreprocess(Protocol):
    """Choose a part of an image before decoding, then preprocess it."""

    def crop_of(self, width: int, height: int) -> Crop:
        """Choose the part of an image of this size."""

    def finish(self, cropped: Image.Image) -> Pixels:
        """Convert that part into uint8 of shape HWC."""


@runtime_checkable
class RandomPreprocess(Protocol):
    """Preprocess an image differently at each visit, by a drawn number."""

    def drawn(self, draw: int) -> Preprocess | FastPreprocess:
        """Return the preprocess of a drawn number, 0 to 2⁶⁴ − 1."""


@dataclass(frozen=True)
class ImageBatch:
    """Hold a batch of images."""

    indices_B: NDArray[np.int64]  # in the `paths` given
    pixels_BCHW: torch.Tensor  # uint8; shape (0, 3, 0, 0) without a readable image
    errors: dict[int, str]  # of the unreadable images, by index


def iterate_batches(
    paths: Sequence[Path],
    preprocess: Preprocess | FastPreprocess | RandomPreprocess,
    *,
    batch_size: int,
    num_workers: int,
    order: Sequence[int] | NDArray[np.int64] | None = None,
    draws: NDArray[np.uint64] | None = None,
    device: torch.device | None = None,
) -> Iterator[ImageBatch]:
    """Decode and preprocess images in batches; the same batches for any `num_workers`.

    Workers end with the iterator or this process. An image whose decoder crashes is unreadable; a
    killed worker is replaced once, then a `ResourceError` is raised.

    `preprocess` makes uint8 HWC of an RGB image and is picklable; its `ImageError`s are reported
    like those of decoding. `order` has indices into `paths` to visit, repeats allowed; `draws` a
    number for each visit, for a `RandomPreprocess`. `num_workers` 0 decodes in this process; -1 is
    resolved by `resolve_num_workers`. `device` is where the caller computes: for the CPU little is
    decoded meanwhile; pixels for CUDA are in pinned memory; None if the caller computes little.
    """
    visited = np.arange(len(paths)) if order is None else np.asarray(order, np.int64)
    takes_turns = device is not None and device.type == "cpu"
    workers = min(resolve_num_workers(num_workers, spare=not takes_turns), len(visited))
    ahead = workers if takes_turns else max(_BATCHES_AHEAD * batch_size, 2 * workers)
    is_pinned = device is not None and device.type == "cuda"
    prepare = functools.partial(_prepare, preprocess)
    # For each image its index, and a call that waits for its pixels or raises its error.
    waiting: deque[tuple[int, Callable[[], Pixels]]] = deque()
    upcoming = zip(
        visited.tolist(),
        itertools.repeat(None) if draws is None else iter(draws.tolist()),
        strict=False,
    )
    with Workers(prepare, workers) if workers else contextlib.nullcontext() as pool:
        for start in range(0, len(visited), batch_size):
            size = min(batch_size, len(visited) - start)
            for index, draw in itertools.islice(upcoming, size + ahead - len(waiting)):
                pixels: Callable[[], Pixels]
                if pool is None:
                    pixels = functools.partial(prepare, paths[index], LARGE_TURN, draw)
                else:
                    pixels = pool.submit(paths[index], draw).result
                waiting.append((index, pixels))
            batch = [waiting.popleft() for _ in range(size)]
            yield _collect(batch, is_pinned=is_pinned)


def resolve_num_workers(num_workers: int, *, spare: bool = True, sharing: int = 1) -> int:
    """Resolve -1 to one process per core available, at most 16.

    `spare` leaves one core for computing; `sharing` processes share the cores in this way.
    """
    if num_workers >= 0:
        return num_workers
    affinity = getattr(os, "sched_getaffinity", None)  # absent on macOS
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(max(cores // sharing - spare, 0), _MAX_AUTOMATIC_WORKERS)


def _collect(waiting: list[tuple[int, Callable[[], Pixels]]], *, is_pinned: bool) -> ImageBatch:
    indices, pixels, errors = [], [], {}
    for index, wait in waiting:
        try:
            pixels.append(wait())
            indices.append(index)
        except ImageError as error:
            errors[index] = str(error)
    shape = (len(pixels), *pixels[0].shape) if pixels else (0, 3, 0, 0)
    pixels_BCHW = torch.empty(shape, dtype=torch.uint8, pin_memory=is_pinned)
    if pixels:
        np.stack(pixels, out=pixels_BCHW.numpy())
    return ImageBatch(np.array(indices, np.int64), pixels_BCHW, errors)


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


@contextlib.contextmanager
def _signals_later(*numbers: signal.Signals) -> Iterator[None]:
    """Handle signals after a block that forks; the process that it starts inherits them blocked.

    Blocking is not enough, as they may reach another thread: their handler would then run, and
    what it raises be lost, in what Python itself does at a fork.
    """
    came: list[int] = []
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {each: signal.signal(each, lambda n, _: came.append(n)) for each in numbers}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for each in dict.fromkeys(came):
            signal.raise_signal(each)


class _Worker:
    """One process and the pipe to it."""

    process: BaseProcess
    pipe: "Connection[Any, Any]"

    def __init__(self, prepare: Prepare) -> None:
        with _STARTING:
            self.pipe, theirs = multiprocessing.Pipe()
            arguments = (theirs, self.pipe, prepare)
            self.process = multiprocessing.Process(target=_serve, args=arguments, daemon=True)
            with _signals_later(signal.SIGINT, signal.SIGTERM):
                try:
                    self.process.start()
                except OSError as error:
                    msg = (
                        f"no process to decode images can be started ({error.strerror or error}). "
                        "Lower --num_workers, and run again."
                    )
                    raise ResourceError(msg) from error
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


def _prepare(
    preprocess: Preprocess | FastPreprocess | RandomPreprocess,
    path: Path,
    turn: Turn,
    draw: int | None,
) -> Pixels:
    """Decode an image and preprocess it to pixels CHW."""
    if isinstance(preprocess, RandomPreprocess):
        assert draw is not None
        preprocess = preprocess.drawn(draw)
    if isinstance(preprocess, FastPreprocess):
        pixels_HWC = preprocess.finish(decode_crop(path, preprocess.crop_of, turn=turn))
    else:
        pixels_HWC = preprocess(decode_image(path, turn=turn))
    return np.ascontiguousarray(pixels_HWC.transpose(2, 0, 1))
