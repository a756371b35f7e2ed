"""Define how the library reports progress: through a callable that the caller passes in."""

import contextlib
from typing import Protocol


class Progress(Protocol):
    """Called with the units done, their total, and numbers to show with them."""

    def __call__(self, done: int, total: int, **numbers: float) -> None:
        """Report that `done` of `total` units are finished."""


class Stages(Protocol):
    """Called when a stage of the work begins, with its task and the name of one unit."""

    def __call__(self, task: str, unit: str, /) -> contextlib.AbstractContextManager[Progress]:
        """Return what the stage reports to; leaving the context ends it."""


def no_progress(done: int, total: int, **numbers: float) -> None:
    """Report nothing."""


def no_stages(_task: str, _unit: str, /) -> contextlib.AbstractContextManager[Progress]:
    """Report nothing of any stage."""
    return contextlib.nullcontext(no_progress)
