"""Find the distance from each place to the nearest candidate.

Shapes: N places, M candidates, B places of a block, S candidates near a block; 2 for latitude and
longitude in degrees, 3 for a unit vector.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streetclip.geo import haversine_km

Float64 = NDArray[np.float64]

_BLOCK: Final = 512  # places, whose cosines fit the processor's cache
_BAND_DEG: Final = 4.0
_COSINE_ROUNDING: Final = 1e-14  # of the dot product of two unit vectors, with a margin
_ANGLE_MARGIN: Final = 1e-6  # radians, far above what rounding does to an angle


def nearest_km(
    latitude_deg_N: Float64,
    longitude_deg_N: Float64,
    candidate_latitude_deg_M: Float64,
    candidate_longitude_deg_M: Float64,
) -> Float64:
    """Find each place's distance in km to its nearest candidate.

    Cosines preselect candidates; `haversine_km`, which also measures predictions, decides, so that
    none is nearer by rounding. NaN where the place or all candidates lack coordinates.
    """
    found_N = np.full(len(latitude_deg_N), np.nan)
    places_N2 = np.stack([latitude_deg_N, longitude_deg_N], axis=1)
    candidates_M2 = np.stack([candidate_latitude_deg_M, candidate_longitude_deg_M], axis=1)
    candidates_M2 = np.unique(candidates_M2[~np.isnan(candidates_M2).any(axis=1)], axis=0)
    known = np.flatnonzero(~np.isnan(places_N2).any(axis=1))
    if not len(candidates_M2) or not len(known):
        return found_N
    candidates_M3 = _vectors(candidates_M2)
    # Blocks of neighbours have few candidates that can be nearest.
    band = np.floor(latitude_deg_N[known] / _BAND_DEG)
    order = known[np.lexsort((longitude_deg_N[known], band))]
    for start in range(0, len(order), _BLOCK):
        rows = order[start : start + _BLOCK]
        place, candidate = _may_be_nearest(_vectors(places_N2[rows]), candidates_M3)
        distance_km = haversine_km(
            candidates_M2[candidate, 0],
            candidates_M2[candidate, 1],
            places_N2[rows[place], 0],
            places_N2[rows[place], 1],
        )
        firsts = np.flatnonzero(np.diff(place, prepend=-1))
        found_N[rows] = np.minimum.reduceat(distance_km, firsts)
    return found_N


def _may_be_nearest(
    places_B3: Float64, candidates_M3: Float64
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair places, ascending, with the candidates that may be nearest."""
    # A function of its own frees each block's table before the next.
    near = _near_block(places_B3, candidates_M3)
    cosine_BS = places_B3 @ candidates_M3[near].T
    least_B1 = cosine_BS.max(axis=1, keepdims=True) - _COSINE_ROUNDING
    place, column = np.nonzero(cosine_BS >= least_B1)
    return place, near[column]


def _vectors(places_N2: Float64) -> Float64:
    latitude, longitude = np.radians(places_N2).T
    x, y = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
    return np.stack([x, y, np.sin(latitude)], axis=1)


def _near_block(places_B3: Float64, candidates_M3: Float64) -> NDArray[np.intp]:
    """Find candidates that may be nearest to a place of the block.

    In a circle of radius r around c, the nearest candidate of any place is at most d(c) + 2r from
    c, d(c) being the distance from c to its nearest candidate.
    """
    centre_3 = places_B3.sum(axis=0)
    length = np.linalg.norm(centre_3)
    if length < _ANGLE_MARGIN:  # the places are all around the globe
        return np.arange(len(candidates_M3))
    centre_3 = centre_3 / length
    radius = _angles(places_B3 @ centre_3).max()
    from_centre_M = _angles(candidates_M3 @ centre_3)
    return np.flatnonzero(from_centre_M <= from_centre_M.min() + 2 * radius + _ANGLE_MARGIN)


def _angles(cosine: Float64) -> Float64:
    angles: Float64 = np.arccos(np.clip(cosine, -1.0, 1.0))
    return angles
