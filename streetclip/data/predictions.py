"""Read another program's table of predictions as places, in whole columns of a chunk.

Every row is kept. One that names no place has the reason as its `error`: it refuses, is blank, or
cannot be parsed. Shapes: R rows of the file.
"""

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.data.answer_parsing import Place, parse_answer, plain_degrees, split_address
from streetclip.data.columns import describe_columns
from streetclip.data.coordinates import parse_coordinates
from streetclip.data.csv_formulas import restore
from streetclip.data.prediction_formats import (
    PLACE_ROLES,
    Format,
    find_format,
    prediction_columns,
)
from streetclip.data.row_checks import blank_missing_values
from streetclip.data.tables import Cells, Table
from streetclip.errors import ManifestError, shown
from streetclip.progress import Progress, no_progress

_LOG = logging.getLogger(__name__)

_YES: Final = frozenset({"true", "1", "1.0", "yes"})
_PERCENT: Final = 100.0
_LONGEST_ERROR: Final = 200  # characters of what the other program says
_MOST_NAMED: Final = 5

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class PredictionTable:
    """What a file predicts.

    Attributes:
        frame: A row for each row of the file, with columns image, line, country_code (ISO alpha-2,
            blank if none), region, city, lacks_coordinates (none are written), latitude_deg and
            longitude_deg (NaN if none or bad), confidence (0 to 1, NaN if none), top_countries
            (list of pairs of code and probability, or None), rank (NaN if none) and error (blank
            if the row names a place).
        columns: Column of each role.
        sha256: Hex digest of the file.
        num_bad_coordinates: Rows whose coordinates are no point on the globe.
        unknown_countries: Rows by country name that the gazetteer does not know.
    """

    path: Path
    format: Format
    columns: dict[str, str]
    frame: pd.DataFrame
    sha256: str
    num_bad_coordinates: int
    unknown_countries: Counter[str]


def read_predictions(
    path: Path,
    format_name: str = "auto",
    mapping: Sequence[str] = (),
    progress: Progress = no_progress,
) -> PredictionTable:
    """Read a table of predictions; see `prediction_formats` for its columns.

    Raises ManifestError if it is no table, has no row, or lacks a column of images or places.
    """
    table = Table(path)
    found = find_format(format_name, table.columns)
    columns = prediction_columns(found, table.columns, mapping, str(path))
    if "image" not in columns or not {*PLACE_ROLES, "address", "answer"} & set(columns):
        lacking = "images" if "image" not in columns else "predicted places"
        msg = (
            f"{path}: no column of {lacking} was found; its columns are "
            f"{describe_columns(table.columns)}. Name them, such as --columns image=file "
            "country=cc latitude=y longitude=x."
        )
        raise ManifestError(msg)
    reader = _Reader(found, columns)
    frames, num_rows = [], 0
    for cells, lines in table.chunks(list(dict.fromkeys(columns.values()))):
        frames.append(reader.read(cells, lines))
        num_rows += len(lines)
        progress(num_rows, num_rows)
    if not num_rows:
        msg = f"{path}: has no row; expected a row for each image. Is it the correct file?"
        raise ManifestError(msg)
    frame = pd.concat(frames, ignore_index=True)
    frame["confidence"] = _shares(frame["confidence"].to_numpy(np.float64), path)
    return PredictionTable(
        path, found, columns, frame, table.sha256(), reader.num_bad_coordinates, reader.unknown
    )


