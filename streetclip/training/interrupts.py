"""Interrupts between steps only, so that what is saved is a state that a resume can go on from."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from streetclip.processes import raise_interrupt

# Signals that can mean "save and end", and the handler by which they do.
_INTERRUPTING: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: raise_interrupt,
}


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Hold back Ctrl-C, and TERM where the job takes it for one, until the block is left.

    A second one of either interrupts at once. Outside the main thread, where Python delivers no
    signals, and for a signal that has another handler, nothing is changed.

    Raises:
        KeyboardInterrupt: On leaving, if there was one inside.
    """
    handlers = _interrupting_handlers()
    interrupted = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        _install(handlers)

    try:
        _install(dict.fromkeys(handlers, note))
        yield
    finally:
        _install(handlers)
    if interrupted:
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
