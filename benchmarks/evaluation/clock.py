"""Seconds and memory of what one process does."""

import contextlib
import os
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streetclip.progress import Progress, no_progress

if TYPE_CHECKING:
    import torch


@dataclass
class Span:
    """Time that something took.

    Attributes:
        wall_s: As it passed, the device's work included.
        cpu_s: Of all cores, in this process and in its ended children. Where others use the
            machine, too, it says more about the program.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextlib.contextmanager
def timed(device: "torch.device") -> Iterator[Span]:
    """Time what is done in the context; the span is filled in at its end."""
    span = Span()
    synchronise(device)
    began_s, began_cpu_s = time.perf_counter(), _cpu_s()
    yield span
    synchronise(device)
    span.wall_s, span.cpu_s = time.perf_counter() - began_s, _cpu_s() - began_cpu_s


@dataclass
class StageClock:
    """Takes the place of bars: keeps how long each stage of an evaluation took.

    Attributes:
        device: Where the model computes.
        spans: By what the stage does.
    """

    device: "torch.device"
    spans: dict[str, Span] = field(default_factory=dict)

    @contextlib.contextmanager
    def __call__(self, task: str, _unit: str, /) -> Iterator[Progress]:
        """Time a stage."""
        with timed(self.device) as self.spans[task]:
            yield no_progress


def synchronise(device: "torch.device") -> None:
    """Wait until the device has done what it was given."""
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def peak_memory(device: "torch.device") -> dict[str, int]:
    """The most memory that this process held so far, and on a GPU; bytes."""
    import torch

    peak = {"peak_bytes": _peak_bytes()}
    if device.type == "cuda":
        peak["device_peak_bytes"] = torch.cuda.max_memory_allocated(device)
    return peak


def _peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage says includes the process that started this one.
        (line,) = (x for x in status.read_text().splitlines() if x.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _cpu_s() -> float:
    times: Any = os.times()
    return float(times.user + times.system + times.children_user + times.children_system)
