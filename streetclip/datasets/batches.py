"""Images in batches, decoded by other processes while this one computes.

Legend: B images of a batch that can be read, C channels, H height, W width.
"""

import contextlib
import math
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from streetclip.datasets.images import decode_image
from streetclip.errors import ImageError, ResourceError

Preprocess = Callable[[Image.Image], NDArray[np.uint8]]

# Batches decoded ahead by each worker. Only preprocessed pixels wait, and a worker holds one
# decoded image at a time, so that large panoramas keep memory bounded.
_PREFETCHED_BATCHES = 2
_MAX_AUTOMATIC_WORKERS = 16


@dataclass(frozen=True)
class ImageBatch:
    """A batch of images.

    Attributes:
        indices_B: int64; for each image its index in the `paths` given.
        pixels_BCHW: uint8. Without a readable image its shape is (0, 3, 0, 0).
        errors: Why the others of this batch cannot be read, by index.
    """

    indices_B: NDArray[np.int64]
    pixels_BCHW: torch.Tensor
    errors: dict[int, str]


# What a worker sends: plain arrays travel through a pipe, where tensors would need shared memory,
# of which containers have little.
_Arrays = tuple[NDArray[np.int64], NDArray[np.uint8], dict[int, str]]


class _Batches(Dataset[_Arrays]):
    """Item i is the whole batch i."""

    def __init__(
        self, paths: Sequence[Path], preprocess: Preprocess, batches: list[NDArray[np.int64]]
    ) -> None:
        self._paths = paths
        self._preprocess = preprocess
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, batch: int) -> _Arrays:
        indices, pixels, errors = [], [], {}
        for index in self._batches[batch].tolist():
            try:
                pixels.append(self._preprocess(decode_image(self._paths[index])))
                indices.append(index)
            except ImageError as error:
                errors[index] = str(error)
        stacked = np.stack(pixels) if pixels else np.empty((0, 0, 0, 3), np.uint8)
        pixels_BCHW = np.ascontiguousarray(stacked.transpose(0, 3, 1, 2))
        return np.array(indices, np.int64), pixels_BCHW, errors


def iterate_batches(
    paths: Sequence[Path],
    preprocess: Preprocess,
    *,
    batch_size: int,
    num_workers: int,
    order: Sequence[int] | NDArray[np.int64] | None = None,
    drop_last: bool = False,
) -> Iterator[ImageBatch]:
    """Decode and preprocess images in batches.

    The batches are the same, and in the same order, whatever `num_workers` is. Workers leave
    Ctrl-C, and a TERM that is sent to all processes of a job, to this process. They end when the
    iterator does; within seconds, if this process is killed.

    Args:
        paths: The images.
        preprocess: From an RGB image to uint8 of shape HWC, the same for all images; picklable.
            An `ImageError` that it raises is reported like one of decoding.
        batch_size: Images a batch, readable or not; the last batch may have fewer.
        num_workers: Processes that decode; 0 decodes in this one, -1 is resolved by
            `resolve_num_workers`.
        order: Indices into `paths` to visit, in this order; all in theirs if absent.
        drop_last: Leave out a last batch that is not full.

    Yields:
        Batch after batch. One may have no readable image at all.

    Raises:
        ResourceError: A worker was killed, most often for want of memory.
    """
    visited = np.arange(len(paths)) if order is None else np.asarray(order, np.int64)
    num_batches = (math.floor if drop_last else math.ceil)(len(visited) / batch_size)
    batches = [visited[i * batch_size : (i + 1) * batch_size] for i in range(num_batches)]
    workers = min(resolve_num_workers(num_workers), num_batches)
    dataset = _Batches(paths, preprocess, batches)
    for indices_B, pixels_BCHW, errors in _iterate(dataset, workers):
        yield ImageBatch(indices_B, torch.from_numpy(pixels_BCHW), errors)


def resolve_num_workers(num_workers: int) -> int:
    """Turn -1 into one process for each core that this process may use, but one; at most 16.

    Examples:
        >>> resolve_num_workers(3)
        3
    """
    if num_workers >= 0:
        return num_workers
    return min(_usable_cores() - 1, _MAX_AUTOMATIC_WORKERS)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _iterate(dataset: _Batches, num_workers: int) -> Iterator[_Arrays]:
    iterator: Any = None
    try:
        with _signals_held_back(), _more_workers_than_cores_allowed():
            # Workers start here, and inherit that neither signal reaches them.
            iterator = iter(
                DataLoader(
                    dataset,
                    batch_size=None,
                    num_workers=num_workers,
                    collate_fn=_unchanged,
                    worker_init_fn=_leave_signals_to_parent,
                    prefetch_factor=_PREFETCHED_BATCHES if num_workers else None,
                )
            )
        yield from iterator
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        msg = (
            f"a process that decodes images ended early ({error}). Most often memory ran out: "
            "lower --num_workers or --batch_size, and run again."
        )
        raise ResourceError(msg) from error
    finally:
        # Now, rather than when the last reference to this frame goes (a traceback may hold it).
        if hasattr(iterator, "_shutdown_workers"):
            iterator._shutdown_workers()  # noqa: SLF001 -- there is no public way


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _more_workers_than_cores_allowed() -> Iterator[None]:
    # They are the user's choice, as where the files come over a network.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        yield


def _leave_signals_to_parent(_worker: int) -> None:
    """Ignore Ctrl-C and TERM, but for the TERM by which torch ends a worker that is stuck."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not hasattr(signal, "sigwaitinfo"):  # it tells who sent a signal; macOS lacks it
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parents_word, args=(os.getppid(),), daemon=True).start()


def _end_with_parents_word(parent: int) -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(0)


def _unchanged(arrays: Any) -> Any:
    return arrays
