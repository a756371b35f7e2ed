"""Ctrl-C between steps only, so that what is saved is a state that a resume can go on from."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Hold Ctrl-C back until the block is left; a second one interrupts at once.

    Outside the main thread, where Python delivers no signals, and where another program has its
    own handler, nothing is changed.

    Raises:
        KeyboardInterrupt: On leaving, if Ctrl-C was pressed inside.
    """
    if not _owns_interrupts():
        yield
        return
    pressed = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt


def _owns_interrupts() -> bool:
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler
