"""How long work reports where it stands: a callable that the caller hands in.

The library never prints. A job hands in a bar, a test or a notebook hands in nothing.
"""

from typing import Protocol


class Progress(Protocol):
    """Called with the work done so far and the whole, and with numbers worth showing beside."""

    def __call__(self, done: int, total: int, **numbers: float) -> None:
        """Report that `done` of `total` units are finished."""


def no_progress(done: int, total: int, **numbers: float) -> None:
    """Report nothing."""
