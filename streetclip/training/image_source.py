"""Decode the images of a training and distribute them over steps and processes."""

import itertools
import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from streetclip.config import TrainConfig
from streetclip.config.train_options import DataOptions
from streetclip.data.image_batches import (
    ImageBatch,
    Preprocess,
    RandomPreprocess,
    iterate_batches,
    resolve_num_workers,
)
from streetclip.models.augmentation import build_augmentation
from streetclip.models.encoder import DualEncoder
from streetclip.progress import Stages, no_stages
from streetclip.runtime.distributed import Group
from streetclip.training.interrupts import Interrupt
from streetclip.training.sampling import Sampler, own_order, steps_per_epoch
from streetclip.training.step import StepImages
from streetclip.training.training_data import TrainingData

_LOG = logging.getLogger(__name__)

MEMORY_LIMIT_BYTES = 2**30  # larger image sets are decoded in every epoch
_DECODED_AT_ONCE = 64
_MAX_WARNINGS = 20  # one by one; all are counted
_AUGMENTATION = 1  # separates these random numbers from those of an epoch's order


class ImageSource:
    """Preprocessed images by number; `unreadable` holds the errors of those met so far."""

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
        """Configure decoding.

        `keep` keeps the pixels of all images unless augmented; `seed` is that of augmentation. On a
        CPU `device`, decoding and the model's computation alternate.
        """
        self.unreadable: dict[int, str] = {}
        self._paths, self._preprocess, self._num_workers = paths, preprocess, num_workers
        self._keep = keep and not isinstance(preprocess, RandomPreprocess)
        self._device, self._seed, self._stages = device, seed, stages
        self._kept_NCHW: Tensor | None = None

    def load(self) -> None:
        """Decode the images to keep, rather than at the first use."""
        if self._keep and self._kept_NCHW is None:
            self._kept_NCHW = self._decode_all()

    def batches(
        self, order: NDArray[np.int64], batch_size: int, *, epoch: int = 0
    ) -> Iterator[ImageBatch]:
        """Yield the readable images of each `batch_size` of `order`.

        Augmentation depends on seed, epoch and image number only.
        """
        if not self._keep:
            draws = None
            if isinstance(self._preprocess, RandomPreprocess):
                random = np.random.default_rng([self._seed, epoch, _AUGMENTATION])
                draws = random.integers(2**64, size=len(self._paths), dtype=np.uint64)[order]
            yield from self._decode(order, batch_size, draws)
            return
        self.load()
        assert self._kept_NCHW is not None
        for start in range(0, len(order), batch_size):
            stretch = order[start : start + batch_size].tolist()
            errors = {i: self.unreadable[i] for i in stretch if i in self.unreadable}
            readable = np.array([i for i in stretch if i not in errors], np.int64)
            yield ImageBatch(readable, self._kept_NCHW[torch.from_numpy(readable)], errors)

    def _decode_all(self) -> Tensor:
        assert not isinstance(self._preprocess, RandomPreprocess)
        num_done, num_images = 0, len(self._paths)
        height, width, channels = _blank(self._preprocess).shape
        kept_NCHW = torch.zeros((num_images, channels, height, width), dtype=torch.uint8)
        _LOG.info("decoding %d images into memory, once", num_images)
        with self._stages("decode", "image") as progress:
            for batch in self._decode(np.arange(num_images), _DECODED_AT_ONCE):
                if len(batch.indices_B):
                    kept_NCHW[torch.from_numpy(batch.indices_B)] = batch.pixels_BCHW
                num_done += len(batch.indices_B) + len(batch.errors)
                progress(num_done, num_images)
        return kept_NCHW

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
    """Build preprocessing with augmentation; raise ConfigError if it is not supported."""
    preprocess = encoder.preprocess if options.exact_preprocessing else encoder.fast_preprocess
    augmented = build_augmentation(preprocess, options)
    if options.horizontal_flip:
        _LOG.warning(
            "--horizontal_flip %g turns left-hand traffic into right-hand and mirrors the writing "
            "on signs, by which countries are recognised",
            options.horizontal_flip,
        )
    return augmented


def _blank(preprocess: Preprocess) -> NDArray[np.uint8]:
    return preprocess(Image.new("RGB", (32, 32)))


@dataclass(frozen=True)
class Images:
    """Image sources of a training; `holdout` is None without held-out countries."""

    train: ImageSource
    val: ImageSource
    holdout: ImageSource | None

    @classmethod
    def open(
        cls,
        config: TrainConfig,
        data: TrainingData,
        encoder: DualEncoder,
        stages: Stages,
        group: Group | None,
    ) -> Self:
        """Choose how to decode; decode nothing yet."""
        plain = encoder.preprocess if config.exact_preprocessing else encoder.fast_preprocess
        num_images = sum(len(each) for each in (data.train, data.val, data.holdout or ()))
        source = partial(
            ImageSource,
            num_workers=resolve_num_workers(
                config.num_workers,
                spare=encoder.device.type != "cpu",
                sharing=1 if group is None else group.ranks.local_world_size,
            ),
            keep=num_images * _blank(plain).nbytes <= MEMORY_LIMIT_BYTES,
            device=encoder.device,
            seed=config.seed,
            stages=stages,
        )
        return cls(
            train=source(data.train.paths, build_training_preprocess(encoder, config)),
            val=source(data.val.paths, plain),
            holdout=None if data.holdout is None else source(data.holdout.paths, plain),
        )


class Feed:
    """Splits the images of each step into forward passes and processes."""

    def __init__(
        self, config: TrainConfig, data: TrainingData, images: ImageSource, group: Group | None
    ) -> None:
        self._passes, self._batch_size = config.gradient_accumulation_steps, config.batch_size
        self._images, self._group = images, group
        self._rank, self._num_processes = (0, 1) if group is None else group.place
        self._share = self._passes * self._batch_size
        self._sampler = Sampler(
            data.train.country_codes,
            kind=config.sampler,
            temperature=config.sampling_temperature,
            seed=config.seed,
        )
        wanted, num_images = self._share * self._num_processes, len(data.train)
        self._images_per_step = min(wanted, num_images)
        self.steps_per_epoch = steps_per_epoch(num_images, wanted)

    def steps(
        self, epoch: int, *, done: int, interrupt: Interrupt
    ) -> Generator[StepImages, None, None]:
        """Yield the steps of an epoch, counted from 1, after the `done` ones.

        Raises:
            KeyboardInterrupt: One of several processes was interrupted.
            ResourceError: Another process has ended.
        """
        first, last = done * self._images_per_step, self.steps_per_epoch * self._images_per_step
        own = own_order(
            self._sampler.order(epoch)[first:last],
            share=self._share,
            rank=self._rank,
            num_processes=self._num_processes,
        )
        batches = iter(self._images.batches(own, self._batch_size, epoch=epoch))
        for _ in range(done, self.steps_per_epoch):
            portions = tuple(itertools.islice(batches, self._passes))
            indices = [[portion.indices_B for portion in portions]]
            if self._group is not None:
                # Exchange which images each process could read, and whether all continue.
                found = self._group.exchange((indices[0], interrupt.is_pending))
                if any(is_interrupted for _, is_interrupted in found):
                    interrupt.is_pending = True
                    raise KeyboardInterrupt
                indices = [of_process for of_process, _ in found]
            yield StepImages(portions, self._rank * self._share, indices)
