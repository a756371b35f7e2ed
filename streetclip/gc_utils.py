"""Python's search for reference cycles, put off where there are none."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collection_paused() -> Iterator[None]:
    """Look for no reference cycles meanwhile; also a decorator.

    For short work on rows by the thousand, which are plain values: to walk through all of them
    again and again takes a tenth of the time of a large evaluation.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
