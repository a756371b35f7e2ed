"""How long work reports where it stands: a callable that the caller hands in.

The library never prints. A job hands in a bar, a test or a notebook hands in nothing. Work that
has several stages is handed what makes a bar for each.
"""

import contextlib
from typing import Protocol


class Progress(Protocol):
    """Called with the work done so far and the whole, and with numbers worth showing beside."""

    def __call__(self, done: int, total: int, **numbers: float) -> None:
        """Report that `done` of `total` units are finished."""


class Stages(Protocol):
    """Called where a stage of the work begins, with what it does and what one unit of it is."""

    def __call__(self, task: str, unit: str, /) -> contextlib.AbstractContextManager[Progress]:
        """Give what the stage reports to; leaving the context ends it."""


def no_progress(done: int, total: int, **numbers: float) -> None:
    """Report nothing."""


def no_stages(_task: str, _unit: str, /) -> contextlib.AbstractContextManager[Progress]:
    """Report nothing of any stage."""
    return contextlib.nullcontext(no_progress)
