"""End of a job's log, as plain text."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from dashboard.queries import store_state
from dashboard.shell import formats, html
from streetclip.errors import shown
from streetclip.files import open_plain

MOST_BYTES: Final = 64 * 1024

_FEW_BYTES: Final = 8 * 1024
_MOST_LINES: Final = 500
_MOST_CHARACTERS: Final = 2000  # of a line

# Escape sequences of terminals (ECMA-48): CSI with parameters, OSC up to its end, two characters.
_ESCAPES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]"
)


class Tail(NamedTuple):
    """End of a log: lines as a terminal shows them, or why there are none."""

    lines: tuple[str, ...]
    is_whole: bool = True
    problem: str = ""


def read_tail(store_path: Path, job: Mapping[str, Any], most_bytes: int = MOST_BYTES) -> Tail:
    """Read the end of a job's log, a plain file in the log folder."""
    path = _path(store_path, job)
    try:
        descriptor = open_plain(path, os.O_RDONLY)
    except FileNotFoundError:
        return Tail((), problem="Nothing has been logged yet.")
    except (OSError, ValueError) as error:
        return Tail((), problem=f"{path}: cannot be read ({shown(error)}).")
    try:
        start = max(0, os.fstat(descriptor).st_size - most_bytes)
        text = os.pread(descriptor, most_bytes, start).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
    if start > 0:
        text = text[text.find("\n") + 1 :]  # the first line is cut; one without an end is kept
    if not text.strip():
        return Tail((), problem="Nothing has been logged yet.")
    lines = text.rstrip().split("\n")
    is_whole = start == 0 and len(lines) <= _MOST_LINES
    return Tail(tuple(map(_visible, lines[-_MOST_LINES:])), is_whole)


def _path(store_path: Path, job: Mapping[str, Any]) -> Path:
    return store_state.log_folder(store_path) / Path(job["log_path"] or "").name


def _visible(line: str) -> str:
    """Reduce a line to what a terminal shows: a carriage return overwrites it."""
    parts = [_ESCAPES.sub("", part) for part in line.split("\r")]
    last = next((part for part in reversed(parts) if part.strip()), "")
    last = last[: 2 * _MOST_CHARACTERS].expandtabs().rstrip()
    return formats.cut(formats.without_controls(last), _MOST_CHARACTERS)


def draw(store_path: Path, job: Mapping[str, Any], *, is_short: bool = False) -> None:
    """Draw the end of a job's log, scrolled to its last line."""
    tail = read_tail(store_path, job, _FEW_BYTES if is_short else MOST_BYTES)
    if tail.problem:
        html.remark(tail.problem)
        return
    text = html.tag("pre", "\n".join(tail.lines))
    label = f"End of the log of job {job['id']}"
    css = "sc-log sc-short" if is_short else "sc-log"
    html.draw(html.tag("div", text, css=css, role="region", label=label, focusable=True))
    if not tail.is_whole and not is_short:
        path = formats.plain(_path(store_path, job), 400)
        html.remark(f"The end of {path}; the file has more lines.")
