"""The most memory that a training has taken."""

import sys

import torch

_MIB = 2**20


def peak_memory_mib(device: torch.device) -> float | None:
    """Peak memory of this process so far, in MiB (2²⁰ bytes).

    On CUDA it is what torch had allocated on the device at most; elsewhere the process's largest
    resident set, without the processes that decode images.

    Returns:
        None on a system that does not tell (Windows).

    Examples:
        >>> peak_memory_mib(torch.device("cpu")) > 10
        True
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / _MIB
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / _MIB if sys.platform == "darwin" else peak / 1024  # bytes there, KiB elsewhere
