"""Which images each step looks at, here and in the other processes that share a training."""

import itertools
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

from streetclip.config import TrainConfig
from streetclip.data.image_batches import ImageBatch, resolve_num_workers
from streetclip.models import DualEncoder
from streetclip.progress import Stages
from streetclip.runtime.distributed import Group
from streetclip.training.image_source import ImageSource, build_training_preprocess, fits_in_memory
from streetclip.training.interrupts import Interrupt
from streetclip.training.sampling import Sampler
from streetclip.training.schedule import own_order, steps_per_epoch
from streetclip.training.step import StepImages
from streetclip.training.training_data import TrainingData


@dataclass(frozen=True)
class Images:
    """The pixels of a training.

    Attributes:
        train: To train on, augmented if that is asked for.
        val: To validate by.
        holdout: Validation images of the countries held out of training, if any are.
    """

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
        """Say how the images are to be decoded; nothing is decoded yet."""
        plain = encoder.preprocess if config.exact_preprocessing else encoder.fast_preprocess
        num_images = sum(len(each) for each in (data.train, data.val, data.holdout or ()))
        source = partial(
            ImageSource,
            num_workers=resolve_num_workers(
                config.num_workers,
                spare=encoder.device.type != "cpu",
                sharing=1 if group is None else group.ranks.local_world_size,
            ),
            keep=fits_in_memory(num_images, plain),
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
    """The images of each step of an epoch, cut into forward passes and dealt to the processes.

    Attributes:
        steps_per_epoch: Full ones only, but at least one.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: TrainingData,
        images: ImageSource,
        group: Group | None,
    ) -> None:
        """Take what there is to look at.

        Args:
            config: How many images a step has, and how they are chosen.
            data: Their countries.
            images: Their pixels.
            group: The processes that share the training; None for this one alone.
        """
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

    def load(self) -> None:
        """Decode now what is to be kept in memory."""
        self._images.load()

    def steps(
        self, epoch: int, *, done: int, interrupt: Interrupt
    ) -> Generator[StepImages, None, None]:
        """Yield the images of each step of an epoch.

        Args:
            epoch: From 1.
            done: Steps of the epoch to leave out.
            interrupt: Whether this process is to stop. If any of several is, all do.

        Raises:
            KeyboardInterrupt: One of several processes is to stop.
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
            yield self._meet(tuple(itertools.islice(batches, self._passes)), interrupt)

    def _meet(self, portions: Sequence[ImageBatch], interrupt: Interrupt) -> StepImages:
        """Hear which images the other processes could read, and whether all go on."""
        first_row = self._rank * self._share
        own = [portion.indices_B for portion in portions]
        if self._group is None:
            return StepImages(portions, first_row, [own])
        heard = self._group.exchange((own, interrupt.is_pending))
        if any(is_interrupted for _, is_interrupted in heard):
            interrupt.is_pending = True
            raise KeyboardInterrupt
        return StepImages(portions, first_row, [indices for indices, _ in heard])
