"""Read manifests: the CSV files that name images and their places.

Only an 8-byte name hash of earlier rows is kept, so that a file may have any length.
"""

import logging
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streetclip.data.columns import CAPTION_COLUMNS, SOURCE_COLUMNS, read_columns
from streetclip.data.csv_formulas import restore
from streetclip.data.csv_text import CsvFile, Rows, RowSource
from streetclip.data.row_checks import RowChecker, name_hashes
from streetclip.errors import ManifestError
from streetclip.progress import Progress, no_progress

if TYPE_CHECKING:
    import pandas as pd

_SPELLED_OUT = 20  # bad rows; the others are counted
_SHOWN_OF_A_KIND = 5  # rows with a warning; the others are counted
_CHUNK_ROWS = 2**13

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Manifest:
    """Hold a manifest in memory.

    Attributes:
        frame: A row for each good row, in order, with columns `image_filename`, `city`, `region`,
            `country` (as written, the name for a code), `continent` (full English name; the
            country's where blank or contradicted), `country_code` (ISO 3166-1 alpha-2),
            `latitude_deg` and `longitude_deg` (float64; NaN where unknown), `line` (of the file,
            from 1), `caption` and `template` if given, and the attributes, as text.
        attribute_columns: Names of the attributes in `frame`; " (csv)" is added to those that
            clash with a column above.
        num_skipped: Bad rows left out.
        problems: The first 20 of them, each as "test.csv:41: …".
        warnings: Doubts about good rows: for each kind the count, then the first rows.
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
    """Hold good rows: `columns` as in `Manifest.frame`, `rows` as written."""

    columns: dict[str, Any]
    rows: Rows


class ManifestReader:
    """Read a manifest in chunks; its findings are final after one iteration.

    With `on_bad_rows` "fail", an error about all bad rows follows the last; "skip" leaves them out,
    counts them and reads the file twice. `progress` receives the bytes read. `num_rows` counts good
    rows so far; `attribute_columns`, `sha256`, `num_skipped`, `problems` and `warnings` are as in
    `Manifest`, so far. A file or header that cannot be used raises a `ManifestError`. `open_rows`
    opens what is read as a manifest.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_bad_rows: str = "fail",
        chunk_rows: int = _CHUNK_ROWS,
        check_captions: bool = True,
        progress: Progress = no_progress,
        open_rows: Callable[[Path], RowSource] = CsvFile,
    ) -> None:
        self.path = path
        self._open_rows = open_rows
        self._fail = on_bad_rows == "fail"
        self._chunk_rows = chunk_rows
        self._check_captions = check_captions
        self._progress = progress
        with open_rows(path) as file:
            # Only files of ours end a header so; a name in other files may begin with "'=".
            ends = CAPTION_COLUMNS, SOURCE_COLUMNS
            is_ours = any(tuple(file.header[-len(end) :]) == end for end in ends)
            self._is_defused = is_ours and isinstance(file, CsvFile)
            if self._is_defused:
                file.header = list(map(restore, file.header))
            self._columns = read_columns(file)
        self.header = self._columns.header
        self.attribute_columns = tuple(self._columns.attribute_names.values())
        self.sha256 = ""
        self._reset()

    def _reset(self) -> None:
        self.num_rows = self.num_skipped = 0
        self.problems: list[str] = []
        self._num_warnings: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = defaultdict(list)

    @property
    def warnings(self) -> list[str]:
        """Describe doubts about good rows: counts by kind, then first rows."""
        messages = []
        for kind, count in self._num_warnings.items():
            messages.append(f"{self.path}: {count:,} row{'s' * (count != 1)}: {kind}")
            messages += self._examples[kind]
            if count > _SHOWN_OF_A_KIND:
                more = count - _SHOWN_OF_A_KIND
                messages.append(f"{self.path}: … and {more:,} more of this kind")
        return messages

    def __iter__(self) -> Iterator[ManifestChunk]:
        """Yield good rows; "fail" stops at the first bad one, then raises.

        A repeated name is known only at the end, when "fail" has already yielded its rows.
        """
        for warning in self._columns.warnings:
            _log.warning("%s", warning)
        # Repeated names are known at the end of a pass. "skip" needs them before it yields rows;
        # "fail" yields in its first pass, and needs a second only to describe repeated names.
        hashes = array("q")
        if self._fail:
            yield from self._checked_chunks(set(), hashes)
        else:
            for rows, _ in self._read(is_second=False):
                hashes.extend(self._name_hashes(rows))
        ordered = np.sort(np.array(hashes, np.int64))
        repeated = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
        if repeated or not self._fail:
            yield from self._checked_chunks(repeated, None)
        self._check_outcome()

    def _read(self, *, is_second: bool) -> Iterator[tuple[Rows, Sequence[int]]]:
        """Yield all rows and their lines; report progress."""
        with self._open_rows(self.path) as file:
            total = file.num_bytes if self._fail else 2 * file.num_bytes
            done = file.num_bytes if is_second else 0
            self._progress(done, total)
            for rows, lines in file.chunks(self._chunk_rows):
                yield [list(map(restore, row)) for row in rows] if self._is_defused else rows, lines
                self._progress(done + file.bytes_read, total)
            self.sha256 = file.sha256()

    def _checked_chunks(
        self, repeated: set[int], hashes: "array[int] | None"
    ) -> Iterator[ManifestChunk]:
        self._reset()
        checker = RowChecker(self._columns, repeated, self._check_captions)
        for rows, lines in self._read(is_second=not self._fail):
            if hashes is not None:
                hashes.extend(self._name_hashes(rows))
            chunk = self._checked(checker, rows, lines)
            self.num_rows += len(chunk.rows)
            if chunk.rows and not (self._fail and (self.num_skipped or repeated)):
                yield chunk

    def _name_hashes(self, rows: Rows) -> Iterator[int]:
        position = self._columns.position["image_filename"]
        return name_hashes([row[position] for row in rows if len(row) == len(self.header)])

    def _checked(self, checker: RowChecker, rows: Rows, lines: Sequence[int]) -> ManifestChunk:
        columns, problems, warnings = checker.check(rows, lines)
        self.num_skipped += len(problems)
        for i in sorted(problems)[: _SPELLED_OUT - len(self.problems)]:
            self.problems.append(f"{self.path}:{lines[i]}: {' Also: '.join(problems[i])}")
        for row, kind, text in warnings:
            if row not in problems:
                self._num_warnings[kind] += 1
                if self._num_warnings[kind] <= _SHOWN_OF_A_KIND:
                    self._examples[kind].append(f"{self.path}:{lines[row]}: {text}")
        if not problems:
            return ManifestChunk(columns, rows)
        kept = [i for i in range(len(rows)) if i not in problems]
        columns = {name: _take(values, kept) for name, values in columns.items()}
        return ManifestChunk(columns, _take(rows, kept))

    def _check_outcome(self) -> None:
        if not self.num_rows + self.num_skipped:
            msg = (
                f"{self.path}: has a header but no row; expected a row for each image. "
                "Is it the correct file?"
            )
            raise ManifestError(msg)
        if not self.num_skipped or (self.num_rows and not self._fail):
            return
        advice = "No good row is left. Correct the file."
        if self._fail:
            advice = "Correct the file, or leave these rows out with --on_bad_rows skip."
        more = self.num_skipped - len(self.problems)
        bad_rows = f"{self.num_skipped:,} bad row{'s' * (self.num_skipped != 1)}"
        rest = [f"… and {more:,} more."] if more else []
        raise ManifestError(
            "\n".join([f"{self.path}: {bad_rows}. {advice}", *self.problems, *rest])
        )


def read_manifest(path: Path, *, on_bad_rows: str = "fail") -> Manifest:
    """Read a whole manifest; see `ManifestReader`."""
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
