"""Defer interrupts to the end of a block, so that what is saved can be resumed."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from streetclip.process_identity import raise_interrupt

# Signals that can mean "save and end", and the handler by which they do.
_INTERRUPTING: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: raise_interrupt,
}


@dataclass
class Interrupt:
    """Whether an interrupt is held back."""

    is_pending: bool = False


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[Interrupt]:
    """Hold back Ctrl-C, and a TERM that the job treats alike, until the block ends.

    After the first, a further Ctrl-C interrupts at once. A further TERM does not, not even after
    the block: batch systems send it to a launcher and its processes, and the launcher passes it on.
    Nothing changes outside the main thread, and for signals with other handlers, as in a nested
    block.

    Yields:
        Whether an interrupt has arrived.

    Raises:
        KeyboardInterrupt: On leaving, if one arrived inside.
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
            # As after `raise_interrupt`: saving follows.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if interrupt.is_pending:
        raise KeyboardInterrupt
