"""What a job says: on the terminal and in its log file. A log that cannot be written stops none."""

import contextlib
import io
import logging
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from streetclip.errors import StreetClipError

_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def output_may_fail() -> Iterator[None]:
    """Let a job whose stdout and stderr are a log file go on when the disk is full."""
    with (
        contextlib.redirect_stdout(_Unfailing(sys.stdout)),
        contextlib.redirect_stderr(_Unfailing(sys.stderr)),
    ):
        yield


@contextlib.contextmanager
def copied_to(path: Path) -> Iterator[None]:
    """Write into the log file too what a job that was started in a shell says.

    Args:
        path: The log file; its folder may be missing.
    """
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            raw = stack.enter_context(path.open("ab", buffering=0))
        except OSError as error:
            _LOG.warning("%s: no log is kept there (%s)", path, error.strerror)
            yield
            return
        yield from _copying(_Unfailing(_Encoded(raw)))


def _copying(file: "_Unfailing") -> Iterator[None]:
    handler = logging.StreamHandler(file)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        with contextlib.redirect_stdout(_Both((sys.stdout, file))):
            yield
    except Exception as error:
        kind = "" if isinstance(error, StreetClipError) else traceback.format_exc()
        file.write(f"{kind}error: {error}\n")
        raise
    finally:
        logging.getLogger().removeHandler(handler)


class _Encoded(io.TextIOBase):
    """Text for a file without a buffer, in which nothing waits that could fail later."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw

    def write(self, text: str) -> int:
        self._raw.write(text.encode("utf-8", "backslashreplace"))
        return len(text)


class _Unfailing(io.TextIOBase):
    """Text that is lost where it cannot be written, as on a full disk."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class _Both(io.TextIOBase):
    """Text that goes two ways; the first is the one that may be a terminal."""

    def __init__(self, streams: Sequence[Any]) -> None:
        self._streams = streams

    def write(self, text: str) -> int:
        for stream in self._streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        for stream in self._streams:
            stream.flush()
