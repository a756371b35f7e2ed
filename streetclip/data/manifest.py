"""Manifests: the CSV that names the images and says where each was taken.

A file of any length is read in the same memory: of earlier rows only a hash of the name is kept,
on disk when there are many.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streetclip.data.columns import read_columns
from streetclip.data.csv_text import CsvFile, Rows
from streetclip.data.duplicates import RepeatedHashes
from streetclip.data.row_checks import RowChecker, name_hashes
from streetclip.data.row_warnings import WarningCounts
from streetclip.errors import ManifestError
from streetclip.progress import Progress, no_progress

if TYPE_CHECKING:
    import pandas as pd

_SPELLED_OUT = 20  # bad rows; the others are counted
_CHUNK_ROWS = 2**13

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Manifest:
    """A manifest in memory.

    Attributes:
        path: The CSV.
        frame: A row for each good row, in order, with columns `image_filename`, `city`, `region`,
            `country` (as written, the name for a code; "" where blank, the country never),
            `continent` (full English name; the country's where blank or contradicted),
            `country_code` (ISO 3166-1 alpha-2), `latitude_deg` and `longitude_deg` (float64; NaN
            where unknown), `line` (of the file, from 1), then `caption` and `template` if the CSV
            has them, and the attributes, as text.
        attribute_columns: Names of the attributes in `frame`: the CSV's own, with " (csv)" added
            where one would clash with a column above.
        sha256: Hex digest of the file.
        num_skipped: Bad rows left out.
        problems: What is wrong with the first 20 of them, as "test.csv:41: …".
        warnings: What is doubtful about good rows: for each kind the count, then the first rows.
    """

    path: Path
    frame: "pd.DataFrame"
    attribute_columns: tuple[str, ...]
    sha256: str
    num_skipped: int
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ManifestChunk:
    """Good rows that follow one another, or nearly: bad ones between them are left out.

    Attributes:
        columns: The columns of `Manifest.frame`, as lists of text or arrays of numbers.
        rows: The same rows as written: all cells of the file, in the order of its header.
    """

    columns: dict[str, Any]
    rows: Rows


class ManifestReader:
    """Reads a manifest in chunks. Iterate over it once; the attributes are final after that.

    Args:
        path: The CSV.
        on_bad_rows: "fail" goes through the whole file and then raises an error about all bad
            rows; "skip" leaves them out and counts them.
        chunk_rows: Most rows in a chunk.
        check_captions: Whether a blank caption makes a row bad.
        progress: Told the bytes read; with "skip" each is read twice.

    Attributes:
        header: All column names of the file, in its order.
        attribute_columns: As in `Manifest`.
        sha256: Hex digest of the file.
        num_rows: Good rows so far.
        num_skipped: Bad rows so far.
        problems: What is wrong with the first 20 of them.
        warnings: What is doubtful about good rows so far; see `Manifest`.

    Raises:
        ManifestError: The file or its header cannot be used.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_bad_rows: str = "fail",
        chunk_rows: int = _CHUNK_ROWS,
        check_captions: bool = True,
        progress: Progress = no_progress,
    ) -> None:
        self.path = path
        self._fail = on_bad_rows == "fail"
        self._chunk_rows = chunk_rows
        self._check_captions = check_captions
        self._progress = progress
        with CsvFile(path) as file:
            self._columns = read_columns(file)
        self.header = self._columns.header
        self.attribute_columns = tuple(self._columns.attribute_names().values())
        self.sha256 = ""
        self.num_rows = 0
        self.num_skipped = 0
        self.problems: list[str] = []
        self._warnings = WarningCounts()

    @property
    def warnings(self) -> list[str]:
        """Messages on doubtful rows: for each kind the count, then the first rows."""
        return self._warnings.messages(self.path)

    def __iter__(self) -> Iterator[ManifestChunk]:
        """Yield the good rows; with "fail", those before the first bad one, then the error.

        That a name repeats is known only at the end, when with "fail" its rows are out already.

        Raises:
            ManifestError: The file is not UTF-8, badly quoted or has no row, or there are bad
                rows and they are not to be skipped.
            ResourceError: No space is left for temporary files.
        """
        for warning in self._columns.warnings:
            _log.warning("%s", warning)
        # Which names repeat is known at the end of a pass. Where all must be right, that is the
        # pass that yields the rows, and one more tells about the repeated ones if there are any.
        with RepeatedHashes() as hashes:
            if self._fail:
                yield from self._pass(set(), hashes)
            else:
                self._collect_names(hashes)
            repeated = hashes.repeated()
        if repeated or not self._fail:
            yield from self._pass(repeated, None)
        self._check_outcome()

    def _pass(self, repeated: set[int], hashes: RepeatedHashes | None) -> Iterator[ManifestChunk]:
        self.num_rows = self.num_skipped = 0
        self.problems = []
        self._warnings = WarningCounts()
        checker = RowChecker(self._columns, repeated, self._check_captions)
        with CsvFile(self.path) as file:
            if self._fail:
                self._progress(0, file.num_bytes)
            for rows, lines in file.chunks(self._chunk_rows):
                if hashes is not None:
                    hashes.add(self._name_hashes(rows))
                chunk = self._checked(checker, rows, lines)
                self.num_rows += len(chunk.rows)
                if chunk.rows and not (self._fail and (self.num_skipped or repeated)):
                    yield chunk
                self._report(file, is_second=not self._fail)
            self.sha256 = file.sha256

    def _collect_names(self, hashes: RepeatedHashes) -> None:
        with CsvFile(self.path) as file:
            self._progress(0, 2 * file.num_bytes)
            for rows, _ in file.chunks(self._chunk_rows):
                hashes.add(self._name_hashes(rows))
                self._report(file, is_second=False)

    def _name_hashes(self, rows: Rows) -> Iterator[int]:
        width = len(self.header)
        position = self._columns.position["image_filename"]
        return name_hashes([row[position] for row in rows if len(row) == width])

    def _report(self, file: CsvFile, *, is_second: bool) -> None:
        num_passes = 1 if self._fail else 2
        done = file.bytes_read + is_second * file.num_bytes
        self._progress(done, num_passes * file.num_bytes)

    def _checked(self, checker: RowChecker, rows: Rows, lines: Sequence[int]) -> ManifestChunk:
        told: dict[int, list[str]] = {}
        misshapen = checker.misshapen(rows)
        if misshapen:
            told = {lines[i]: problems for i, problems in misshapen.items()}
            kept = [i for i in range(len(rows)) if i not in misshapen]
            rows, lines = _take(rows, kept), _take(lines, kept)
        columns, problems, warnings = checker.check(rows, lines)
        told |= {lines[i]: messages for i, messages in problems.items()}
        self._note(told)
        for row, kind, text in warnings:
            if row not in problems:
                self._warnings.add(kind, int(lines[row]), text)
        if not problems:
            return ManifestChunk(columns, rows)
        kept = [i for i in range(len(rows)) if i not in problems]
        return ManifestChunk(
            {name: _take(values, kept) for name, values in columns.items()}, _take(rows, kept)
        )

    def _note(self, told: dict[int, list[str]]) -> None:
        self.num_skipped += len(told)
        for line in sorted(told)[: max(0, _SPELLED_OUT - len(self.problems))]:
            self.problems.append(f"{self.path}:{line}: {' Also: '.join(told[line])}")

    def _check_outcome(self) -> None:
        if not self.num_rows + self.num_skipped:
            msg = (
                f"{self.path}: has a header but no row; expected a row for each image. "
                "Is it the right file?"
            )
            raise ManifestError(msg)
        if not self.num_skipped:
            return
        more = self.num_skipped - len(self.problems)
        if self._fail:
            advice = "Mend the file, or leave these rows out with --on_bad_rows skip."
        elif not self.num_rows:
            advice = "No good row is left. Mend the file."
        else:
            return
        bad_rows = f"{self.num_skipped:,} bad row{'s' * (self.num_skipped != 1)}"
        rest = [f"… and {more:,} more."] if more else []
        text = "\n".join([f"{self.path}: {bad_rows}. {advice}", *self.problems, *rest])
        raise ManifestError(text)


def read_manifest(path: Path, *, on_bad_rows: str = "fail") -> Manifest:
    """Read a whole manifest.

    Args:
        path: The CSV.
        on_bad_rows: "fail" or "skip".

    Raises:
        ManifestError: The file cannot be used, or has bad rows that are not to be skipped; all
            are counted, and the first 20 spelled out.
    """
    import pandas as pd

    reader = ManifestReader(path, on_bad_rows=on_bad_rows, chunk_rows=8 * _CHUNK_ROWS)
    frames = [pd.DataFrame(chunk.columns) for chunk in reader]
    return Manifest(
        path=path,
        frame=pd.concat(frames, ignore_index=True),
        attribute_columns=reader.attribute_columns,
        sha256=reader.sha256,
        num_skipped=reader.num_skipped,
        problems=tuple(reader.problems),
        warnings=tuple(reader.warnings),
    )


def _take(values: Any, kept: list[int]) -> Any:
    return values[kept] if hasattr(values, "dtype") else [values[i] for i in kept]
