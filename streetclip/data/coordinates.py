"""Parse coordinates, measure distances to countries, and find misplaced points.

A country is its outline, the places of 500 inhabitants or more in the gazetteer, and the outlying
places that neither has. Natural Earth's borders are de facto; where another label is in use for
the same ground, both are accepted. A missing or damaged outline file raises a `ResourceError`.

Arrays: N points, E edges of an outline, V reference points on the unit sphere.
"""

import functools
import math
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streetclip.data.columns import COORDINATES
from streetclip.errors import shown
from streetclip.gazetteer.cities import all_cities
from streetclip.gazetteer.countries import countries
from streetclip.gazetteer.data_files import country_additions
from streetclip.gazetteer.outlines import ANTARCTIC_TREATY_DEG, outline_rings
from streetclip.geo import EARTH_RADIUS_KM, unit_vectors

FAR_KM: Final = 100.0
"""From here on a point is far from a country: wider than bays and the errors of the outlines."""

NULL_ISLAND = "coordinates at 0,0, which many programs write for a missing place"
SWAPPED = "coordinates outside their country that fit it with latitude and longitude swapped"
WRONG_SIGN = "coordinates outside their country that fit it with another sign"
FAR = f"coordinates more than {FAR_KM:g} km outside their country"

_NULL_ISLAND_DEG = 1.0  # half the width of a square around 0,0 that is all sea
# Signs of latitude and longitude to try, one change before two.
_OTHER_SIGNS = ((1, -1), (-1, 1), (-1, -1))
_MEASURED = 20  # points of each kind whose distance and country are stated, which takes 10 ms

_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)
_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*", re.ASCII)
_LIMITS = (90.0, 180.0)

_SPACING_DEG = 0.2  # between reference points on a border: adds less than 1 km to 100 km
_CELL_DEG = 0.25
_CELLS_A_ROW = round(360 / _CELL_DEG)
_CELL_ROWS = round(180 / _CELL_DEG)
_NUM_CELLS = _CELL_ROWS * _CELLS_A_ROW
_NEAR, _FAR, _PARTLY = range(3)
_HALF_DIAGONAL_KM = math.radians(_CELL_DEG / math.sqrt(2)) * EARTH_RADIUS_KM
_ANTARCTICA = "AQ"
_BLOCK_ELEMENTS = 2**22

Degrees = NDArray[np.float64]
Kilometres = NDArray[np.float64]
_Mask = NDArray[np.bool_]


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
            f"{COORDINATES[1 - given]} is blank but {COORDINATES[given]} is {shown(cells[given])}; "
            "expected both or neither."
        )
    for name, cell, value, limit in zip(COORDINATES, cells, values, _LIMITS, strict=True):
        if not math.isfinite(value):
            hint = " Write the decimal comma as a point." if _DECIMAL_COMMA.fullmatch(cell) else ""
            return f"{name} is {shown(cell)}; expected a number of degrees, or blank.{hint}"
        if abs(value) > limit:
            swap = abs(values[0]) <= _LIMITS[1] and abs(values[1]) <= _LIMITS[0]
            question = " Are the columns swapped?" if swap else ""
            return f"{name} is {value:g}; expected −{limit:g} to {limit:g}.{question}"
    return None


