"""Processes as a record can name them: a number alone may belong to another one tomorrow."""

import os
import signal
import socket
from dataclasses import dataclass
from types import FrameType

# The system tells when a process began relative to the boot, whose time it corrects by a second
# now and then. A number is not given to a second process that soon.
_SAME_START_S = 2.0


@dataclass(frozen=True)
class ProcessId:
    """One process, and no later one of the same number.

    Attributes:
        host: Name of the machine.
        pid: Its number there.
        started_at: When it began, seconds since 1970.
    """

    host: str
    pid: int
    started_at: float


def current_process() -> ProcessId:
    """This process.

    Examples:
        >>> is_alive(current_process())
        True
    """
    found = find_process(os.getpid())
    assert found is not None
    return found


def find_process(pid: int) -> ProcessId | None:
    """The process that has this number on this machine; None if none has, or it is a zombie."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return ProcessId(socket.gethostname(), pid, process.create_time())
    except (psutil.NoSuchProcess, ValueError, OverflowError):
        return None


def is_alive(process: ProcessId) -> bool | None:
    """Whether a process still runs; None where it was on another machine."""
    if process.host != socket.gethostname():
        return None
    found = find_process(process.pid)
    return found is not None and abs(found.started_at - process.started_at) < _SAME_START_S


def signal_group(process: ProcessId, number: signal.Signals) -> bool:
    """Send a signal to a process, and to its group where it leads one.

    A process that was started by a script shares the group of that script, which is spared.

    Returns:
        Whether it was sent: not to a process that is gone, is on another machine, or is another
        one that was given the number since.
    """
    if not is_alive(process):
        return False
    try:
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
        else:
            os.kill(process.pid, number)
    except ProcessLookupError:  # it ended since
        return False
    return True


def raise_interrupt(number: int, _frame: FrameType | None) -> None:
    """Handle a signal as Ctrl-C is handled: a job asked to end saves what it has.

    From then on the signal is ignored. Batch systems send it to all processes at once, and a
    launcher among them passes it on: a second one must not disturb the saving.

    Raises:
        KeyboardInterrupt: Always.
    """
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
