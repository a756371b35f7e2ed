"""The images of a training, again and again: decoded once and kept, or decoded in each epoch."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from streetclip.config.train_options import DataOptions
from streetclip.data.image_batches import ImageBatch, Preprocess, RandomPreprocess, iterate_batches
from streetclip.models import DualEncoder
from streetclip.models.augmentation import build_augmentation
from streetclip.progress import Stages, no_stages

_LOG = logging.getLogger(__name__)

# Decoding gives the same bytes in every epoch. Sets up to this size are kept in memory, which
# spares all decoding after the first; for large ones it is the model's.
MEMORY_LIMIT_BYTES = 2**30

_DECODED_AT_ONCE = 64
_MAX_WARNINGS = 20  # one by one; all are counted
_AUGMENTATION = 1  # sets these random numbers apart from those of an epoch's order


class ImageSource:
    """Preprocessed images by number, in any order, any number of times.

    Attributes:
        unreadable: Why, by number, of the images met so far that cannot be decoded.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        preprocess: Preprocess | RandomPreprocess,
        *,
        num_workers: int,
        keep: bool,
        device: torch.device | None = None,
        seed: int = 0,
        stages: Stages = no_stages,
    ) -> None:
        """Take what to decode; nothing is decoded yet.

        Args:
            paths: The images.
            preprocess: The model's own geometry, augmented or not.
            num_workers: Processes that decode; -1 for one a spare core.
            keep: Decode all at the first use and keep the pixels in memory; augmented images, which
                differ from epoch to epoch, are never kept.
            device: Where the model computes with the images; on a CPU decoding takes turns with it.
            seed: Of what augmentation draws.
            stages: Told of the images decoded where all are kept.
        """
        self.unreadable: dict[int, str] = {}
        self._paths = paths
        self._preprocess = preprocess
        self._num_workers = num_workers
        self._keep = keep and not isinstance(preprocess, RandomPreprocess)
        self._device = device
        self._seed = seed
        self._stages = stages
        self._kept_NCHW: Tensor | None = None

    def load(self) -> None:
        """Decode now what is to be kept, rather than at the first use."""
        if self._keep and self._kept_NCHW is None:
            self._kept_NCHW = self._decode_all()

    def batches(
        self, order: NDArray[np.int64], batch_size: int, *, epoch: int = 0
    ) -> Iterator[ImageBatch]:
        """Yield consecutive stretches of `order`, without their unreadable images.

        Args:
            order: Numbers of the images, each any number of times.
            batch_size: Images of a stretch; a batch has fewer when some are unreadable.
            epoch: How an image is augmented follows from seed, epoch and its number alone.
        """
        if not self._keep:
            yield from self._decode(order, batch_size, self._draws(order, epoch))
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
        assert not isinstance(self._preprocess, RandomPreprocess)
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

    def _draws(self, order: NDArray[np.int64], epoch: int) -> NDArray[np.uint64] | None:
        if not isinstance(self._preprocess, RandomPreprocess):
            return None
        random = np.random.default_rng([self._seed, epoch, _AUGMENTATION])
        return random.integers(2**64, size=len(self._paths), dtype=np.uint64)[order]

    def _decode(
        self, order: NDArray[np.int64], batch_size: int, draws: NDArray[np.uint64] | None = None
    ) -> Iterator[ImageBatch]:
        batches = iterate_batches(
            self._paths,
            self._preprocess,
            batch_size=batch_size,
            num_workers=self._num_workers,
            order=order,
            draws=draws,
            device=self._device,
        )
        for batch in batches:
            for index, reason in batch.errors.items():
                if index not in self.unreadable and len(self.unreadable) < _MAX_WARNINGS:
                    _LOG.warning("unreadable, skipped: %s", reason)
                self.unreadable[index] = reason
            yield batch


def build_training_preprocess(
    encoder: DualEncoder, options: DataOptions
) -> Preprocess | RandomPreprocess:
    """Choose how training images are prepared; validation images are never augmented.

    Args:
        encoder: Gives the model's geometry.
        options: Whether every pixel is decoded, and what is changed at random.

    Raises:
        ConfigError: Augmentation is asked for, but the model's geometry is not a plain one.
    """
    preprocess = encoder.preprocess if options.exact_preprocessing else encoder.fast_preprocess
    augmented = build_augmentation(preprocess, options)
    if options.horizontal_flip:
        _LOG.warning(
            "--horizontal_flip %g turns left-hand traffic into right-hand and mirrors the writing "
            "on signs, by which countries are told apart",
            options.horizontal_flip,
        )
    return augmented


def fits_in_memory(num_images: int, preprocess: Preprocess) -> bool:
    """Whether the preprocessed pixels of so many images may be kept."""
    return num_images * _blank(preprocess).nbytes <= MEMORY_LIMIT_BYTES


def _blank(preprocess: Preprocess) -> NDArray[np.uint8]:
    return preprocess(Image.new("RGB", (32, 32)))