class FarFromCountry:
    """Find points far from their country; cache cells of a quarter degree."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._cells: dict[int, int] = {}  # by code and cell: _NEAR, _FAR or _PARTLY

    def __call__(
        self, latitude_deg: Degrees, longitude_deg: Degrees, country_codes: Sequence[str]
    ) -> _Mask:
        """Return a mask (N,) of the points farther than `FAR_KM` from their country.

        Coordinates are NaN and ISO codes "" where unknown; such points are not far.
        """
        numbers = np.array(
            [self._codes.setdefault(code, len(self._codes)) for code in country_codes], np.int64
        )
        far = np.isfinite(latitude_deg) & np.isfinite(longitude_deg)
        far &= numbers != self._codes.get("", -1)
        located = np.flatnonzero(far)
        cells = _cells(latitude_deg[located], longitude_deg[located])
        keys, inverse = np.unique(numbers[located] * _NUM_CELLS + cells, return_inverse=True)
        kinds = self._kinds(keys)[inverse]
        far[located] = kinds == _FAR
        # Cells on the margin: measure point by point.
        rest = located[kinds == _PARTLY]
        for code, where in self._by_code(numbers[rest]):
            index = rest[where]
            km = _km_from_points(latitude_deg[index], longitude_deg[index], code)
            far[index] = km > FAR_KM
        return far

    def _kinds(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        new = np.array([key for key in keys.tolist() if key not in self._cells], np.int64)
        numbers, cells = np.divmod(new, _NUM_CELLS)
        for code, where in self._by_code(numbers):
            row, column = np.divmod(cells[where], _CELLS_A_ROW)
            centres = (row + 0.5) * _CELL_DEG - 90.0, (column + 0.5) * _CELL_DEG - 180.0
            km = km_to_country(*centres, code)
            kinds = np.full(len(km), _PARTLY)
            kinds[~(km > FAR_KM - _HALF_DIAGONAL_KM)] = _NEAR  # also where it is not known
            kinds[km > FAR_KM + _HALF_DIAGONAL_KM] = _FAR
            self._cells |= dict(zip(new[where].tolist(), kinds.tolist(), strict=True))
        return np.array([self._cells[key] for key in keys.tolist()], np.int64)

    def _by_code(self, numbers: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.int64]]]:
        codes = list(self._codes)
        for number in np.unique(numbers).tolist():
            yield codes[number], np.flatnonzero(numbers == number)


def km_to_country(latitude_deg: Degrees, longitude_deg: Degrees, country_code: str) -> Kilometres:
    """Measure the distance of points, shape (N,), to a country.

    Near a country the outline alone counts: a point off an island that is not drawn may be nearer
    than stated, but never farther than `FAR_KM`. Within the outline it is 0; NaN where the point or
    the country's place is unknown.

    Examples:
        >>> km_to_country(np.array([46.9, 51.51]), np.array([2.4, -0.13]), "FR").round(-1).tolist()
        [0.0, 140.0]
    """
    own = (_inside_own(latitude_deg, longitude_deg, code) for code in _labelled(country_code))
    inside = functools.reduce(np.logical_or, own)
    km = np.where(inside, 0.0, np.nan)
    outside = ~inside & np.isfinite(latitude_deg) & np.isfinite(longitude_deg)
    km[outside] = _km_from_points(latitude_deg[outside], longitude_deg[outside], country_code)
    return km


def country_at(latitude_deg: float, longitude_deg: float) -> str | None:
    """Find the code of the country that contains a point, if any."""
    point = np.array([latitude_deg]), np.array([longitude_deg])
    return next((code for code in outline_rings() if code and _inside_own(*point, code)[0]), None)


def _km_from_points(latitude_deg: Degrees, longitude_deg: Degrees, code: str) -> Kilometres:
    """Measure distances to borders; only where far, read all places too."""
    vectors = unit_vectors(latitude_deg, longitude_deg)
    km = _km_to_nearest(vectors, _outline_points(code))
    index = np.flatnonzero(~(km <= FAR_KM - _HALF_DIAGONAL_KM))
    if len(index):
        km[index] = np.fmin(km[index], _km_to_nearest(vectors[index], _place_points(code)))
    return km


def _km_to_nearest(vectors_N3: Degrees, points_V3: Degrees) -> Kilometres:
    """Measure great-circle distances of unit vectors to the nearest; NaN if none."""
    if not len(points_V3):
        return np.full(len(vectors_N3), np.nan)
    cosine = np.empty(len(vectors_N3))
    for rows in _blocks(len(vectors_N3), len(points_V3)):
        cosine[rows] = (vectors_N3[rows] @ points_V3.T).max(axis=1)
    km: Kilometres = EARTH_RADIUS_KM * np.arccos(cosine.clip(-1.0, 1.0))
    return km


def _inside_own(latitude_deg: Degrees, longitude_deg: Degrees, code: str) -> _Mask:
    """Find the points within a country's own rings, by the even-odd rule."""
    if code == _ANTARCTICA:
        return latitude_deg <= ANTARCTIC_TREATY_DEG
    west, south, east, north = _edges(code)
    inside = np.zeros(len(latitude_deg), bool)
    for rows in _blocks(len(latitude_deg), len(west)):
        y = latitude_deg[rows, None]
        x = west + (y - south) / (north - south) * (east - west)
        crosses = ((south > y) != (north > y)) & (longitude_deg[rows, None] < x)
        inside[rows] = crosses.sum(axis=1) % 2 == 1
    return inside


