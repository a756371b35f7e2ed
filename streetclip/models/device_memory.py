"""Memory of the device that computes: kept from batch to batch, shared out when scarce."""

import ctypes
import functools
import logging
import os
import sys
from collections.abc import Callable

import torch

from streetclip.errors import ResourceError, shown

_LOG = logging.getLogger(__name__)

# How errors begin to say so that torch does not raise as `torch.OutOfMemoryError`.
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

    Attributes:
        most: Rows at a time; None as long as memory sufficed for all.
    """

    def __init__(self, what: str, flag: str | None = None) -> None:
        """Name the rows.

        Args:
            what: What a row is, for messages: "image".
            flag: Of the command line, how many rows there are to a call.
        """
        self.most: int | None = None
        self._what = what
        self._flag = flag

    def __call__(
        self, compute: Callable[[slice], torch.Tensor], num_rows: int, device: torch.device
    ) -> torch.Tensor:
        """Compute all rows; with half as many at a time, now and from then on, if memory runs out.

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
            part = self._try(compute, slice(done, done + size), device)
            # Out here nothing holds on any more to what the failed attempt had computed.
            if part is None:
                torch.cuda.empty_cache()
            else:
                parts.append(part)
                done += size
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _try(
        self, compute: Callable[[slice], torch.Tensor], rows: slice, device: torch.device
    ) -> torch.Tensor | None:
        try:
            return compute(rows)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            size = rows.stop - rows.start
            if size <= 1:
                reason = shown(str(error).partition("\n")[0])
                msg = (
                    f"{device}: has too little memory for a single {self._what} beside the model "
                    f"({reason}). Free some, or take a smaller model."
                )
                raise ResourceError(msg) from error
        self.most = size // 2
        advice = f" Set {self._flag} {self.most} to begin so." if self._flag else ""
        _LOG.warning(
            "%s: too little memory for %d %ss at a time; %d from here on.%s",
            *(device, size, self._what, self.most, advice),
        )
        return None


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device had no memory left; `torch.OutOfMemoryError` says so for CUDA alone.

    Examples:
        >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you …"))
        True
        >>> is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
        False
    """
    return isinstance(error, torch.OutOfMemoryError) or any(
        text in str(error) for text in _OUT_OF_MEMORY
    )


@functools.cache
def keep_freed_memory() -> None:
    """Have glibc keep what one forward pass on the CPU frees for the next one.

    Else it may hand most of it back to the kernel, which fills the same pages with zeros again for
    each batch: up to a tenth of the time of a ViT-B/32 in float32. The peak of memory stays as it
    is. Processes that are forked from this one hand back as usual. Does nothing
    where there is no glibc.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return
    _set_malloc(libc, _KEPT)
    os.register_at_fork(after_in_child=functools.partial(_set_malloc, libc, _USUAL))


def _set_malloc(libc: ctypes.CDLL, options: dict[int, int]) -> None:
    for name, num_bytes in options.items():
        libc.mallopt(name, num_bytes)
