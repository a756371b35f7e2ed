"""Manage the device's memory: keep it between batches, divide scarce memory."""

import ctypes
import functools
import logging
import os
import sys
from collections.abc import Callable

import torch

from streetclip.errors import ResourceError, shown

_LOG = logging.getLogger(__name__)

# How errors begin that torch does not raise as `torch.OutOfMemoryError`.
_OUT_OF_MEMORY = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "MPS backend out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)

# Of mallopt, in malloc.h, each with what glibc's own limits grow to, and with ours, in bytes.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_USUAL = {_TRIM_THRESHOLD: 2**26, _MMAP_THRESHOLD: 2**25}
_KEPT = {_TRIM_THRESHOLD: 2**30, _MMAP_THRESHOLD: 2**30}


class Portions:
    """Computes rows as many at a time as the device has memory for.

    Args:
        what: What a row is, for messages: "image".
        flag: Flag of the command line that sets the number of rows of a call.

    Attributes:
        most: Rows at a time; None as long as memory sufficed for all.
    """

    def __init__(self, what: str, flag: str | None = None) -> None:
        self.most: int | None = None
        self._what = what
        self._flag = flag

    def __call__(
        self, compute: Callable[[slice], torch.Tensor], num_rows: int, device: torch.device
    ) -> torch.Tensor:
        """Compute all rows, in halves from then on if memory runs out.

        Args:
            compute: From a slice of the rows to a result for each, without lasting effect.
            num_rows: How many there are.
            device: Where it computes, for messages.

        Returns:
            The results of all rows, in order.

        Raises:
            ResourceError: Memory does not suffice for a single row.
        """
        parts: list[torch.Tensor] = []
        done = 0
        while not parts or done < num_rows:
            size = min(self.most or num_rows, num_rows - done)
            try:
                parts.append(compute(slice(done, done + size)))
                done += size
                continue
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._halve(size, device, error)
            torch.cuda.empty_cache()  # here nothing refers to what the failed attempt computed
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _halve(self, size: int, device: torch.device, error: RuntimeError) -> None:
        if size <= 1:
            reason = shown(str(error).partition("\n")[0])
            msg = (
                f"{device}: has too little memory for a single {self._what} next to the model "
                f"({reason}). Free some, or use a smaller model."
            )
            raise ResourceError(msg) from error
        self.most = size // 2
        advice = f" Set {self._flag} {self.most} to begin so." if self._flag else ""
        _LOG.warning(
            "%s: too little memory for %d %ss at a time; %d from here on.%s",
            *(device, size, self._what, self.most, advice),
        )


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether a device had no memory left; `torch.OutOfMemoryError` covers CUDA alone."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        text in str(error) for text in _OUT_OF_MEMORY
    )


@functools.cache
def keep_freed_memory() -> None:
    """Have glibc keep freed memory for the next forward pass.

    Else the kernel may fill the same pages with zeros for each batch. The peak of memory stays.
    Processes forked from this one free memory as usual. Does nothing where there is no glibc.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        _set_malloc(libc, _KEPT)
        os.register_at_fork(after_in_child=functools.partial(_set_malloc, libc, _USUAL))


def _set_malloc(libc: ctypes.CDLL, options: dict[int, int]) -> None:
    for name, num_bytes in options.items():
        libc.mallopt(name, num_bytes)
