"""Detect how a CSV file is written from its start."""

import contextlib
import csv
import re
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_BYTES = 2**16
_SPACE_THEN_QUOTE = re.compile(r'\s+"')
_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE | re.DOTALL)

Rows = list[list[str]]


@dataclass(frozen=True)
class CsvDialect:
    """How a CSV file departs from RFC 4180.

    Attributes:
        skips_spaces: A quote opens a cell after spaces too: `a.jpg, "Washington, D.C."`.
        num_extra_cells: Most blank cells that a row may have after the last named column, because
            lines end with commas.
    """

    skips_spaces: bool = False
    num_extra_cells: int = 0


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
    """Find the separator in a first line such as `sep=;`, which Excel writes and obeys.

    Examples:
        >>> named_separator(["sep=;"]), named_separator(["sep=", ""]), named_separator(["city"])
        (';', ',', None)
    """
    match = _SEPARATOR_LINE.fullmatch(",".join(first_row).strip(" "))
    return match[1] if match else None


def has_quote_after_space(row: list[str]) -> bool:
    """Return whether a cell of a row starts with a space and a quote."""
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
