"""Identify processes by host, number and start time: numbers are given out again."""

import os
import signal
import socket
from dataclasses import dataclass
from types import FrameType

# The system reports the start relative to the boot, whose time it corrects by a second now and
# then. A number is not given to a second process that soon.
_SAME_START_S = 2.0


@dataclass(frozen=True)
class ProcessId:
    """One process, and no later one of the same number; `started_at` in s since 1970."""

    host: str
    pid: int
    started_at: float


def current_process() -> ProcessId:
    """Identify this process."""
    found = find_process(os.getpid())
    assert found is not None
    return found


def find_process(pid: int) -> ProcessId | None:
    """Identify the process with a number on this machine; None if none has it, or a zombie."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return ProcessId(socket.gethostname(), pid, process.create_time())
    except (psutil.NoSuchProcess, ValueError, OverflowError):
        return None


def is_alive(process: ProcessId) -> bool | None:
    """Return whether a process still runs; None where it was on another machine."""
    if process.host != socket.gethostname():
        return None
    found = find_process(process.pid)
    return found is not None and abs(found.started_at - process.started_at) < _SAME_START_S


def signal_group(process: ProcessId, number: signal.Signals) -> bool:
    """Send a signal to a process, and to its group where it leads one.

    Returns False for a process that has ended or is on another machine.
    """
    if not is_alive(process):
        return False
    try:
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
        else:
            os.kill(process.pid, number)
    except ProcessLookupError:  # it has ended since
        return False
    return True


def raise_interrupt(number: int, _frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt for a signal, so that a job saves what it has.

    The signal is ignored from then on: batch systems send it to all processes at once and a
    launcher passes it on; a second one must not disturb the saving.
    """
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
