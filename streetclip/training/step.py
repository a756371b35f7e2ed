"""Run one training step over portions of images and processes.

Features are computed by portion without activations, then the gradients of the loss with respect
to the features; each portion is encoded again to pass these to the weights (GradCache: Gao et al.
2021, arXiv 2101.06983, section 3.2). Each process computes its rows and columns of the logits.

Shape suffixes: B images of a portion, N images of the step, U its distinct captions, D embedding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streetclip.config import TrainConfig
from streetclip.data.image_batches import ImageBatch
from streetclip.errors import ResourceError, shown
from streetclip.models.encoder import DualEncoder, is_out_of_memory, pooled_token_alone
from streetclip.runtime.distributed import Group
from streetclip.training.curves import StepNumbers
from streetclip.training.losses import Objective, Share
from streetclip.training.optimizer import WeightAverage, clamp_logit_scale

FEWEST_IMAGES = 2  # a contrast takes two
Int64 = NDArray[np.int64]
Captions = Callable[[Int64], tuple[list[str], Int64]]
"""From image numbers to distinct captions and each image's row of them."""

_IMAGES, _TEXTS = 0, 1  # the towers draw different random numbers


@dataclass(frozen=True)
class StepImages:
    """The readable images of one step.

    `portions` are the forward passes of this process and `first_row` its first row in the step;
    `indices` are the numbers of all images, by process and portion.
    """

    portions: Sequence[ImageBatch]
    first_row: int
    indices: Sequence[Sequence[Int64]]


class _Contrast(NamedTuple):
    """Images contrasted with each other: own portions with rows; indices by process."""

    portions: Sequence[tuple[int, ImageBatch]]
    indices: Sequence[Int64]
    group: Group | None


