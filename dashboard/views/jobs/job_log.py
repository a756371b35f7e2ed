"""The end of a job's log: however large the file, little of it is read, and all of it is text."""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from dashboard.queries import store_state
from dashboard.shell import formats, html
from streetclip.errors import shown

MOST_BYTES: Final = 64 * 1024

_FEW_BYTES: Final = 8 * 1024
_MOST_LINES: Final = 500
_MOST_CHARACTERS: Final = 2000  # of a line

# Escape sequences of terminals (ECMA-48): CSI with parameters, OSC up to its end, two characters.
_ESCAPES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]"
)


class Tail(NamedTuple):
    """The end of a log.

    Attributes:
        lines: As they would stand on a terminal, oldest first.
        is_whole: Whether they are all there is.
        problem: Why there are none, in words.
    """

    lines: tuple[str, ...]
    is_whole: bool = True
    problem: str = ""


def read_tail(store_path: Path, job: Mapping[str, Any], most_bytes: int = MOST_BYTES) -> Tail:
    """Read the end of a job's log.

    Only a plain file in the log folder of the store is read, whatever the record names.

    Args:
        store_path: The store.
        job: Its record, for `log_path`.
        most_bytes: How much is read, from the end.
    """
    path = store_state.log_folder(store_path) / Path(job["log_path"] or "").name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return Tail((), problem="Nothing has been logged yet.")
    except (OSError, ValueError) as error:
        return Tail((), problem=f"{path}: cannot be read ({shown(error)}).")
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Tail((), problem=f"{path}: is no plain file; expected a log.")
        start = max(0, status.st_size - most_bytes)
        return _tail(os.pread(descriptor, most_bytes, start), is_whole=start == 0)
    finally:
        os.close(descriptor)


def _tail(end: bytes, *, is_whole: bool) -> Tail:
    text = end.decode("utf-8", "replace")
    if not is_whole:
        text = text[text.find("\n") + 1 :]  # the first line is cut; one without an end stays
    lines = text.rstrip().split("\n")
    if not text.strip():
        return Tail((), problem="Nothing has been logged yet.")
    is_whole = is_whole and len(lines) <= _MOST_LINES
    return Tail(tuple(map(_visible, lines[-_MOST_LINES:])), is_whole)


def _visible(line: str) -> str:
    """A line as a terminal leaves it: after a carriage return it is written over."""
    parts = [_ESCAPES.sub("", part) for part in line.split("\r")]
    last = next((part for part in reversed(parts) if part.strip()), "")
    last = last[: 2 * _MOST_CHARACTERS].expandtabs().rstrip()
    return formats.cut(formats.without_controls(last), _MOST_CHARACTERS)


def draw(store_path: Path, job: Mapping[str, Any], *, is_short: bool = False) -> None:
    """Draw the end of a job's log, its last line in sight.

    Args:
        store_path: The store.
        job: Its record, as `store.get_job` gives it.
        is_short: Whether some lines are enough.
    """
    tail = read_tail(store_path, job, _FEW_BYTES if is_short else MOST_BYTES)
    if tail.problem:
        html.remark(tail.problem)
        return
    text = html.tag("pre", "\n".join(tail.lines))
    label = f"End of the log of job {job['id']}"
    css = "sc-log sc-short" if is_short else "sc-log"
    html.draw(html.tag("div", text, css=css, role="region", label=label, focusable=True))
    if not tail.is_whole and not is_short:
        path = store_state.log_folder(store_path) / Path(job["log_path"]).name
        html.remark(f"The end of {formats.plain(path, 400)}; the file holds more.")
