"""Define how the library reports progress: through a callable that the caller passes in."""

import contextlib
from typing import Final, Protocol

_LEAST_BATCHES: Final = 3
_LEAST_S: Final = 10.0


class Progress(Protocol):
    """Called with the units done, their total, and numbers to show with them."""

    def __call__(self, done: int, total: int, **numbers: float) -> None:
        """Report that `done` of `total` units are finished."""


class Stages(Protocol):
    """Called when a stage of the work begins, with its task and the name of one unit."""

    def __call__(self, task: str, unit: str, /) -> contextlib.AbstractContextManager[Progress]:
        """Return what the stage reports to; leaving the context ends it."""


def is_rate_settled(num_batches: int, elapsed_s: float) -> bool:
    """Check whether a rate tells the time left: the first batches also load and compile.

    Examples:
        >>> is_rate_settled(1, 30.0), is_rate_settled(50, 2.0), is_rate_settled(3, 10.0)
        (False, False, True)
    """
    return num_batches >= _LEAST_BATCHES and elapsed_s >= _LEAST_S


def no_progress(done: int, total: int, **numbers: float) -> None:
    """Report nothing."""


def no_stages(_task: str, _unit: str, /) -> contextlib.AbstractContextManager[Progress]:
    """Report nothing of any stage."""
    return contextlib.nullcontext(no_progress)
