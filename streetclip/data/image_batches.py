"""Decode images in batches, in other processes while this one computes.

Legend: B readable images of a batch, C channels, H height, W width.
"""

import contextlib
import functools
import itertools
import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from streetclip.crops import Crop
from streetclip.data.decode_workers import Pixels, Workers
from streetclip.data.decoding import LARGE_TURN, Turn, decode_crop, decode_image
from streetclip.errors import ImageError

Preprocess = Callable[[Image.Image], NDArray[np.uint8]]

# Batches decoded ahead, if the caller computes elsewhere than on the cores that decode. Only
# preprocessed pixels wait, so that large panoramas keep memory bounded.
_BATCHES_AHEAD = 2
_MAX_AUTOMATIC_WORKERS = 16


@runtime_checkable
class FastPreprocess(Protocol):
    """Choose a part of an image before decoding, then preprocess it."""

    def crop_of(self, width: int, height: int) -> Crop:
        """Choose the part of an image of this size."""

    def finish(self, cropped: Image.Image) -> NDArray[np.uint8]:
        """Convert that part into uint8 of shape HWC."""


@runtime_checkable
class RandomPreprocess(Protocol):
    """Preprocess an image differently at each visit, by a drawn number."""

    def drawn(self, draw: int) -> Preprocess | FastPreprocess:
        """Return the preprocess of a drawn number, 0 to 2⁶⁴ − 1."""


@dataclass(frozen=True)
class ImageBatch:
    """Store a batch of images.

    Attributes:
        indices_B: For each image its index in the `paths` given.
        pixels_BCHW: uint8; shape (0, 3, 0, 0) without a readable image.
        errors: Errors of the unreadable images, by index.
    """

    indices_B: NDArray[np.int64]
    pixels_BCHW: torch.Tensor
    errors: dict[int, str]


def iterate_batches(  # noqa: PLR0913 -- which images, how, and in what batches
    paths: Sequence[Path],
    preprocess: Preprocess | FastPreprocess | RandomPreprocess,
    *,
    batch_size: int,
    num_workers: int,
    order: Sequence[int] | NDArray[np.int64] | None = None,
    draws: NDArray[np.uint64] | None = None,
    drop_last: bool = False,
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
    num_batches = (math.floor if drop_last else math.ceil)(len(visited) / batch_size)
    visited = visited[: num_batches * batch_size]
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
                if pool is None:
                    waiting.append(
                        (index, functools.partial(prepare, paths[index], LARGE_TURN, draw))
                    )
                else:
                    waiting.append((index, pool.submit(paths[index], draw).result))
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
