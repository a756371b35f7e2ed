"""Read tables of other programs as text, chunk by chunk: CSV, JSON Lines, a JSON list or Parquet.

The content decides which one a file is, not its name.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from streetclip.data.csv_text import CsvFile
from streetclip.errors import ManifestError, shown

_CHUNK_ROWS = 2**15
_SAMPLED = 10_000  # objects whose keys are the columns of a JSON file

Cells = dict[str, list[str]]
"""Texts by column; a missing value is a blank."""


class Table:
    """A table in a file; `columns` are its names, of JSON objects inside objects as "outer.inner".

    Raises ManifestError if the file is missing, empty or no table, and while it is read for a row
    that is damaged, with its line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = _first_bytes(path)
        self.columns: tuple[str, ...] = tuple(self._read_columns())

    def chunks(self, names: Sequence[str]) -> Iterator[tuple[Cells, Sequence[int]]]:
        """Yield some columns of the rows, and the line of each (Parquet: the row, from 1)."""
        if self._start.startswith(b"PAR1"):
            yield from self._parquet_chunks(names)
        elif self._is_json:
            objects = self._objects()
            while found := list(islice(objects, _CHUNK_ROWS)):
                cells = {name: [row.get(name, "") for _, row in found] for name in names}
                yield cells, [line for line, _ in found]
        else:
            yield from self._csv_chunks(names)

    def sha256(self) -> str:
        """Compute the hex digest of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @property
    def _is_json(self) -> bool:
        return self._start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")

    def _read_columns(self) -> list[str]:
        if self._start.startswith(b"PAR1"):
            return list(self._parquet().schema_arrow.names)
        if self._is_json:
            keys = (key for _, row in islice(self._objects(), _SAMPLED) for key in row)
            return list(dict.fromkeys(keys))
        with CsvFile(self.path) as file:
            repeated = [n for n in dict.fromkeys(file.header) if n and file.header.count(n) > 1]
            if repeated:
                msg = f"{self.path}: {shown(repeated[0])} names more than one column. Rename one."
                raise ManifestError(msg)
            return file.header

    def _csv_chunks(self, names: Sequence[str]) -> Iterator[tuple[Cells, Sequence[int]]]:
        positions = {name: self.columns.index(name) for name in names}
        width = len(self.columns)
        with CsvFile(self.path) as file:
            for rows, lines in file.chunks(_CHUNK_ROWS):
                for line, row in zip(lines, rows, strict=True):
                    if len(row) != width:
                        msg = (
                            f"{self.path}:{line}: has {len(row)} cells; expected {width}, as in "
                            "the header. Put quotes around a cell with a comma in it."
                        )
                        raise ManifestError(msg)
                yield {name: [row[i] for row in rows] for name, i in positions.items()}, lines

    def _objects(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the objects of a JSON file, flat, with their line (a list: number from 1)."""
        values: Iterable[tuple[int, Any]]
        try:
            with self.path.open(encoding="utf-8-sig") as file:
                if self._start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
                    values = enumerate(_parsed(self.path, file.read(), 1), start=1)
                else:
                    lines = ((n, line) for n, line in enumerate(file, start=1) if line.strip())
                    values = ((n, _parsed(self.path, line, n)) for n, line in lines)
                for number, value in values:
                    if not isinstance(value, dict):
                        msg = f"{self.path}:{number}: is {shown(value)}; expected a JSON object."
                        raise ManifestError(msg)
                    yield number, dict(_flat(value))
        except UnicodeDecodeError as error:
            msg = f"{self.path}: byte {error.start} is not UTF-8. Save the file as UTF-8."
            raise ManifestError(msg) from error

    def _parquet(self) -> Any:
        import pyarrow.parquet  # type: ignore[import-untyped]

        try:
            return pyarrow.parquet.ParquetFile(self.path)
        except (pyarrow.ArrowException, OSError) as error:
            msg = f"{self.path}: cannot be read as Parquet ({shown(error)}). Write the file again."
            raise ManifestError(msg) from error

    def _parquet_chunks(self, names: Sequence[str]) -> Iterator[tuple[Cells, Sequence[int]]]:
        first = 1
        for batch in self._parquet().iter_batches(_CHUNK_ROWS, columns=list(names)):
            cells = {name: list(map(_text, batch[name].to_pylist())) for name in names}
            yield cells, range(first, first + len(batch))
            first += len(batch)


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}). Check the path."
        raise ManifestError(msg) from error


def _parsed(path: Path, text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        found = getattr(error, "msg", type(error).__name__)
        msg = (
            f"{path}:{line}: is not JSON ({found}); expected one JSON object a line, or one list "
            "of objects."
        )
        raise ManifestError(msg) from error


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, each in value.items():
        if isinstance(each, dict) and each:
            yield from _flat(each, f"{prefix}{key}.")
        else:
            yield prefix + key, _text(each)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else json.dumps(value, default=str)
