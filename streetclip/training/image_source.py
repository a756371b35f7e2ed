"""Order and decode the images of a training, and distribute them over steps and processes.

Shape suffixes: N images, C countries.
"""

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
from streetclip.training.step import Int64, StepImages
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

    def batches(self, order: Int64, batch_size: int, *, epoch: int = 0) -> Iterator[ImageBatch]:
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
        self, order: Int64, batch_size: int, draws: NDArray[np.uint64] | None = None
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

        Raises KeyboardInterrupt if one of several processes was interrupted, ResourceError if
        another one has ended.
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


def epoch_order(num_images: int, *, seed: int, epoch: int) -> Int64:
    """Permute the images of an epoch, counted from 1."""
    return np.random.default_rng([seed, epoch]).permutation(num_images).astype(np.int64)


def steps_per_epoch(num_images: int, batch_size: int) -> int:
    """Count the full batches of an epoch, at least one."""
    return max(1, num_images // batch_size)


def own_order(order: Int64, *, share: int, rank: int, num_processes: int) -> Int64:
    """Select what one of several processes encodes: in turn, `share` images of each step.

    The order has whole steps, or one with fewer images, which the last processes lack.

    Examples:
        >>> own_order(np.arange(8), share=2, rank=1, num_processes=2)
        array([2, 3, 6, 7])
        >>> own_order(np.arange(3), share=2, rank=1, num_processes=2)
        array([2])
    """
    if len(order) < share * num_processes:
        return order[rank * share :][:share]
    return order.reshape(-1, num_processes, share)[:, rank].reshape(-1)


def validation_groups(num_images: int, *, group_size: int, seed: int) -> Iterator[Int64]:
    """Yield equal groups of validation images; fill the last from the start of the shuffle."""
    order = epoch_order(num_images, seed=seed, epoch=0)
    size = min(group_size, num_images)
    for start in range(0, num_images, max(1, size)):
        yield np.take(order, range(start, start + size), mode="wrap")


class Sampler:
    """Chooses the N images of an epoch and their order.

    "natural" shows each image once. "country_balanced" shows a country in proportion to its number
    of images to the power of 1/T (XLM: Lample and Conneau, arXiv 1901.07291, section 3.1); counts
    of a country's images differ by at most one. `num_shown` is the number of each country.

    Examples:
        >>> codes = ["FR"] * 16 + ["PE"] * 4
        >>> Sampler(codes, kind="country_balanced", temperature=2, seed=42).num_shown
        {'FR': 13, 'PE': 7}
    """

    def __init__(
        self, country_codes: Sequence[str], *, kind: str, temperature: float, seed: int
    ) -> None:
        self._num_images, self._seed = len(country_codes), seed
        self._is_natural = kind == "natural"
        codes_C, country_N, self._size_C = np.unique(
            np.asarray(country_codes, str), return_inverse=True, return_counts=True
        )
        self._quota_C = _quotas(self._size_C, 1 if self._is_natural else temperature)
        order_N = epoch_order(self._num_images, seed=seed, epoch=0)
        self._by_country_N = order_N[np.argsort(country_N[order_N], kind="stable")]
        self.num_shown = dict(zip(codes_C.tolist(), self._quota_C.tolist(), strict=True))

    def order(self, epoch: int) -> Int64:
        """Return the N image numbers of an epoch, counted from 1."""
        shuffled_N = epoch_order(self._num_images, seed=self._seed, epoch=epoch)
        if self._is_natural:
            return shuffled_N
        # Each country continues where it stopped in the epoch before.
        quota_C, size_C = self._quota_C, self._size_C
        first_C = (epoch - 1) * quota_C - _starts(quota_C)
        turn_N = np.arange(self._num_images) + np.repeat(first_C, quota_C)
        place_N = np.repeat(_starts(size_C), quota_C) + turn_N % np.repeat(size_C, quota_C)
        shown_N: Int64 = self._by_country_N[place_N][shuffled_N]
        return shown_N


def _quotas(size_C: Int64, temperature: float) -> Int64:
    """Apportion N places to countries by largest remainder."""
    weight_C = size_C.astype(np.float64) ** (1 / temperature)
    exact_C = weight_C * float(size_C.sum() / weight_C.sum())
    quota_C = np.floor(exact_C).astype(np.int64)
    num_left = int(size_C.sum() - quota_C.sum())
    quota_C[np.argsort(quota_C - exact_C, kind="stable")[:num_left]] += 1
    return quota_C


def _starts(length_C: Int64) -> Int64:
    starts_C: Int64 = np.cumsum(length_C) - length_C
    return starts_C
