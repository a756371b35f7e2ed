"""One step of a training: from the images of all processes to new weights.

Shape suffixes: B images of a portion, N images of the step, U its distinct captions, D embedding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streetclip.config import TrainConfig
from streetclip.data.image_batches import ImageBatch
from streetclip.errors import ResourceError, shown
from streetclip.models import DualEncoder
from streetclip.models.device_memory import is_out_of_memory
from streetclip.models.inference import pooled_token_alone
from streetclip.runtime.distributed import Group
from streetclip.training.accumulation import Contrast, PortionedFeatures, backward, deal
from streetclip.training.curves import StepNumbers
from streetclip.training.ema import WeightAverage
from streetclip.training.losses import Share
from streetclip.training.objective import Objective
from streetclip.training.optimizer import clamp_logit_scale

FEWEST_IMAGES = 2  # one image has nothing to be contrasted with

Int64 = NDArray[np.int64]
Captions = Callable[[Int64], tuple[list[str], Int64]]
"""From numbers of images to their distinct captions, and the row of each image's own."""

# Makes a contrast when it is its turn; and the processes that share it.
_Prepared = tuple[Callable[[], Contrast], Group | None]
_IMAGES, _TEXTS = 0, 1  # so that the towers draw other random numbers


@dataclass(frozen=True)
class StepImages:
    """The images of one step.

    Attributes:
        portions: Those of this process, in forward passes; unreadable ones are left out.
        first_row: Place of this process's first image in the order of the step.
        indices: Numbers of the images that could be read, by process and portion.
    """

    portions: Sequence[ImageBatch]
    first_row: int
    indices: Sequence[Sequence[Int64]]


@dataclass
class Stepper:
    """What a step changes, and what it is done with.

    Attributes:
        encoder: The model.
        objective: The loss.
        optimizer: Of the parameters that learn, of model and objective.
        scaler: Of float16's gradients; one that is not enabled otherwise.
        config: Settings.
        max_logit_scale: Bound of the logit scale.
        group: The processes that share the step; None for this one alone.
        average: Of the weights over the steps, if it is wanted.
    """

    encoder: DualEncoder
    objective: Objective
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    config: TrainConfig
    max_logit_scale: float
    group: Group | None = None
    average: WeightAverage | None = None

    def __call__(self, step: int, images: StepImages, captions: Captions) -> StepNumbers | None:
        """Do a step.

        Args:
            step: From 0; its random numbers depend on this and the seed only.
            images: What to look at.
            captions: Of the images, by their numbers.

        Returns:
            What was measured; None if the images that could be read are too few for a contrast.

        Raises:
            ResourceError: The device has too little memory, or another process has ended.
        """
        contrasts, weight = self._contrasts(step, images, captions)
        if weight is None:
            return None
        self.optimizer.zero_grad(set_to_none=True)
        try:
            loss = self._backward(contrasts, weight)
            self._share_gradients(loss)
            return self._update(step, loss)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise ResourceError(self._memory_message(error)) from error

    def _backward(self, contrasts: Sequence[_Prepared], weight: float) -> Tensor:
        losses = [torch.zeros((), device=self.encoder.device)]
        with pooled_token_alone(self.encoder.model):
            for make_contrast, group in contrasts:
                loss_of = partial(self._loss, weight)
                losses.append(backward(make_contrast(), loss_of, group, self.scaler.scale))
        return torch.stack([each.to(losses[-1]) for each in losses]).sum()

    def _contrasts(
        self, step: int, images: StepImages, captions: Captions
    ) -> tuple[list[_Prepared], float | None]:
        """What is contrasted, each when it is its turn, and the weight of each loss."""
        size = self.config.batch_size
        starts = [images.first_row + size * p for p in range(len(images.portions))]
        portions = list(zip(starts, images.portions, strict=True))
        make = partial(self._contrast, step, captions)
        if self.config.negatives == "global":
            indices = [_joined(of_process) for of_process in images.indices]
            enough = sum(map(len, indices)) >= FEWEST_IMAGES
            whole = partial(make, portions, indices, self.group)
            return [(whole, self.group)], 1.0 if enough else None
        counts = [len(each) for of_process in images.indices for each in of_process]
        num_large = sum(count >= FEWEST_IMAGES for count in counts)
        alone: list[_Prepared] = [
            (partial(make, [portion], [portion[1].indices_B], None), None)
            for portion in portions
            if len(portion[1].indices_B) >= FEWEST_IMAGES
        ]
        return alone, 1 / num_large if num_large else None

    def _contrast(
        self,
        step: int,
        captions: Captions,
        portions: Sequence[tuple[int, ImageBatch]],
        indices: Sequence[Int64],
        group: Group | None,
    ) -> Contrast:
        # Images of one place share a caption: the text tower reads each caption once.
        texts, caption_ids_N = captions(np.concatenate(indices))
        text_counts = deal(len(texts), len(indices))
        rank = 0 if group is None else group.ranks.rank
        first, end = sum(text_counts[:rank]), sum(text_counts[: rank + 1])
        size = self.config.batch_size
        encode_images = [
            partial(self._encode_images, (step, _IMAGES, row), batch.pixels_BCHW)
            for row, batch in portions
            if len(batch.indices_B)
        ]
        encode_texts = [
            partial(self._encode_texts, (step, _TEXTS, row), texts[row : min(row + size, end)])
            for row in range(first, end, size)
        ]
        num_columns = self.encoder.embedding_dim if group is not None else 0
        return Contrast(
            PortionedFeatures(encode_images, num_columns, self.encoder.device),
            PortionedFeatures(encode_texts, num_columns, self.encoder.device),
            [len(each) for each in indices],
            text_counts,
            caption_ids_N,
        )

    def _encode_images(self, draw: tuple[int, int, int], pixels_BCHW: Tensor) -> Tensor:
        self._seed(draw)
        return self.encoder.image_features(pixels_BCHW)

    def _encode_texts(self, draw: tuple[int, int, int], texts: Sequence[str]) -> Tensor:
        self._seed(draw)
        return self.encoder.text_features(texts)

    def _seed(self, draw: tuple[int, int, int]) -> None:
        """Random numbers of a portion, the same both times that it is encoded."""
        entropy = [self.config.seed, *draw]
        seed = np.random.SeedSequence(entropy).generate_state(1, np.uint64)
        torch.manual_seed(int(seed[0]))

    def _loss(
        self, weight: float, images_ND: Tensor, texts_UD: Tensor, ids_N: Tensor, share: Share
    ) -> Tensor:
        return self.objective(images_ND, texts_UD, ids_N, share) * weight

    def _share_gradients(self, loss: Tensor) -> None:
        if self.group is None:
            return
        gradients = []
        for parameter in self._parameters():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        self.group.sum_in_place([*gradients, loss])

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
            f"({reason}).{fewer} --gradient_checkpointing and --train_parts save more. What was "
            "saved before stands; --resume goes on there."
        )

    def _parameters(self) -> list[nn.Parameter]:
        return [each for group in self.optimizer.param_groups for each in group["params"]]


def _joined(arrays: Sequence[Int64]) -> Int64:
    return np.concatenate([np.empty(0, np.int64), *arrays])