def _blocks(num_rows: int, num_columns: int) -> Iterator[slice]:
    """Slice rows so that a table of so many columns stays small."""
    size = max(1, _BLOCK_ELEMENTS // max(1, num_columns))
    return (slice(start, start + size) for start in range(0, num_rows, size))


def _labelled(code: str) -> tuple[str, ...]:
    """List a country and those whose ground has its label too."""
    return (code, *country_additions(code).get("also_labelled", ()))


@functools.cache
def _edges(code: str) -> Degrees:
    """Collect ends of all sloping edges: west, south, east, north, [4, E]."""
    pairs = [np.hstack([ring[:-1], ring[1:]]) for ring in outline_rings().get(code, [])]
    edges = np.vstack(pairs) if pairs else np.empty((0, 4))
    sloping: Degrees = edges[edges[:, 1] != edges[:, 3]].T
    return sloping


@functools.cache
def _outline_points(code: str) -> Degrees:
    """Collect points along a country's borders and its outlying places, [V, 3]."""
    lines = [_densified(ring) for each in _labelled(code) for ring in outline_rings().get(each, [])]
    places = list(country_additions(code).get("outlying", {}).values())
    longitudes, latitudes = np.vstack([*lines, np.array(places).reshape(-1, 2)[:, ::-1]]).T
    return unit_vectors(latitudes, longitudes)


@functools.cache
def _place_points(code: str) -> Degrees:
    """Collect places outside the outline, [V, 3]; else borders are nearer."""
    places = [(city.latitude_deg, city.longitude_deg) for city in all_cities().get(code, ())]
    latitude_deg, longitude_deg = np.array(places).reshape(-1, 2).T
    outside = ~_inside_own(latitude_deg, longitude_deg, code)
    return unit_vectors(latitude_deg[outside], longitude_deg[outside])


def _densified(ring: Degrees) -> Degrees:
    """Add points on a ring's edges, straight on a flat map."""
    steps = np.diff(ring, axis=0)
    width = np.hypot(steps[:, 0] * np.cos(np.radians(ring[:-1, 1])), steps[:, 1])
    counts = np.maximum(1, np.ceil(width / _SPACING_DEG).astype(int))
    edge = np.repeat(np.arange(len(steps)), counts)
    number = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    points: Degrees = ring[edge] + steps[edge] * (number / counts[edge])[:, None]
    return points


def _cells(latitude_deg: Degrees, longitude_deg: Degrees) -> NDArray[np.int64]:
    row = ((latitude_deg + 90.0) / _CELL_DEG).astype(np.int64).clip(0, _CELL_ROWS - 1)
    column = ((longitude_deg + 180.0) / _CELL_DEG).astype(np.int64).clip(0, _CELLS_A_ROW - 1)
    return np.asarray(row * _CELLS_A_ROW + column)


class Points(NamedTuple):
    """Coordinates (N,), NaN where unknown, and ISO country codes or ""."""

    latitude_deg: Degrees
    longitude_deg: Degrees
    codes: Sequence[str]


class MisplacedFinder:
    """Find misplaced points; keep one for all chunks of a file."""

    def __init__(self) -> None:
        self._is_far = FarFromCountry()
        self._num_described = dict.fromkeys((NULL_ISLAND, SWAPPED, WRONG_SIGN, FAR), 0)

    def find(self, points: Points) -> list[tuple[int, str, str]]:
        """List index, kind and description of the points that contradict their country."""
        latitude_deg, longitude_deg, all_codes = points
        at_zero = (np.abs(latitude_deg) <= _NULL_ISLAND_DEG) & (
            np.abs(longitude_deg) <= _NULL_ISLAND_DEG
        )
        advice = ". Is the place missing? Then leave both blank."
        found = [
            self._describe(points, row, NULL_ISLAND, advice)
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
            kind, advice = FAR, ". Correct the coordinates or the country."
            if is_swapped[i]:
                advice = ", but inside when the two are swapped. Swap them, or correct the country."
                kind = SWAPPED
            elif fits_with_signs[:, i].any():
                signs = _OTHER_SIGNS[int(fits_with_signs[:, i].argmax())]
                kind, advice = WRONG_SIGN, _sign_advice(latitude_deg[i], longitude_deg[i], signs)
            found.append(self._describe(points, row, kind, advice))
        return found

    def _describe(self, points: Points, row: int, kind: str, advice: str) -> tuple[int, str, str]:
        """Describe a point, with distances for the first of each kind."""
        latitude_deg, longitude_deg = points.latitude_deg[row], points.longitude_deg[row]
        country = countries()[points.codes[row]].name
        where = f"more than {FAR_KM:g} km outside {country}"
        self._num_described[kind] += 1
        if self._num_described[kind] <= _MEASURED:
            code = points.codes[row]
            km = km_to_country(latitude_deg[None], longitude_deg[None], code)[0]
            if np.isfinite(km):
                where = f"{km:,.0f} km outside {country}"
            other = country_at(latitude_deg, longitude_deg)
            where += f", in {countries()[other].name}" if other else ""
        position = f"latitude {_degrees(latitude_deg)}, longitude {_degrees(longitude_deg)}"
        return row, kind, f"{position} lies {where}{advice}"

    def _fits(self, latitude_deg: Degrees, longitude_deg: Degrees, codes: Sequence[str]) -> _Mask:
        possible = np.abs(latitude_deg) <= _LIMITS[0]
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
