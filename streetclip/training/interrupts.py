"""Defer interrupts to the end of a block."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from streetclip.process_identity import raise_interrupt

# Signals that mean "save and end" while they have this handler
_INTERRUPTING: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: raise_interrupt,
}


@dataclass
class Interrupt:
    """A deferred interrupt."""

    is_pending: bool = False


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[Interrupt]:
    """Defer Ctrl-C and TERM to the end of the block, which then raises KeyboardInterrupt.

    A second Ctrl-C interrupts at once; a second TERM is ignored, as batch systems send it both to
    a launcher and to its processes. Does nothing in other threads and in a nested block.
    """
    is_main = threading.current_thread() is threading.main_thread()
    handlers = {
        number: handler
        for number, handler in _INTERRUPTING.items()
        if is_main and signal.getsignal(number) is handler
    }
    interrupt = Interrupt()

    def note(_number: int, _frame: FrameType | None) -> None:
        interrupt.is_pending = True
        if signal.SIGINT in handlers:
            signal.signal(signal.SIGINT, handlers[signal.SIGINT])

    try:
        for number in handlers:
            signal.signal(number, note)
        yield interrupt
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if interrupt.is_pending and signal.SIGTERM in handlers:
            # As after `raise_interrupt`: the state is saved next.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if interrupt.is_pending:
        raise KeyboardInterrupt
