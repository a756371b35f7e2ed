"""The numbers of a training: gathered on the device, checked and written a window at a time."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from streetclip.errors import ConfigError
from streetclip.training.optimizer import MAX_LOGIT_SCALE

# Points of a curve; more cannot be told apart on a screen.
_MAX_WINDOWS = 500
# A step begins with a logit scale in its bounds, and moves its log by about the learning rate:
# by 0.001 or less in a training that goes well, which log 2 leaves wide margin for.
_SCALE_LEEWAY = 2.0
_REMEDY = (
    "The training has diverged. Lower --learning_rate, lengthen --warmup_fraction, or take "
    "--precision fp32. Checkpoints that stand are from before it."
)


class Point(NamedTuple):
    """One value of one curve, as the store keeps it; `epoch` counts fractions of one."""

    step: int
    epoch: float
    name: str
    value: float


class StepNumbers(NamedTuple):
    """What one step measured; scalars that may still be under way on a GPU.

    Attributes:
        step: Counted from 1.
        loss: Before the step.
        grad_norm: Before clipping.
        logit_scale: As a factor, after the step, before it is clamped.
    """

    step: int
    loss: Tensor
    grad_norm: Tensor
    logit_scale: Tensor


def window_length(num_steps: int) -> int:
    """Steps that one point of a curve sums up.

    Examples:
        >>> window_length(120), window_length(5000)
        (1, 10)
    """
    return max(1, math.ceil(num_steps / _MAX_WINDOWS))


@dataclass
class Curves:
    """Curves of loss, gradient norm and the like over steps.

    Reading a number off a GPU waits for it; so steps leave tensors here, and they are read
    together, when a window is full or before a checkpoint.

    Attributes:
        points: All points so far, those of the stopped sessions before included.
        window: Loss and gradient norm of the steps since the last point.
        epoch_losses: Losses of the steps of this epoch, without those in the window.
        checks_grad_norm: Whether a gradient that is no number is a fault; the loss scaling of
            float16 meets them as a matter of course, and skips such steps itself.
        max_logit_scale: What the logit scale is clamped to after each step; at the least it is 1.
    """

    points: list[Point] = field(default_factory=list)
    window: list[tuple[float, float]] = field(default_factory=list)
    epoch_losses: list[float] = field(default_factory=list)
    checks_grad_norm: bool = True
    max_logit_scale: float = MAX_LOGIT_SCALE
    _unread: list[StepNumbers] = field(default_factory=list)
    _images: int = 0
    _since: float = field(default_factory=time.perf_counter)

    def add_step(self, numbers: StepNumbers, num_images: int) -> None:
        """Take the numbers of one step without waiting for them."""
        self._unread.append(numbers)
        self._images += num_images

    def restart_clock(self) -> None:
        """Leave what came before, as a validation or a checkpoint, out of the images per second."""
        self._images, self._since = 0, time.perf_counter()

    def read(self) -> None:
        """Wait for the steps' numbers and check them.

        Raises:
            ConfigError: A loss or gradient is not a number, or the logit scale left its bounds
                by a factor of two in one step.
        """
        if not self._unread:
            return
        rows = [torch.stack([n.reshape(()) for n in each[1:]]) for each in self._unread]
        steps = [each.step for each in self._unread]
        self._unread.clear()
        for step, numbers in zip(steps, torch.stack(rows).tolist(), strict=True):
            fault = self._fault(*numbers)
            if fault:
                msg = f"step {step}: {fault} {_REMEDY}"
                raise ConfigError(msg)
            self.window.append((numbers[0], numbers[1]))

    def _fault(self, loss: float, grad_norm: float, logit_scale: float) -> str | None:
        if not math.isfinite(loss):
            return f"the loss is {loss}; expected a finite number."
        if self.checks_grad_norm and not math.isfinite(grad_norm):
            return f"the norm of the gradient is {grad_norm}; expected a finite number."
        least, most = 1 / _SCALE_LEEWAY, _SCALE_LEEWAY * self.max_logit_scale
        if not least <= logit_scale <= most:
            return (
                f"the logit scale became {logit_scale:.4g}; expected {least:g} to {most:.4g}, "
                f"as each step begins between 1 and {self.max_logit_scale:.4g}."
            )
        return None

    def close_window(self, step: int, epoch: float, **others: float) -> None:
        """Make one point of each curve from the steps since the last.

        Args:
            step: Steps done.
            epoch: Epochs done, with fraction.
            others: Further values at this step, as the learning rate.
        """
        self.read()
        if not self.window:
            return
        losses = [loss for loss, _ in self.window]
        norms = [norm for _, norm in self.window if math.isfinite(norm)]
        values = {"loss": _mean(losses), **others}
        if norms:
            values["grad_norm"] = _mean(norms)
        if self._images:
            values["images_per_s"] = self._images / (time.perf_counter() - self._since)
        self.points += [Point(step, epoch, name, value) for name, value in values.items()]
        self.epoch_losses += losses
        self.window.clear()
        self.restart_clock()

    def epoch_mean(self) -> float | None:
        """Mean loss of the epoch's steps up to the last point; None without any."""
        return _mean(self.epoch_losses) if self.epoch_losses else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
