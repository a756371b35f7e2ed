"""Reading CSV text in chunks with the exact lines of the file, and errors that help to mend it."""

import codecs
import contextlib
import csv
import hashlib
import io
import stat
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Self, TextIO

from streetclip.data.csv_dialect import (
    CsvDialect,
    named_separator,
    sniff_dialect,
    without_blank_end,
)
from streetclip.data.encodings import offer_encodings
from streetclip.errors import ManifestError, shown

_MAX_CELL = 2**20  # characters; more means that a quote was never closed
_BLOCK = 2**18
_CONVERT = (
    "Convert it, for example with `iconv -f {encoding} -t UTF-8 OLD.csv > NEW.csv`, or save it as "
    '"CSV UTF-8" in the spreadsheet.'
)
# First bytes of what people name .csv by mistake.
_NOT_CSV = (
    (b"\xff\xfe", "is UTF-16 text; expected UTF-8. " + _CONVERT.format(encoding="UTF-16")),
    (b"\xfe\xff", "is UTF-16 text; expected UTF-8. " + _CONVERT.format(encoding="UTF-16")),
    (b"PK\x03\x04", 'is a spreadsheet or archive; expected CSV text. Save it as "CSV UTF-8".'),
    (b"\x1f\x8b", "is compressed with gzip; expected CSV text. Unpack it with gunzip."),
)

Rows = list[list[str]]


class CsvFile:
    """A CSV file being read from its start; use it as a context.

    Attributes:
        path: As given, for messages.
        header: The cells of the first row, without blank ones at its end.
        header_line: Its line.
        num_bytes: Size of the file.

    Raises:
        ManifestError: The file is missing, empty, not CSV, not UTF-8 or holds NUL bytes. Those
            inside the file are raised when reading comes to them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.num_bytes = _check_file(path)
        # One limit for the process; never lowered, in case others need more.
        csv.field_size_limit(max(csv.field_size_limit(), _MAX_CELL))
        self._raw = _WatchedFile(path)
        text = io.TextIOWrapper(io.BufferedReader(self._raw, _BLOCK), "utf-8-sig", newline="")
        self._text = text
        self._dialect = sniff_dialect(path)
        self._reader = _csv_reader(text, self._dialect)
        self._next_line = 1
        self._width = 0
        try:
            self.header, self.header_line = self._read_header()
        except ManifestError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._text.close()

    @property
    def bytes_read(self) -> int:
        """How far reading has come."""
        return self._raw.bytes_read

    @property
    def sha256(self) -> str:
        """Hex digest of what was read: the whole file, once the chunks are through."""
        return self._raw.digest.hexdigest()

    def chunks(self, chunk_rows: int) -> Iterator[tuple[Rows, Sequence[int]]]:
        """Yield rows and the lines on which they start, at most `chunk_rows` at a time.

        Blank lines are passed over, and so are blank cells after the last named column.
        """
        try:
            while rows := list(islice(self._reader, chunk_rows)):
                lines = self._starts(rows)
                if [] in rows:
                    kept = [i for i, row in enumerate(rows) if row]
                    rows, lines = [rows[i] for i in kept], [lines[i] for i in kept]
                if rows:
                    yield self._without_blank_ends(rows), lines
        except UnicodeDecodeError:
            raise ManifestError(_undecodable(self.path)) from None
        except csv.Error as error:
            raise ManifestError(_badly_quoted(self.path, self._dialect, error)) from None

    def _without_blank_ends(self, rows: Rows) -> Rows:
        width, most = self._width, self._width + self._dialect.num_extra_cells
        if width == most or set(map(len, rows)) <= {width}:
            return rows
        return [
            row[:width] if len(row) <= most and not any(map(str.strip, row[width:])) else row
            for row in rows
        ]

    def _starts(self, rows: Rows) -> Sequence[int]:
        start, self._next_line = self._next_line, self._reader.line_num + 1
        if self._next_line - start == len(rows):
            return range(start, self._next_line)
        # Some cells hold line breaks.
        heights = (sum(map(_line_breaks, row)) + 1 for row in rows)
        return list(accumulate(heights, initial=start))[:-1]

    def _read_header(self) -> tuple[list[str], int]:
        for rows, lines in self.chunks(1):
            separator = named_separator(rows[0])
            if separator is None:
                header = rows[0]
                if self._dialect.num_extra_cells:
                    header = without_blank_end(header)
                self._width = len(header)
                return header, lines[0]
            if separator != ",":
                msg = (
                    f"{self.path}:{lines[0]}: columns are separated by {shown(separator)}; "
                    "expected ','. Save the file with commas."
                )
                raise ManifestError(msg)
        msg = f"{self.path}: is empty; expected a line of column names and a row for each image."
        raise ManifestError(msg)


class _WatchedFile(io.RawIOBase):
    """A file that hashes and counts what is read, and refuses NUL bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb", buffering=0)
        self.bytes_read = 0
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._file.readinto(buffer) or 0
        block = bytes(buffer[:count])
        if b"\0" in block:
            offset = self.bytes_read + block.index(b"\0")
            msg = (
                f"{self._path}:{_line_at(self._path, offset)}: holds a NUL byte; expected UTF-8 "
                f"text. Is it UTF-16? {_CONVERT.format(encoding='UTF-16')}"
            )
            raise ManifestError(msg)
        self.digest.update(block)
        self.bytes_read += count
        return count

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _check_file(path: Path) -> int:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            msg = f"{path}: is a folder or device; expected a CSV file."
            raise ManifestError(msg)
        with path.open("rb") as file:
            start = file.read(4)
    except FileNotFoundError:
        msg = f"{path}: no such file; expected a CSV file. Check the path."
        raise ManifestError(msg) from None
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); expected a CSV file."
        raise ManifestError(msg) from None
    for prefix, problem in _NOT_CSV:
        if start.startswith(prefix):
            msg = f"{path}: {problem}"
            raise ManifestError(msg)
    return status.st_size


