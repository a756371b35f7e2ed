"""The numbers of a training: measured on the device, checked, and written into the store."""

import logging
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from streetclip import store
from streetclip.errors import ConfigError, StreetClipError
from streetclip.training.optimizer import MAX_LOGIT_SCALE

_LOG = logging.getLogger(__name__)

_MAX_WINDOWS = 500  # points of a curve; more cannot be distinguished on a screen
# A step begins with a logit scale in its bounds and moves its log by about the learning rate: by
# 0.001 or less in a training that goes well, far from log 2.
_SCALE_LEEWAY = 2.0
_MIB = 2**20
_SECONDS_BETWEEN_WRITES = 2.0


class Point(NamedTuple):
    """One value of a curve, as in the store; `epoch` may be a fraction."""

    step: int
    epoch: float
    name: str
    value: float


class StepNumbers(NamedTuple):
    """What one step, counted from 1, measured; scalars that a GPU may still be computing.

    `grad_norm` is the one before clipping; `logit_scale` a factor, after the step and before it is
    clamped.
    """

    step: int
    loss: Tensor
    grad_norm: Tensor
    logit_scale: Tensor


def window_length(num_steps: int) -> int:
    """Return how many steps one point of a curve averages.

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
        points: All points so far, those of earlier sessions included.
        window: Loss and gradient norm of the steps since the last point.
        epoch_losses: Losses of the steps of this epoch, without those in the window.
        checks_grad_norm: Whether a gradient must be finite; float16's loss scaling skips others.
        max_logit_scale: Upper bound of the logit scale after each step; the lower one is 1.
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
        """Exclude the time until now, as of a validation, from the images per second."""
        self._images, self._since = 0, time.perf_counter()

    def read(self) -> None:
        """Wait for the steps' numbers and check them.

        Raises:
            ConfigError: A loss or gradient is not finite, or the logit scale left its bounds by a
                factor of two in one step.
        """
        if not self._unread:
            return
        rows = [torch.stack([n.reshape(()) for n in each[1:]]) for each in self._unread]
        steps = [each.step for each in self._unread]
        self._unread.clear()
        for step, (loss, norm, scale) in zip(steps, torch.stack(rows).tolist(), strict=True):
            fault = self._fault(loss, norm, scale)
            if fault:
                msg = (
                    f"step {step}: {fault} The training has diverged. Lower --learning_rate, "
                    "lengthen --warmup_fraction, or take --precision fp32. Existing checkpoints "
                    "are from before it."
                )
                raise ConfigError(msg)
            self.window.append((loss, norm))

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
        """Make one point of each curve from the steps since the last; others are values now."""
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
        """Return the mean loss of the epoch's steps up to the last point; None without any."""
        return _mean(self.epoch_losses) if self.epoch_losses else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def peak_memory_mib(device: torch.device) -> float | None:
    """Measure the peak memory of this process in MiB (2²⁰ bytes), on CUDA that of the device.

    Without the processes that decode images; None on a system that does not report it (Windows).
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / _MIB
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MIB if sys.platform == "darwin" else peak / 1024  # bytes there, KiB elsewhere


class Recorder:
    """Writes one training into the store, its points in few transactions.

    Processes that leave the writing to the first one have no store, and no `training_id`.
    """

    def __init__(
        self,
        database: store.Store | None,
        spec: store.TrainingSpec,
        training_id: int | None,
        *,
        is_resume: bool,
        job_id: int | None = None,
    ) -> None:
        """Register the training, or find it.

        A checkpoint to resume from gives `training_id`. If the store does not know it for this
        folder, as another store was in use then, a new training gets all points. A resume of one
        that stopped before its first checkpoint starts it over.
        """
        self._database, self._job_id = database, job_id
        self._best: dict[str, Any] | None = None
        self._num_written = 0
        self._written_at = float("-inf")
        self.training_id: int | None = None
        if database is None:
            return
        if training_id is not None:
            self.training_id = store.find_training(database, str(spec.output_dir))
        elif is_resume:
            self.training_id = store.find_begun_training(database, str(spec.output_dir))
            if self.training_id is not None:
                store.restart_training(database, self.training_id, spec, job_id=job_id)
        if self.training_id is None:
            self.training_id = store.start_training(database, spec, job_id=job_id)

    def _store(self, write: Callable[..., None], *values: Any, **named: Any) -> None:
        if self._database is not None:
            write(self._database, self.training_id, *values, **named)

    def set_state(self, state: store.RunState, error: str | None = None) -> None:
        """Write the state of the training."""
        self._store(store.set_training_state, state, error, job_id=self._job_id)

    def set_stopped(self, state: store.RunState, error: str | None = None) -> None:
        """Write that the training stopped; only warn if that fails, as the cause matters more."""
        try:
            self.set_state(state, error)
        except StreetClipError as second:
            _LOG.warning("the training could not be marked as %s: %s", state, second)

    def write_best(self, best: dict[str, Any] | None) -> None:
        """Write which epoch the best model is of, and why, if that has changed."""
        if best not in (None, self._best):
            self._store(store.set_training_best, best)
            self._best = best

    def write(self, points: list[Point], *, now: bool = False) -> None:
        """Write the new ones of all points so far, every two seconds or `now`."""
        due = now or time.monotonic() - self._written_at >= _SECONDS_BETWEEN_WRITES
        if due and len(points) > self._num_written:
            self._store(store.log_training_points, points[self._num_written :])
            self._num_written, self._written_at = len(points), time.monotonic()