@dataclass
class Stepper:
    """Runs training steps; the scaler is disabled in precisions other than float16."""

    encoder: DualEncoder
    objective: Objective
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    config: TrainConfig
    max_logit_scale: float
    group: Group | None = None
    average: WeightAverage | None = None

    def __call__(self, step: int, images: StepImages, captions: Captions) -> StepNumbers | None:
        """Run a step, counted from 0; return None if too few images are readable.

        Raises ResourceError if the device has too little memory, or another process has ended.
        """
        contrasts, num_contrasts = self._contrasts(images)
        if num_contrasts == 0:
            return None
        self.optimizer.zero_grad(set_to_none=True)
        losses = [torch.zeros((), device=self.encoder.device)]
        try:
            with pooled_token_alone(self.encoder.model):
                weight = 1 / num_contrasts
                losses += [self._backward(step, each, captions, weight) for each in contrasts]
            loss = torch.stack([each.to(losses[-1]) for each in losses]).sum()
            if self.group is not None:
                for parameter in self._parameters():
                    if parameter.grad is None:
                        parameter.grad = torch.zeros_like(parameter)
                gradients = [each.grad for each in self._parameters() if each.grad is not None]
                self.group.sum_in_place([*gradients, loss])
            return self._update(step, loss)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise ResourceError(self._memory_message(error)) from error

    def _contrasts(self, images: StepImages) -> tuple[list[_Contrast], int]:
        """List the contrasts of this process; count those of all."""
        size = self.config.batch_size
        portions = [(images.first_row + size * p, each) for p, each in enumerate(images.portions)]
        if self.config.negatives == "global":
            none = np.empty(0, np.int64)
            indices = [np.concatenate([none, *each]) for each in images.indices]
            num_images = sum(map(len, indices))
            return [_Contrast(portions, indices, self.group)], int(num_images >= FEWEST_IMAGES)
        sizes = [len(each) for of_process in images.indices for each in of_process]
        alone = [
            _Contrast([(row, batch)], [batch.indices_B], None)
            for row, batch in portions
            if len(batch.indices_B) >= FEWEST_IMAGES
        ]
        return alone, sum(each >= FEWEST_IMAGES for each in sizes)

    def _backward(
        self, step: int, contrast: _Contrast, captions: Captions, weight: float
    ) -> Tensor:
        """Add the gradients of this process's part of a contrast; return its loss."""
        # The text tower encodes each distinct caption once.
        texts, caption_ids = captions(np.concatenate(contrast.indices))
        image_counts = [len(each) for each in contrast.indices]
        text_counts = deal(len(texts), len(contrast.indices))
        group = contrast.group
        rank = 0 if group is None else group.ranks.rank
        share = Share(_own(image_counts, rank), _own(text_counts, rank))

        # Encode without activations, except for the last portion.
        encoder, size = self.encoder, self.config.batch_size
        image_portions = [
            partial(self._encode, encoder.image_features, batch.pixels_BCHW, (step, _IMAGES, row))
            for row, batch in contrast.portions
            if len(batch.indices_B)
        ]
        first, end = share.texts.start, share.texts.stop
        own_texts = texts[:end]
        text_portions = [
            partial(self._encode, encoder.text_features, own_texts[i : i + size], (step, _TEXTS, i))
            for i in range(first, end, size)
        ]
        shape = encoder.embedding_dim, encoder.device
        image_features = PortionedFeatures(image_portions, *shape)
        text_features = PortionedFeatures(text_portions, *shape)
        images_ND, texts_UD = image_features.features_ND, text_features.features_ND
        if group is not None:
            images_ND = group.gather_rows(images_ND, image_counts)
            texts_UD = group.gather_rows(texts_UD, text_counts)

        # Pass gradients from the loss to the features, then to the weights.
        ids_N = torch.from_numpy(caption_ids).to(images_ND.device)
        features = images_ND.requires_grad_(), texts_UD.requires_grad_()
        with torch.enable_grad():
            loss = self.objective(*features, ids_N, share) * weight
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        gradients = [torch.zeros_like(f) if f.grad is None else f.grad for f in features]
        if group is not None:
            group.sum_in_place(gradients)
        image_features.backward(gradients[0][share.images])
        text_features.backward(gradients[1][share.texts])
        return loss.detach()

    def _encode(
        self, encode: Callable[[Any], Tensor], inputs: Any, draw: tuple[int, int, int]
    ) -> Tensor:
        """Encode a portion with the same random numbers both times."""
        entropy = [self.config.seed, *draw]
        seed = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
        torch.manual_seed(int(seed[0]))
        return encode(inputs)

    def _update(self, step: int, loss: Tensor) -> StepNumbers:
        self.scaler.unscale_(self.optimizer)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters(), self.config.max_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        logit_scale = self.encoder.model.logit_scale.detach().exp()
        clamp_logit_scale(self.encoder.model, self.max_logit_scale)
        if self.average is not None:
            self.average.update()
        return StepNumbers(step + 1, loss, norm, logit_scale)

    def _memory_message(self, error: RuntimeError) -> str:
        size, passes = self.config.batch_size, self.config.gradient_accumulation_steps
        reason = shown(str(error).partition("\n")[0])
        fewer = (
            f" Take --batch_size {size // 2} --gradient_accumulation_steps {passes * 2}: the step"
            " stays the same."
            if size >= 2 * FEWEST_IMAGES and self.config.negatives == "global"
            else ""
        )
        return (
            f"{self.encoder.device}: has too little memory to train with --batch_size {size} "
            f"({reason}).{fewer} --gradient_checkpointing and --train_parts save more. Earlier "
            "checkpoints are kept; --resume continues from there."
        )

    def _parameters(self) -> list[nn.Parameter]:
        return [each for group in self.optimizer.param_groups for each in group["params"]]


class PortionedFeatures:
    """Features computed and differentiated by portion; the last one keeps its activations."""

    def __init__(
        self, portions: Sequence[Callable[[], Tensor]], num_columns: int, device: torch.device
    ) -> None:
        self._portions = portions
        self._last: Tensor | None = None
        features = []
        for encode in portions[:-1]:
            with torch.no_grad():
                features.append(encode())
        if portions:
            self._last = portions[-1]()
            features.append(self._last.detach())
        self._sizes = [len(each) for each in features]
        self.features_ND = (
            torch.cat(features) if features else torch.zeros(0, num_columns, device=device)
        )

    def backward(self, gradient_ND: Tensor) -> None:
        """Pass the features' gradients to the weights, once."""
        if self._last is None or not self._last.requires_grad:
            return
        *others, last = torch.split(gradient_ND, self._sizes)
        self._last.backward(last)  # type: ignore[no-untyped-call]
        self._last = None
        for encode, gradient in zip(self._portions, others, strict=False):
            encode().backward(gradient)  # type: ignore[no-untyped-call]


def deal(num_rows: int, num_processes: int) -> list[int]:
    """Divide rows among processes; the first ones get one more."""
    each, over = divmod(num_rows, num_processes)
    return [each + (rank < over) for rank in range(num_processes)]


def _own(counts: Sequence[int], rank: int) -> slice:
    start = sum(counts[:rank])
    return slice(start, start + counts[rank])
