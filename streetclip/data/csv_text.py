"""Read CSV text in chunks; errors name line and cause."""

import contextlib
import csv
import hashlib
import io
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Protocol, Self, TextIO

from streetclip.data.encodings import offer_encodings
from streetclip.errors import ManifestError, shown

_SAMPLE_BYTES = 2**16  # of which the dialect is detected
_MAX_CELL = 2**20  # characters; more means that a quote was never closed
_SPACE_THEN_QUOTE = re.compile(r'\s+"')
_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE | re.DOTALL)
_FROM_UTF16 = (
    "Convert it, for example with `iconv -f UTF-16 -t UTF-8 OLD.csv > NEW.csv`, or save it as "
    '"CSV UTF-8" in the spreadsheet.'
)
# First bytes of what people name .csv by mistake.
_NOT_CSV = (
    ((b"\xff\xfe", b"\xfe\xff"), f"is UTF-16 text; expected UTF-8. {_FROM_UTF16}"),
    (b"PK\x03\x04", 'is a spreadsheet or archive; expected CSV text. Save it as "CSV UTF-8".'),
    (b"PAR1", "is a Parquet file; expected CSV text. Convert it, for example with pandas."),
    ((b"{", b"["), "is JSON text; expected CSV. Convert it, for example with pandas."),
    (b"\x1f\x8b", "is compressed with gzip; expected CSV text. Unpack it with gunzip."),
)


Rows = list[list[str]]


class RowSource(Protocol):
    """What a manifest is read from: a `CsvFile`, or rows of the same shape made otherwise."""

    path: Path
    header: list[str]
    header_line: int
    num_bytes: int

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...

    @property
    def bytes_read(self) -> int:
        """Return the bytes read so far, of `num_bytes`."""

    def sha256(self) -> str:
        """Compute the hex digest of the file."""

    def chunks(self, chunk_rows: int) -> Iterator[tuple[Rows, Sequence[int]]]:
        """Yield chunks of rows and their lines."""


class BadRow(list[str]):
    """A row that a source could not convert, without cells, and why."""

    def __init__(self, problem: str) -> None:
        super().__init__()
        self.problem = problem


@dataclass(frozen=True)
class CsvDialect:
    """Describe how a CSV file departs from RFC 4180."""

    skips_spaces: bool = False  # a quote opens a cell after spaces too: `a.jpg, "Washington, D.C."`
    num_extra_cells: int = 0  # most blank cells after the last named column


class CsvFile(contextlib.AbstractContextManager["CsvFile"]):
    """Read a CSV file from its start; use it as a context.

    `header` has the cells of the first row, without blank ones at its end. A file that is missing,
    empty or not CSV raises a `ManifestError`; so does text that is not UTF-8, while it is read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.num_bytes = _check_file(path)
        # One limit for the process; never lowered, in case others need more.
        csv.field_size_limit(max(csv.field_size_limit(), _MAX_CELL))
        self._dialect = sniff_dialect(path)
        self._file = path.open("rb")
        self._text = io.TextIOWrapper(self._file, "utf-8-sig", newline="")
        self._reader = _csv_reader(self._text, self._dialect)
        self._next_line = 1
        self._width = 0
        try:
            self.header, self.header_line = self._read_header()
        except ManifestError:
            self._text.close()
            raise

    def __exit__(self, *exception: object) -> None:
        self._text.close()

    @property
    def bytes_read(self) -> int:
        """Return the bytes read so far."""
        return self._file.tell()

    def sha256(self) -> str:
        """Compute the hex digest of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def chunks(self, chunk_rows: int) -> Iterator[tuple[Rows, Sequence[int]]]:
        """Yield chunks of rows, and their first lines in the file.

        Blank lines, and blank cells after the last named column, are left out.
        """
        try:
            while rows := list(islice(self._reader, chunk_rows)):
                lines = self._starts(rows)
                if [] in rows:
                    kept = [i for i, row in enumerate(rows) if row]
                    rows, lines = [rows[i] for i in kept], [lines[i] for i in kept]
                if rows:
                    yield self._without_blank_ends(rows), lines
        except UnicodeError:
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


def _check_file(path: Path) -> int:
    start, problem = b"", ""
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            with path.open("rb") as file:
                start = file.read(4)
        else:
            problem = "is a folder or device; expected a CSV file."
    except FileNotFoundError:
        problem = "no such file; expected a CSV file. Check the path."
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); expected a CSV file."
    problem = next((text for prefix, text in _NOT_CSV if start.startswith(prefix)), problem)
    if problem:
        msg = f"{path}: {problem}"
        raise ManifestError(msg)
    return status.st_size


def _csv_reader(text: TextIO, dialect: CsvDialect) -> Any:
    return csv.reader(_refuse_nul(text), strict=True, skipinitialspace=dialect.skips_spaces)


def _refuse_nul(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if "\0" in line:
            raise UnicodeError  # as for bytes that are not UTF-8
        yield line


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
        f'({error}). Close every quote, and write a quote inside a quoted cell twice ("").'
    )


def _describe_bad_byte(path: Path) -> str:
    """Describe the first byte that is NUL or not UTF-8."""
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


def sniff_dialect(path: Path) -> CsvDialect:
    """Detect how a CSV file is written from its first 64 KiB."""
    with path.open("rb") as file:
        content = file.read(_SAMPLE_BYTES)
        is_whole = not file.read(1)
    lines = content.decode("utf-8-sig", errors="replace").splitlines(keepends=True)
    if not is_whole:
        lines = lines[:-1]  # cut off
    skips_spaces = any(map(has_quote_after_space, _parse(lines, skips_spaces=False)))
    rows = [row for row in _parse(lines, skips_spaces=skips_spaces) if row]
    if rows and named_separator(rows[0]):
        rows = rows[1:]
    return CsvDialect(skips_spaces, _num_extra_cells(rows))


def named_separator(first_row: list[str]) -> str | None:
    """Find the separator in Excel's first line `sep=;`."""
    match = _SEPARATOR_LINE.fullmatch(",".join(first_row).strip(" "))
    return match[1] if match else None


def has_quote_after_space(row: list[str]) -> bool:
    """Return whether a cell starts with a space and a quote."""
    return any('"' in cell and _SPACE_THEN_QUOTE.match(cell) for cell in row)


def without_blank_end(header: list[str]) -> list[str]:
    """Remove the columns without a name at a header's end."""
    end = len(header)
    while end > 1 and not header[end - 1].strip():
        end -= 1
    return header[:end]


def _parse(lines: list[str], *, skips_spaces: bool) -> Rows:
    rows: Rows = []
    with contextlib.suppress(csv.Error):  # reading the whole file reports it
        rows.extend(csv.reader(lines, skipinitialspace=skips_spaces))
    return rows


def _num_extra_cells(rows: Rows) -> int:
    if not rows:
        return 0
    header = without_blank_end(rows[0])
    in_header = len(rows[0]) - len(header)
    extra = [row[len(header) :] for row in rows[1:]]
    if in_header:
        is_column = any(len(cells) == in_header and "".join(cells).strip() for cells in extra)
        return 0 if is_column else in_header
    # One row with a blank cell too many has a comma too many; if all rows do, lines end with one.
    if not all(cells and not "".join(cells).strip() for cells in extra):
        return 0
    return max(map(len, extra), default=0)
