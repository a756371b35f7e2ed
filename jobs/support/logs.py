"""Copy a job's output to its log; a full disk stops no job."""

import contextlib
import io
import logging
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streetclip.errors import StreetClipError
from streetclip.files import open_log

LOG_FORMAT = "%(levelname)s %(message)s"

_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def output_may_fail() -> Iterator[None]:
    """Let a job that logs to a file continue when the disk is full."""
    with (
        contextlib.redirect_stdout(_Unfailing(sys.stdout)),
        contextlib.redirect_stderr(_Unfailing(sys.stderr)),
    ):
        yield


@contextlib.contextmanager
def copied_to(path: Path) -> Iterator[None]:
    """Copy stdout, log lines and the final error to a log file."""
    with contextlib.ExitStack() as stack:
        try:
            raw = stack.enter_context(open_log(path))
        except OSError as error:
            _LOG.warning("%s: no log is kept there (%s)", path, error.strerror)
            yield
            return
        # Unbuffered, so that nothing is left to fail when it is closed.
        text = io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)
        file = _Unfailing(text)
        handler = logging.StreamHandler(file)
        handler.setFormatter(logging.Formatter(LOG_FORMAT))
        logging.getLogger().addHandler(handler)
        stack.callback(logging.getLogger().removeHandler, handler)
        stack.enter_context(contextlib.redirect_stdout(_Copied(sys.stdout, file)))
        try:
            yield
        except Exception as error:
            trace = "" if isinstance(error, StreetClipError) else traceback.format_exc()
            file.write(f"{trace}error: {error}\n")
            raise


class _Unfailing(io.TextIOBase):
    """Lose text that cannot be written, as on a full disk."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class _Copied(io.TextIOBase):
    """Write text to a stream, and a copy to a file."""

    def __init__(self, stream: Any, file: _Unfailing) -> None:
        self._stream, self._file = stream, file

    def write(self, text: str) -> int:
        self._stream.write(text)
        return self._file.write(text)

    def flush(self) -> None:
        self._stream.flush()
