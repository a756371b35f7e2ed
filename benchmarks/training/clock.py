"""Images per second of some steps in the middle of a training, and the memory it took."""

import time
from typing import TYPE_CHECKING, Any

from benchmarks.evaluation.clock import peak_memory, synchronise
from benchmarks.training.workload import Workload

if TYPE_CHECKING:
    import torch


class StepClock:
    """Told after each step; times the steps between the skipped and the trailing ones.

    A timed step is all that lies between the ends of two optimizer steps: its images and texts
    gathered, forward, backward, clipping, optimizer step, gradients cleared, what is logged.
    """

    def __init__(self, workload: Workload, device: "torch.device") -> None:
        self._workload = workload
        self._device = device
        self._stamps: dict[int, float] = {}
        self._memory: dict[str, int] = {}

    def __call__(self, step: int) -> None:
        """Take note that so many steps are done."""
        first = self._workload.skipped
        if step in (first, first + self._workload.timed):
            synchronise(self._device)
            self._stamps[step] = time.perf_counter()
        if step == self._workload.num_steps:
            synchronise(self._device)
            self._memory = peak_memory(self._device)

    def result(self) -> dict[str, Any]:
        """Images per second and peaks in bytes, checkpoints written later left out.

        Raises:
            RuntimeError: Steps are missing: the training took more images a step than asked.
        """
        if not (len(self._stamps) == 2 and self._memory):
            msg = f"steps were counted at {list(self._stamps)} only; expected {self._workload}"
            raise RuntimeError(msg)
        began_s, ended_s = self._stamps.values()
        num_images = self._workload.timed * self._workload.step_images
        return {"images_per_s": num_images / (ended_s - began_s), **self._memory}
