"""Read CSV text in chunks, with the lines of the file and errors that name the cause."""

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
    Rows,
    named_separator,
    sniff_dialect,
    without_blank_end,
)
from streetclip.data.encodings import offer_encodings
from streetclip.errors import ManifestError, shown

_MAX_CELL = 2**20  # characters; more means that a quote was never closed
_BLOCK = 2**18
_FROM_UTF16 = (
    "Convert it, for example with `iconv -f UTF-16 -t UTF-8 OLD.csv > NEW.csv`, or save it as "
    '"CSV UTF-8" in the spreadsheet.'
)
# First bytes of what people name .csv by mistake.
_NOT_CSV = (
    (b"\xff\xfe", f"is UTF-16 text; expected UTF-8. {_FROM_UTF16}"),
    (b"\xfe\xff", f"is UTF-16 text; expected UTF-8. {_FROM_UTF16}"),
    (b"PK\x03\x04", 'is a spreadsheet or archive; expected CSV text. Save it as "CSV UTF-8".'),
    (b"\x1f\x8b", "is compressed with gzip; expected CSV text. Unpack it with gunzip."),
)


class CsvFile:
    """A CSV file that is read from its start; use it as a context.

    Attributes:
        path: As given, for messages.
        header: Cells of the first row, without blank ones at its end.
        header_line: Line of the header.
        num_bytes: Size of the file.

    Raises:
        ManifestError: The file is missing, empty, not CSV, not UTF-8 or holds NUL bytes; the last
            two are raised when reading reaches them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.num_bytes = _check_file(path)
        # One limit for the process; never lowered, in case others need more.
        csv.field_size_limit(max(csv.field_size_limit(), _MAX_CELL))
        self._raw = _WatchedFile(path)
        self._text = io.TextIOWrapper(io.BufferedReader(self._raw, _BLOCK), "utf-8-sig", newline="")
        self._dialect = sniff_dialect(path)
        self._reader = _csv_reader(self._text, self._dialect)
        self._next_line = 1
        self._width = 0
        try:
            self.header, self.header_line = self._read_header()
        except ManifestError:
            self._text.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._text.close()

    @property
    def bytes_read(self) -> int:
        """Bytes read so far."""
        return self._raw.bytes_read

    @property
    def sha256(self) -> str:
        """Hex digest of what was read: the whole file after the last chunk."""
        return self._raw.digest.hexdigest()

    def chunks(self, chunk_rows: int) -> Iterator[tuple[Rows, Sequence[int]]]:
        """Yield at most `chunk_rows` rows at a time, and the lines on which they start.

        Blank lines are left out, and so are blank cells after the last named column.
        """
        try:
            while rows := list(islice(self._reader, chunk_rows)):
                lines = self._starts(rows)
                if [] in rows:
                    kept = [i for i, row in enumerate(rows) if row]
                    rows, lines = [rows[i] for i in kept], [lines[i] for i in kept]
                if rows:
                    yield self._without_blank_ends(rows), lines
        except (UnicodeDecodeError, _NulByteError):
            raise ManifestError(_describe_bad_byte(self.path)) from None
        except csv.Error as error:
            raise ManifestError(_describe_bad_quotes(self.path, self._dialect, error)) from None

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
        for (row,), (line,) in self.chunks(1):
            separator = named_separator(row)
            if separator is None:
                header = without_blank_end(row) if self._dialect.num_extra_cells else row
                self._width = len(header)
                return header, line
            if separator != ",":
                msg = (
                    f"{self.path}:{line}: columns are separated by {shown(separator)}; "
                    "expected ','. Save the file with commas."
                )
                raise ManifestError(msg)
        msg = f"{self.path}: is empty; expected a line of column names and a row for each image."
        raise ManifestError(msg)


class _NulByteError(Exception):
    """The file holds a NUL byte."""


class _WatchedFile(io.RawIOBase):
    """A file that hashes and counts what is read, and refuses NUL bytes."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self.bytes_read = 0
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._file.readinto(buffer) or 0
        block = bytes(buffer[:count])
        if b"\0" in block:
            raise _NulByteError
        self.digest.update(block)
        self.bytes_read += count
        return count

    def close(self) -> None:
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


def _csv_reader(text: TextIO, dialect: CsvDialect) -> Any:
    return csv.reader(text, strict=True, skipinitialspace=dialect.skips_spaces)


def _line_breaks(cell: str) -> int:
    return cell.count("\n") + cell.count("\r") - cell.count("\r\n")


def _describe_bad_quotes(path: Path, dialect: CsvDialect, error: csv.Error) -> str:
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


def _describe_bad_byte(path: Path) -> str:
    """Describe the first byte that is NUL or not UTF-8, with its line."""
    line, offset = 1, 0
    with path.open("rb") as file:
        for text in file:
            position = text.find(b"\0")
            try:
                text.decode("utf-8")
            except UnicodeDecodeError as error:
                position = error.start
            if position >= 0:
                break
            line += _line_breaks(text.decode("latin-1"))
            offset += len(text)
        else:
            return f"{path}: changed while it was read. Run again."
    where = f"{path}:{line + _line_breaks(text[:position].decode('latin-1'))}"
    if not text[position]:
        return f"{where}: holds a NUL byte; expected UTF-8 text. Is it UTF-16? {_FROM_UTF16}"
    return (
        f"{where}: byte 0x{text[position]:02X} at position {offset + position + 1:,} of the file "
        f"is not UTF-8; expected UTF-8 text. {offer_encodings(path)}"
    )
