"""The images of a training, again and again: decoded once and kept, or decoded in each epoch."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from streetclip.datasets.batches import ImageBatch, Preprocess, iterate_batches
from streetclip.progress import Stages, no_stages

_LOG = logging.getLogger(__name__)

# Decoding gives the same bytes in every epoch. Sets up to this size are kept in memory, which
# spares all decoding after the first; for large ones it is the model's.
MEMORY_LIMIT_BYTES = 2**30

_DECODED_AT_ONCE = 64
_MAX_WARNINGS = 20  # one by one; all are counted


class ImageSource:
    """Preprocessed images by number, in any order, any number of times.

    Attributes:
        unreadable: Why, by number, of the images met so far that cannot be decoded.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        preprocess: Preprocess,
        *,
        num_workers: int,
        keep: bool,
        stages: Stages = no_stages,
    ) -> None:
        """Take what to decode; nothing is decoded yet.

        Args:
            paths: The images.
            preprocess: The model's own geometry.
            num_workers: Processes that decode; -1 for one a spare core.
            keep: Decode all at the first use and keep the pixels in memory.
            stages: Told of the images decoded where all are kept.
        """
        self.unreadable: dict[int, str] = {}
        self._paths = paths
        self._preprocess = preprocess
        self._num_workers = num_workers
        self._keep = keep
        self._stages = stages
        self._kept_NCHW: Tensor | None = None

    def load(self) -> None:
        """Decode now what is to be kept, rather than at the first use."""
        if self._keep and self._kept_NCHW is None:
            self._kept_NCHW = self._decode_all()

    def batches(self, order: NDArray[np.int64], batch_size: int) -> Iterator[ImageBatch]:
        """Yield consecutive stretches of `order`, without their unreadable images.

        Args:
            order: Numbers of the images, each at most once.
            batch_size: Images of a stretch; a batch has fewer when some are unreadable.
        """
        if not self._keep:
            yield from self._decode(order, batch_size)
            return
        self.load()
        assert self._kept_NCHW is not None
        for start in range(0, len(order), batch_size):
            stretch = order[start : start + batch_size].tolist()
            errors = {
                index: self.unreadable[index] for index in stretch if index in self.unreadable
            }
            readable = np.array([index for index in stretch if index not in errors], np.int64)
            yield ImageBatch(readable, self._kept_NCHW[torch.from_numpy(readable)], errors)

    def _decode_all(self) -> Tensor:
        height, width, channels = _blank(self._preprocess).shape
        kept_NCHW = torch.zeros((len(self._paths), channels, height, width), dtype=torch.uint8)
        _LOG.info("decoding %d images into memory, once", len(self._paths))
        num_done, num_images = 0, len(self._paths)
        with self._stages("decode", "image") as progress:
            for batch in self._decode(np.arange(num_images), _DECODED_AT_ONCE):
                if len(batch.indices_B):
                    kept_NCHW[torch.from_numpy(batch.indices_B)] = batch.pixels_BCHW
                num_done += len(batch.indices_B) + len(batch.errors)
                progress(num_done, num_images)
        return kept_NCHW

    def _decode(self, order: NDArray[np.int64], batch_size: int) -> Iterator[ImageBatch]:
        batches = iterate_batches(
            self._paths,
            self._preprocess,
            batch_size=batch_size,
            num_workers=self._num_workers,
            order=order,
        )
        for batch in batches:
            for index, reason in batch.errors.items():
                if index not in self.unreadable and len(self.unreadable) < _MAX_WARNINGS:
                    _LOG.warning("unreadable, skipped: %s", reason)
                self.unreadable[index] = reason
            yield batch


def fits_in_memory(num_images: int, preprocess: Preprocess) -> bool:
    """Whether the preprocessed pixels of so many images may be kept."""
    return num_images * _blank(preprocess).nbytes <= MEMORY_LIMIT_BYTES


def _blank(preprocess: Preprocess) -> NDArray[np.uint8]:
    return preprocess(Image.new("RGB", (32, 32)))
