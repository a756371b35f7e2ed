"""Parse coordinates, and find those that contradict their row's country."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.data.row_warnings import RowWarning
from streetclip.errors import shown

NULL_ISLAND = "coordinates at 0,0, which many programs write for a missing place"
SWAPPED = "coordinates outside their country that fit it with latitude and longitude swapped"
WRONG_SIGN = "coordinates outside their country that fit it with another sign"
FAR = f"coordinates more than {gazetteer.FAR_KM:g} km outside their country"

_BLANK_ADVICE = ". Is the place missing? Then leave both blank."
_SWAP_ADVICE = ", but inside when the two are swapped. Swap them, or correct the country."
_FAR_ADVICE = ". Correct the coordinates or the country."

_NULL_ISLAND_DEG = 1.0
"""Half the width of a square around 0,0 that is all sea."""

# Signs of latitude and longitude to try, one change before two.
_OTHER_SIGNS = ((1, -1), (-1, 1), (-1, -1))
_MEASURED = 20  # points of each kind whose distance and country are stated, which takes 10 ms

_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)
_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*", re.ASCII)
_NAMES = ("latitude", "longitude")
_LIMITS = (90.0, 180.0)

Degrees = NDArray[np.float64]


def parse_coordinates(
    latitudes: Sequence[str], longitudes: Sequence[str]
) -> tuple[Degrees, Degrees, list[tuple[int, str]]]:
    """Parse columns of coordinates; return degrees (NaN if blank or bad) and problems.

    Examples:
        >>> *_, problems = parse_coordinates(["48.9", "151"], ["2.4", "-33"])
        >>> problems
        [(1, 'latitude is 151; expected −90 to 90. Are the columns swapped?')]
    """
    cells = (latitudes, longitudes)
    values = (_parse(latitudes), _parse(longitudes))
    with np.errstate(invalid="ignore"):
        fits = [np.abs(value) <= limit for value, limit in zip(values, _LIMITS, strict=True)]
    problems = []
    for i in np.flatnonzero(~(fits[0] & fits[1])).tolist():
        problem = _explain((cells[0][i], cells[1][i]), (values[0][i], values[1][i]))
        if problem:
            problems.append((i, problem))
        values[0][i] = values[1][i] = math.nan
    return values[0], values[1], problems


def _parse(cells: Sequence[str]) -> Degrees:
    text = "".join(cells)
    if text.isascii() and "_" not in text:  # float() reads "1_0" as 10.
        try:
            return np.array([float(cell) if cell else math.nan for cell in cells])
        except ValueError:
            pass
    return np.array([float(c) if _NUMBER.fullmatch(c) else math.nan for c in cells])


def _explain(cells: tuple[str, str], values: tuple[float, float]) -> str | None:
    blank = [not cell.strip() for cell in cells]
    if all(blank):
        return None
    if any(blank):
        given = blank.index(False)
        return (
            f"{_NAMES[1 - given]} is blank but {_NAMES[given]} is {shown(cells[given])}; "
            "expected both or neither."
        )
    for name, cell, value, limit in zip(_NAMES, cells, values, _LIMITS, strict=True):
        if not math.isfinite(value):
            hint = " Write the decimal comma as a point." if _DECIMAL_COMMA.fullmatch(cell) else ""
            return f"{name} is {shown(cell)}; expected a number of degrees, or blank.{hint}"
        if abs(value) > limit:
            swap = abs(values[0]) <= _LIMITS[1] and abs(values[1]) <= _LIMITS[0]
            question = " Are the columns swapped?" if swap else ""
            return f"{name} is {value:g}; expected −{limit:g} to {limit:g}.{question}"
    return None


class Points(NamedTuple):
    """Coordinates (N,), NaN where unknown, and ISO country codes or ""."""

    latitude_deg: Degrees
    longitude_deg: Degrees
    codes: Sequence[str]


class MisplacedFinder:
    """Find misplaced points; keep one for all chunks of a file."""

    def __init__(self) -> None:
        self._is_far = gazetteer.FarFromCountry()
        self._num_described = dict.fromkeys((NULL_ISLAND, SWAPPED, WRONG_SIGN, FAR), 0)

    def find(self, points: Points) -> list[RowWarning]:
        """Describe the points that contradict their country, each with its likely cause."""
        latitude_deg, longitude_deg, all_codes = points
        at_zero = (np.abs(latitude_deg) <= _NULL_ISLAND_DEG) & (
            np.abs(longitude_deg) <= _NULL_ISLAND_DEG
        )
        found = [
            self._describe(points, row, NULL_ISLAND, _BLANK_ADVICE)
            for row in np.flatnonzero(at_zero).tolist()
        ]
        far = np.flatnonzero(~at_zero & self._is_far(latitude_deg, longitude_deg, all_codes))
        codes = [all_codes[i] for i in far.tolist()]
        latitude_deg, longitude_deg = latitude_deg[far], longitude_deg[far]
        is_swapped = self._fits(longitude_deg, latitude_deg, codes)
        fits_with_signs = np.array(
            [self._fits(y * latitude_deg, x * longitude_deg, codes) for y, x in _OTHER_SIGNS]
        )
        for i, row in enumerate(far.tolist()):
            kind, advice = FAR, _FAR_ADVICE
            if is_swapped[i]:
                kind, advice = SWAPPED, _SWAP_ADVICE
            elif fits_with_signs[:, i].any():
                signs = _OTHER_SIGNS[int(fits_with_signs[:, i].argmax())]
                kind, advice = WRONG_SIGN, _sign_advice(latitude_deg[i], longitude_deg[i], signs)
            found.append(self._describe(points, row, kind, advice))
        return found

    def _describe(self, points: Points, row: int, kind: str, advice: str) -> RowWarning:
        """Describe a point, with distances for the first of each kind."""
        latitude_deg, longitude_deg = points.latitude_deg[row], points.longitude_deg[row]
        country = gazetteer.countries()[points.codes[row]].name
        where = f"more than {gazetteer.FAR_KM:g} km outside {country}"
        self._num_described[kind] += 1
        if self._num_described[kind] <= _MEASURED:
            code = points.codes[row]
            km = gazetteer.km_to_country(latitude_deg[None], longitude_deg[None], code)[0]
            if np.isfinite(km):
                where = f"{km:,.0f} km outside {country}"
            other = gazetteer.country_at(latitude_deg, longitude_deg)
            where += f", in {gazetteer.countries()[other].name}" if other else ""
        position = f"latitude {_degrees(latitude_deg)}, longitude {_degrees(longitude_deg)}"
        return RowWarning(row, kind, f"{position} lies {where}{advice}")

    def _fits(
        self, latitude_deg: Degrees, longitude_deg: Degrees, codes: Sequence[str]
    ) -> NDArray[np.bool_]:
        possible = np.abs(latitude_deg) <= 90.0  # noqa: PLR2004
        latitude_deg = np.where(possible, latitude_deg, np.nan)
        return possible & ~self._is_far(latitude_deg, longitude_deg, codes)


def _sign_advice(latitude_deg: float, longitude_deg: float, signs: tuple[int, int]) -> str:
    fitting = {"latitude": latitude_deg * signs[0], "longitude": longitude_deg * signs[1]}
    changed = [name for name, sign in zip(fitting, signs, strict=True) if sign < 0]
    text = " and ".join(f"{name} {_degrees(fitting[name])}" for name in changed)
    is_lost = any(fitting[name] < 0 for name in changed)
    question = "Is a minus sign missing?" if is_lost else "Is the minus sign wrong?"
    return f", but inside with {text}. {question}"


def _degrees(value: float) -> str:
    return f"{value:g}".replace("-", "−")
