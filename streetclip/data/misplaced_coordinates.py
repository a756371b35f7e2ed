"""Find coordinates that contradict the country of their row, and the likely cause."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.data.row_warnings import RowWarning

Degrees = NDArray[np.float64]
Indices = NDArray[np.int64]

NULL_ISLAND = "coordinates at 0,0, which many programs write for a missing place"
WRONG_SIGN = "coordinates outside their country that fit it with another sign"
FAR = f"coordinates more than {gazetteer.FAR_KM:g} km outside their country"

_NULL_ISLAND_DEG = 1.0
"""Half the width of a square around 0,0 that is all sea."""

# Signs of latitude and longitude to try, one change before two.
_OTHER_SIGNS = np.array([(1, -1), (-1, 1), (-1, -1)])
_MEASURED = 20  # points of each kind whose distance and country are stated, which takes 10 ms


@dataclass(frozen=True)
class Points:
    """Coordinates and their countries.

    Attributes:
        latitude_deg: Shape (N,), NaN where unknown.
        longitude_deg: Shape (N,), NaN where unknown.
        codes: N ISO 3166-1 alpha-2 codes; "" where unknown.
    """

    latitude_deg: Degrees
    longitude_deg: Degrees
    codes: Sequence[str]


@dataclass(frozen=True)
class Misplaced:
    """Indices of the points that contradict their country; no point is in two arrays.

    Attributes:
        swapped: Far from their country, near it once latitude and longitude are swapped.
        null_island: At or near 0,0.
        wrong_sign: Far from their country, near it with another sign.
        signs: Factors of latitude and longitude that put those near, shape (len(wrong_sign), 2).
        far: Far from their country for another reason.
    """

    swapped: Indices
    null_island: Indices
    wrong_sign: Indices
    signs: Indices
    far: Indices


class MisplacedFinder:
    """Finds misplaced points; keep one for all chunks of a file."""

    def __init__(self) -> None:
        self._is_far = gazetteer.FarFromCountry()
        self._num_described = dict.fromkeys((NULL_ISLAND, WRONG_SIGN, FAR), 0)

    def find(self, points: Points) -> Misplaced:
        """Sort the points that contradict their country by likely cause.

        Raises:
            ResourceError: The file of the outlines is missing or damaged.
        """
        latitude_deg, longitude_deg = points.latitude_deg, points.longitude_deg
        null_island = _near_zero(latitude_deg) & _near_zero(longitude_deg)
        far = np.flatnonzero(~null_island & self._is_far(latitude_deg, longitude_deg, points.codes))
        codes = [points.codes[i] for i in far.tolist()]
        latitude_deg, longitude_deg = latitude_deg[far], longitude_deg[far]

        swapped = self._fits(longitude_deg, latitude_deg, codes)
        fits_with_signs = np.array(
            [self._fits(y * latitude_deg, x * longitude_deg, codes) for y, x in _OTHER_SIGNS]
        )
        wrong_sign = fits_with_signs.any(axis=0) & ~swapped
        return Misplaced(
            swapped=far[swapped],
            null_island=np.flatnonzero(null_island),
            wrong_sign=far[wrong_sign],
            signs=_OTHER_SIGNS[fits_with_signs.argmax(axis=0)[wrong_sign]],
            far=far[~(wrong_sign | swapped)],
        )

    def warnings(self, points: Points, misplaced: Misplaced) -> Iterator[RowWarning]:
        """Describe the misplaced points, apart from the swapped ones."""
        for row in misplaced.null_island.tolist():
            outside = self._outside(points, row, NULL_ISLAND)
            advice = "Is the place missing? Then leave both blank."
            yield RowWarning(row, NULL_ISLAND, f"{outside}. {advice}")
        for row, signs in zip(misplaced.wrong_sign.tolist(), misplaced.signs, strict=True):
            outside = self._outside(points, row, WRONG_SIGN)
            yield RowWarning(
                row, WRONG_SIGN, f"{outside}, but inside {_with_signs(points, row, signs)}"
            )
        for row in misplaced.far.tolist():
            outside = self._outside(points, row, FAR)
            yield RowWarning(row, FAR, f"{outside}. Correct the coordinates or the country.")

    def _outside(self, points: Points, row: int, kind: str) -> str:
        """State where a point lies, measured for the first points of each kind."""
        latitude_deg, longitude_deg = points.latitude_deg[row], points.longitude_deg[row]
        code = points.codes[row]
        there = f"more than {gazetteer.FAR_KM:g} km outside {_name(code)}"
        self._num_described[kind] += 1
        if self._num_described[kind] <= _MEASURED:
            km = gazetteer.km_to_country(latitude_deg[None], longitude_deg[None], code)[0]
            other = gazetteer.country_at(latitude_deg, longitude_deg)
            there = f"{km:,.0f} km outside {_name(code)}" if np.isfinite(km) else there
            there += f", in {_name(other)}" if other else ""
        return (
            f"latitude {_degrees(latitude_deg)}, longitude {_degrees(longitude_deg)} lies {there}"
        )

    def _fits(
        self, latitude_deg: Degrees, longitude_deg: Degrees, codes: Sequence[str]
    ) -> NDArray[np.bool_]:
        """Which points would be near their country with these coordinates."""
        possible = np.abs(latitude_deg) <= 90.0  # noqa: PLR2004
        latitude_deg = np.where(possible, latitude_deg, np.nan)
        return possible & ~self._is_far(latitude_deg, longitude_deg, codes)


def _near_zero(degrees: Degrees) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = np.abs(degrees) <= _NULL_ISLAND_DEG
    return near


def _with_signs(points: Points, row: int, signs: Indices) -> str:
    """State which coordinates with another sign fit the country."""
    fitting = {
        "latitude": points.latitude_deg[row] * signs[0],
        "longitude": points.longitude_deg[row] * signs[1],
    }
    changed = [name for name, sign in zip(fitting, signs, strict=True) if sign < 0]
    text = " and ".join(f"{name} {_degrees(fitting[name])}" for name in changed)
    is_lost = any(fitting[name] < 0 for name in changed)
    return f"with {text}. Is {'a minus sign missing' if is_lost else 'the minus sign wrong'}?"


def _degrees(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _name(code: str) -> str:
    return gazetteer.countries()[code].name