def _undecodable(path: Path) -> str:
    offset, found = _find_undecodable(path)
    return (
        f"{path}:{_line_at(path, offset)}: byte 0x{found:02X} at position {offset + 1:,} "
        f"of the file is not UTF-8; expected UTF-8 text. {offer_encodings(path)}"
    )


def _csv_reader(text: TextIO, dialect: CsvDialect) -> Any:
    return csv.reader(text, strict=True, skipinitialspace=dialect.skips_spaces)


def _badly_quoted(path: Path, dialect: CsvDialect, error: csv.Error) -> str:
    start = 1
    with path.open(encoding="utf-8-sig", newline="") as file, contextlib.suppress(csv.Error):
        # Again row by row, to know where the bad one starts.
        reader = _csv_reader(file, dialect)
        for _ in reader:
            start = reader.line_num + 1
    return (
        f"{path}:{start}: the row that starts here is badly quoted, up to line {reader.line_num} "
        f"({error}). "
        'Close every quote, and write a quote inside a quoted cell twice ("").'
    )


def _line_breaks(cell: str) -> int:
    return cell.count("\n") + cell.count("\r") - cell.count("\r\n")


def _find_undecodable(path: Path) -> tuple[int, int]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    end = 0
    with path.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
            end += len(block)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                return end - len(error.object) + error.start, error.object[error.start]
            if not block:
                msg = f"{path}: changed while it was read. Run again."
                raise ManifestError(msg)


def _line_at(path: Path, offset: int) -> int:
    with path.open("rb") as file:
        lines = 1
        last = b""
        while offset > 0:
            block = last + file.read(min(offset, _BLOCK))
            offset -= len(block) - len(last)
            # A "\r" at the end may be half of a line break.
            last = b"\r" if block.endswith(b"\r") else b""
            block = block[: len(block) - len(last)]
            lines += block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")
    return lines + len(last)


def header_hint(header: list[str]) -> str:
    """Guess the separator of a header that was not split at commas; "" where there is none.

    Examples:
        >>> header_hint(["image_filename;city;region"])
        " The columns seem to be separated by ';'; expected ','."
    """
    if len(header) == 1:
        for separator in (";", "\t", "|"):
            if header[0].count(separator) > 1:
                return f" The columns seem to be separated by {shown(separator)}; expected ','."
    return ""