class _Reader:
    """Read chunks; count what they hold that is no place."""

    def __init__(self, found: Format, columns: dict[str, str]) -> None:
        self._format, self._columns = found, columns
        self._texts: dict[str, str] = {}  # equal texts once, for a million rows name few places
        self.num_bad_coordinates = 0
        self.unknown: Counter[str] = Counter()

    def read(self, table: Cells, lines: Sequence[int]) -> pd.DataFrame:
        """Read a chunk; a frame as in `PredictionTable`."""
        if self._format.partition:
            of_partition = table[self._columns["partition"]]
            kept = [i for i, text in enumerate(of_partition) if text == self._format.partition]
            table = {name: [texts[i] for i in kept] for name, texts in table.items()}
            lines = [lines[i] for i in kept]
        num_rows = len(lines)
        cells = {role: list(table[name]) for role, name in self._columns.items()}
        if self._format.is_defused:
            cells = {role: list(map(restore, texts)) for role, texts in cells.items()}
        for role in (*PLACE_ROLES, "continent"):
            cells.setdefault(role, [""] * num_rows)
        errors = _refusals(cells, num_rows)
        _fill_from_texts(cells)
        blank_missing_values(cells)
        codes, problems = self._countries(cells["country"])
        latitude_deg, longitude_deg, lacks_coordinates = self._coordinates(cells, problems)
        is_nowhere = np.isnan(latitude_deg) & (codes == "")
        for i in np.flatnonzero(is_nowhere).tolist():
            errors[i] = errors[i] or problems.get(i) or "the answer names no place"
        # A row may report a failure and still name a place, which counts.
        errors = [error if empty else "" for error, empty in zip(errors, is_nowhere, strict=True)]
        tops = cells.get("top_countries")
        return pd.DataFrame(
            {
                "image": pd.Series(cells["image"], dtype="str"),  # compact, as all differ
                "line": np.asarray(lines, np.int64),
                "country_code": codes,
                "region": self._stripped(cells["region"]),
                "city": self._stripped(cells["city"]),
                "lacks_coordinates": lacks_coordinates,
                "latitude_deg": latitude_deg,
                "longitude_deg": longitude_deg,
                "confidence": _numbers(cells.get("confidence"), num_rows),
                "rank": _numbers(cells.get("rank"), num_rows),
                "top_countries": _objects([None] * num_rows if tops is None else map(_top, tops)),
                "error": _objects(errors),
            }
        )

    def _stripped(self, texts: list[str]) -> NDArray[np.object_]:
        return _objects(self._texts.setdefault(text, text) for text in map(str.strip, texts))

    def _countries(self, texts: list[str]) -> tuple[NDArray[np.object_], dict[int, str]]:
        code_of = {text: _code(text) for text in set(texts)}
        codes = _objects([code_of[text] for text in texts])
        problems = {}
        if "" in code_of.values():
            for i in np.flatnonzero(codes == "").tolist():
                if name := texts[i].strip():
                    self.unknown[name] += 1
                    problems[i] = f"the country {shown(name)} is unknown"
        return codes, problems

    def _coordinates(
        self, cells: Cells, problems: dict[int, str]
    ) -> tuple[Float64, Float64, NDArray[np.bool_]]:
        """Parse coordinates, and find rows without; add what is wrong with them by row."""
        pair = cells["latitude"], cells["longitude"]
        *_, bad = parse_coordinates(*pair)
        if bad:  # "33.87° S" is one, too
            pair = list(map(plain_degrees, pair[0])), list(map(plain_degrees, pair[1]))
        latitude_deg, longitude_deg, bad = parse_coordinates(*pair)
        self.num_bad_coordinates += len(bad)
        for i, problem in bad:
            problems.setdefault(i, problem)
        if self._format.is_zero_missing:
            is_zero = (latitude_deg == 0) & (longitude_deg == 0)
            latitude_deg[is_zero] = longitude_deg[is_zero] = np.nan
        is_missing = np.isnan(latitude_deg)
        is_missing[[i for i, _ in bad]] = False
        return latitude_deg, longitude_deg, is_missing


@lru_cache(maxsize=2**14)
def _code(text: str) -> str:
    country = gazetteer.find_country(text) if text.strip() else None
    return country.code if country else ""


def _refusals(cells: Cells, num_rows: int) -> list[str]:
    """Blank the places of rows that refuse; list what each row says of its failure."""
    says = cells.get("error") or [""] * num_rows
    errors = [text.strip()[:_LONGEST_ERROR] for text in says]
    for i, text in enumerate(cells.get("refused", ())):
        if text.strip().lower() in _YES:
            errors[i] = f"refused: {errors[i]}" if errors[i] else "refused"
            for role in PLACE_ROLES:
                cells[role][i] = ""
    return errors


def _fill_from_texts(cells: Cells) -> None:
    """Parse addresses and answers of rows that name nothing in columns of their own."""
    for role, parse in (("address", split_address), ("answer", parse_answer)):
        for i, text in enumerate(cells.get(role, ())):
            if text and not any(cells[each][i].strip() for each in ("country", "city")):
                place: Place = parse(text)
                for name, value in place._asdict().items():
                    cells[name][i] = cells[name][i] or value


def _numbers(texts: list[str] | None, num_rows: int) -> Float64:
    if texts is None:
        return np.full(num_rows, np.nan)
    found: Float64 = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(
        np.float64, copy=True
    )
    return found


def _shares(values_R: Float64, path: Path) -> Float64:
    """Scale confidences to 0 to 1; without them if they are neither shares nor per cent."""
    known = values_R[~np.isnan(values_R)]
    if not len(known) or (known.min() >= 0 and known.max() <= 1):
        return values_R
    if known.min() >= 0 and known.max() <= _PERCENT:
        _LOG.info("%s: confidences are read as per cent", path)
        return values_R / _PERCENT
    _LOG.warning(
        "%s: confidences are from %g to %g; expected 0 to 1, or per cent. They are left out.",
        *(path, known.min(), known.max()),
    )
    return np.full(len(values_R), np.nan)


@lru_cache(maxsize=2**10)
def _top(text: str) -> list[tuple[str, float]] | None:
    """Read a ranking of countries, best first: JSON of names, of pairs, or of shares by name."""
    try:
        value: Any = json.loads(text) if text.strip() else None
    except ValueError:
        return None
    if isinstance(value, dict):
        value = sorted(value.items(), key=lambda each: -_probability(each[1]))
    if not isinstance(value, list):
        return None
    pairs = [each if isinstance(each, list | tuple) else (each, None) for each in value]
    found = [(_code(str(pair[0])), _probability(pair[-1])) for pair in pairs if pair]
    return found if found and all(code for code, _ in found) else None


def _probability(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _objects(values: Any) -> NDArray[np.object_]:
    return np.fromiter(values, dtype=object)
