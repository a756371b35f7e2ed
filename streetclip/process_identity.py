"""Identify processes by host, number and start: numbers are given out again.

Where the system counts starts in ticks since a boot with an id of its own, no step of the clock
changes them.
"""

import contextlib
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Without a boot id: the clock that a start was read from may be corrected by a second.
_SAME_START_S = 2.0


@dataclass(frozen=True)
class ProcessId:
    """One process, and no later one of the same number.

    `started_at` is in ticks since the boot `boot_id`; without one, in s since 1970.
    """

    host: str
    pid: int
    started_at: float
    boot_id: str = ""


def current_process() -> ProcessId:
    """Identify this process."""
    found = find_process(os.getpid())
    assert found is not None
    return found


def find_process(pid: int) -> ProcessId | None:
    """Identify the process with a number on this machine; None if none has it, or a zombie."""
    boot_id = _boot_id()
    try:
        started_at = float(_start_ticks(pid)) if boot_id else _created_s(pid)
    except (ProcessLookupError, FileNotFoundError):
        return None
    return ProcessId(socket.gethostname(), pid, started_at, boot_id)


def is_alive(process: ProcessId) -> bool | None:
    """Return whether a process still runs; None where it was on another machine."""
    if process.host != socket.gethostname():
        return None
    found = find_process(process.pid)
    if found is None or process.boot_id:
        return found == process
    try:  # the record of an earlier version, or of a system without boot ids
        return abs(_created_s(process.pid) - process.started_at) < _SAME_START_S
    except ProcessLookupError:
        return False


def signal_group(process: ProcessId, number: signal.Signals) -> bool:
    """Send a signal to a process, and to its group where it leads one.

    Returns False for a process that has ended, is on another machine, or may be another one of the
    same number, as its start was recorded by an earlier version.
    """
    if process.boot_id != _boot_id() or not is_alive(process):
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


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _start_ticks(pid: int) -> int:
    """Read when a process started; raise ProcessLookupError for none and for a zombie."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    if fields[0] in "ZX":
        raise ProcessLookupError
    return int(fields[19])  # field 22 of proc_pid_stat(5)


def _created_s(pid: int) -> float:
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess, ValueError, OverflowError):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return float(process.create_time())
    raise ProcessLookupError
