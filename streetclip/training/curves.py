"""Average and check the numbers of a training, and write them into the store."""

import logging
import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, NamedTuple

import torch
from torch import Tensor

from streetclip import store
from streetclip.errors import ConfigError, StreetClipError
from streetclip.training.optimizer import MAX_LOGIT_SCALE

_LOG = logging.getLogger(__name__)

MAX_WINDOWS = 500  # points of a curve; more cannot be distinguished on a screen
_SCALE_LEEWAY = 2.0  # factor by which one step may move the logit scale past its bounds
_MIB = 2**20
_SECONDS_BETWEEN_WRITES = 2.0


class Point(NamedTuple):
    """One value of a curve; `epoch` may be a fraction."""

    step: int
    epoch: float
    name: str
    value: float


class StepNumbers(NamedTuple):
    """Numbers of one step, counted from 1; a GPU may still be computing them.

    `grad_norm` is before clipping, `logit_scale` a factor before clamping.
    """

    step: int
    loss: Tensor
    grad_norm: Tensor
    logit_scale: Tensor


@dataclass
class Curves:
    """Curves over steps, read together as reading a number waits for the GPU.

    `points` are of earlier sessions too; `window` has loss and gradient norm of each step since the
    last one, `epoch_losses` the epoch's losses before. `checks_grad_norm` is False with float16,
    whose loss scaling skips infinite gradients.
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
        """Add the numbers of one step without waiting for them."""
        self._unread.append(numbers)
        self._images += num_images

    def restart_clock(self) -> None:
        """Exclude the time until now from the images per second."""
        self._images, self._since = 0, time.perf_counter()

    def read(self) -> None:
        """Wait for the steps' numbers; raise ConfigError if the training has diverged."""
        if not self._unread:
            return
        rows = [torch.stack([n.reshape(()) for n in each[1:]]) for each in self._unread]
        steps = [each.step for each in self._unread]
        self._unread.clear()
        least, most = 1 / _SCALE_LEEWAY, _SCALE_LEEWAY * self.max_logit_scale
        for step, (loss, norm, scale) in zip(steps, torch.stack(rows).tolist(), strict=True):
            fault = ""
            if not math.isfinite(loss):
                fault = f"the loss is {loss}; expected a finite number."
            elif self.checks_grad_norm and not math.isfinite(norm):
                fault = f"the norm of the gradient is {norm}; expected a finite number."
            elif not least <= scale <= most:
                fault = (
                    f"the logit scale became {scale:.4g}; expected {least:g} to {most:.4g}, "
                    f"as each step begins between 1 and {self.max_logit_scale:.4g}."
                )
            if fault:
                msg = (
                    f"step {step}: {fault} The training has diverged. Lower --learning_rate, "
                    "lengthen --warmup_fraction, or take --precision fp32. Existing checkpoints "
                    "are from before it."
                )
                raise ConfigError(msg)
            self.window.append((loss, norm))

    def close_window(self, step: int, epoch: float, **others: float) -> None:
        """Add one point to each curve; `others` are present values."""
        self.read()
        if not self.window:
            return
        losses = [loss for loss, _ in self.window]
        norms = [norm for _, norm in self.window if math.isfinite(norm)]
        values = {"loss": fmean(losses), **others}
        if norms:
            values["grad_norm"] = fmean(norms)
        if self._images:
            values["images_per_s"] = self._images / (time.perf_counter() - self._since)
        self.points += [Point(step, epoch, name, value) for name, value in values.items()]
        self.epoch_losses += losses
        self.window.clear()
        self.restart_clock()

    def epoch_mean(self) -> float | None:
        """Return the mean loss of the epoch up to the last point."""
        return fmean(self.epoch_losses) if self.epoch_losses else None


def peak_memory_mib(device: torch.device) -> float:
    """Measure the peak memory of this process or, on CUDA, the device."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / _MIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MIB if sys.platform == "darwin" else peak / 1024  # bytes there, KiB elsewhere


class Recorder:
    """Writes one training into the store; without a store, writes nothing."""

    def __init__(
        self,
        database: store.Store | None,
        spec: store.TrainingSpec,
        training_id: int | None,
        *,
        is_resume: bool,
        job_id: int | None = None,
    ) -> None:
        """Register the training, or find it by its output folder.

        A checkpoint gives `training_id`; one that the store does not know becomes a new training.
        A resume of a training that stopped before its first checkpoint restarts it.
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
        """Write the state."""
        self._store(store.set_training_state, state, error, job_id=self._job_id)

    def set_stopped(self, state: store.RunState, error: str | None = None) -> None:
        """Write that the training stopped; only warn if that fails."""
        try:
            self.set_state(state, error)
        except StreetClipError as second:
            _LOG.warning("the training could not be marked as %s: %s", state, second)

    def write_best(self, best: dict[str, Any] | None) -> None:
        """Write a changed description of the best model."""
        if best not in (None, self._best):
            self._store(store.set_training_best, best)
            self._best = best

    def write(self, points: list[Point], *, now: bool = False) -> None:
        """Write new points, at most every two seconds unless `now`."""
        due = now or time.monotonic() - self._written_at >= _SECONDS_BETWEEN_WRITES
        if due and len(points) > self._num_written:
            self._store(store.log_training_points, points[self._num_written :])
            self._num_written, self._written_at = len(points), time.monotonic()
