"""Keep freed memory between batches; compute in portions where memory is scarce."""

import ctypes
import functools
import logging
import os
import sys
from collections.abc import Callable

import torch

from streetclip.errors import ResourceError, shown

_LOG = logging.getLogger(__name__)

# Errors that torch does not raise as `torch.OutOfMemoryError`.
_OUT_OF_MEMORY = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "MPS backend out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)

# Parameters of mallopt (malloc.h), with glibc's usual limits and ours, in bytes.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_USUAL = {_TRIM_THRESHOLD: 2**26, _MMAP_THRESHOLD: 2**25}
_KEPT = {_TRIM_THRESHOLD: 2**30, _MMAP_THRESHOLD: 2**30}


class Portions:
    """Compute as many rows at a time as memory allows.

    Messages name `what` a row is ("image") and the `flag` that sets the rows of a call. `most` is
    the number of rows at a time; None as long as memory sufficed for all.
    """

    def __init__(self, what: str, flag: str | None = None) -> None:
        self.most: int | None = None
        self._what = what
        self._flag = flag

    def __call__(
        self, compute: Callable[[slice], torch.Tensor], num_rows: int, device: torch.device
    ) -> torch.Tensor:
        """Compute all rows in order; halve portions if memory runs out.

        `compute` maps a slice of rows to a result for each. Raises ResourceError where memory does
        not suffice for a single row.
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
                if size <= 1:
                    reason = shown(str(error).partition("\n")[0])
                    msg = (
                        f"{device}: has too little memory for a single {self._what} next to the "
                        f"model ({reason}). Free some, or use a smaller model."
                    )
                    raise ResourceError(msg) from error
                self.most = size // 2
                advice = f" Set {self._flag} {self.most}." if self._flag else ""
                _LOG.warning(
                    "%s: too little memory for %d %ss at a time; %d from here on.%s",
                    *(device, size, self._what, self.most, advice),
                )
            torch.cuda.empty_cache()  # nothing refers to the failed attempt here
        return torch.cat(parts) if len(parts) > 1 else parts[0]


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether a device, CUDA or other, ran out of memory."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        text in str(error) for text in _OUT_OF_MEMORY
    )


@functools.cache
def keep_freed_memory() -> None:
    """Keep freed memory in glibc for the next forward pass.

    Forked processes free memory as usual. Does nothing without glibc.
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
