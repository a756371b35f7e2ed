"""Interrupts between steps only, so that what is saved is a state that a resume can go on from."""

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
    """Whether there was an interrupt that is held back."""

    is_pending: bool = False


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[Interrupt]:
    """Hold back Ctrl-C, and TERM where the job takes it for one, until the block is left.

    Once there was one, a further Ctrl-C interrupts at once. A further TERM does not: batch systems
    send it to a launcher and its processes, and the launcher passes it on; it is ignored even after
    the block. Outside the main thread,
    where Python delivers no signals, and for a signal that has another handler, as it has within
    such a block, nothing is changed.

    Yields:
        Whether there was one by now.

    Raises:
        KeyboardInterrupt: On leaving, if there was one inside.
    """
    handlers = _interrupting_handlers()
    interrupt = Interrupt()

    def note(_number: int, _frame: FrameType | None) -> None:
        interrupt.is_pending = True
        if signal.SIGINT in handlers:
            signal.signal(signal.SIGINT, handlers[signal.SIGINT])

    try:
        _install(dict.fromkeys(handlers, note))
        yield interrupt
    finally:
        _install(handlers)
        if interrupt.is_pending and signal.SIGTERM in handlers:
            # As after `raise_interrupt`: what follows is the saving.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if interrupt.is_pending:
        raise KeyboardInterrupt


def _interrupting_handlers() -> dict[signal.Signals, Any]:
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {
        number: handler
        for number, handler in _INTERRUPTING.items()
        if signal.getsignal(number) is handler
    }


def _install(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
