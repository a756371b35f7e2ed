"""The numbers of a training: gathered on the device, checked and written a window at a time."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from streetclip.errors import ConfigError

# Points of a curve; more cannot be told apart on a screen.
_MAX_WINDOWS = 500


class Point(NamedTuple):
    """One value of one curve, as the store keeps it; `epoch` counts fractions of one."""

    step: int
    epoch: float
    name: str
    value: float


class StepNumbers(NamedTuple):
    """What one step, counted from 1, measured; scalars that may still be under way on a GPU."""

    step: int
    loss: Tensor
    grad_norm: Tensor


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
    """

    points: list[Point] = field(default_factory=list)
    window: list[tuple[float, float]] = field(default_factory=list)
    epoch_losses: list[float] = field(default_factory=list)
    checks_grad_norm: bool = True
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
            ConfigError: A loss or gradient is not a number.
        """
        if not self._unread:
            return
        read = torch.stack([torch.stack((each.loss, each.grad_norm)) for each in self._unread])
        steps = [each.step for each in self._unread]
        self._unread.clear()
        for step, (loss, grad_norm) in zip(steps, read.tolist(), strict=True):
            if not math.isfinite(loss) or (self.checks_grad_norm and not math.isfinite(grad_norm)):
                raise ConfigError(_not_finite_message(step, loss, grad_norm))
            self.window.append((loss, grad_norm))

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


def _not_finite_message(step: int, loss: float, grad_norm: float) -> str:
    is_loss = not math.isfinite(loss)
    what = f"the loss is {loss}" if is_loss else f"the norm of the gradient is {grad_norm}"
    return (
        f"step {step}: {what}; expected a finite number. Lower --learning_rate, or take "
        "--precision fp32. Checkpoints that stand are from before it."
    )
