"""Distance from many places to the nearest of many candidates.

Shapes: N places, M candidates, B places of a block, S candidates near a block.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streetclip.geo import haversine_km

Float64 = NDArray[np.float64]

_BLOCK: Final = 512  # places: a block's table of cosines stays in the cache
_BAND_DEG: Final = 4.0
_COSINE_ROUNDING: Final = 1e-14  # of the dot product of two unit vectors, with a margin
_ANGLE_MARGIN: Final = 1e-6  # radians, far above what rounding does to an angle


def nearest_km(
    latitude_deg_N: Float64,
    longitude_deg_N: Float64,
    candidate_latitude_deg_M: Float64,
    candidate_longitude_deg_M: Float64,
) -> Float64:
    """Find the distance from each place to its nearest candidate.

    The cosines of angles choose the candidates that may be nearest; `haversine_km`, which also
    measures predictions, then decides, so that no prediction is nearer by rounding.

    Args:
        latitude_deg_N: Latitudes of the places; NaN where unknown.
        longitude_deg_N: Their longitudes; NaN where unknown.
        candidate_latitude_deg_M: Latitudes of the candidates; those with NaN are no choice.
        candidate_longitude_deg_M: Their longitudes.

    Returns:
        N distances in km; NaN where the place is unknown or no candidate has coordinates.

    Examples:
        >>> nearest_km(
        ...     np.array([0.0, np.nan]), np.array([1.0, 1.0]), np.array([0.0, 0.0]),
        ...     np.array([0.0, 90.0])
        ... ).round(1).tolist()
        [111.2, nan]
    """
    found_N = np.full(len(latitude_deg_N), np.nan)
    candidates = _Points.distinct(candidate_latitude_deg_M, candidate_longitude_deg_M)
    known = np.flatnonzero(~(np.isnan(latitude_deg_N) | np.isnan(longitude_deg_N)))
    if not len(candidates.latitude_deg) or not len(known):
        return found_N
    # Neighbours in one block, so that few candidates can be near any of them.
    band = np.floor(latitude_deg_N[known] / _BAND_DEG)
    order = known[np.lexsort((longitude_deg_N[known], band))]
    for start in range(0, len(order), _BLOCK):
        rows = order[start : start + _BLOCK]
        places = _Points.of(latitude_deg_N[rows], longitude_deg_N[rows])
        found_N[rows] = _nearest_of_block(places, candidates)
    return found_N


class _Points:
    """Points of the sphere, in degrees and as unit vectors."""

    def __init__(self, latitude_deg: Float64, longitude_deg: Float64, vectors_3: Float64) -> None:
        self.latitude_deg = latitude_deg
        self.longitude_deg = longitude_deg
        self.vectors_3 = vectors_3

    @classmethod
    def of(cls, latitude_deg: Float64, longitude_deg: Float64) -> "_Points":
        latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
        x, y = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
        return cls(latitude_deg, longitude_deg, np.stack([x, y, np.sin(latitude)], axis=1))

    @classmethod
    def distinct(cls, latitude_deg: Float64, longitude_deg: Float64) -> "_Points":
        """The points whose coordinates are known, each once."""
        both = np.stack([latitude_deg, longitude_deg], axis=1)
        both = np.unique(both[~np.isnan(both).any(axis=1)], axis=0)
        return cls.of(np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1]))

    def take(self, rows: NDArray[np.intp]) -> "_Points":
        return _Points(self.latitude_deg[rows], self.longitude_deg[rows], self.vectors_3[rows])


def _nearest_of_block(places: _Points, candidates: _Points) -> Float64:
    """Distance in km from each of B places to its nearest candidate."""
    near = candidates.take(_near_block(places, candidates))
    cosine_BS = places.vectors_3 @ near.vectors_3.T
    may_be_nearest_BS = cosine_BS >= cosine_BS.max(axis=1, keepdims=True) - _COSINE_ROUNDING
    place, candidate = np.nonzero(may_be_nearest_BS)  # ascending places, each at least once
    distance_km = haversine_km(
        near.latitude_deg[candidate],
        near.longitude_deg[candidate],
        places.latitude_deg[place],
        places.longitude_deg[place],
    )
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    least: Float64 = np.minimum.reduceat(distance_km, starts)
    return least


def _near_block(places: _Points, candidates: _Points) -> NDArray[np.intp]:
    """Candidates that may be nearest to a place of the block.

    With the block inside a circle of radius r around c, the nearest candidate of any of its places
    is at most d(c) + 2r from c, d(c) being that of the candidate nearest to c.
    """
    centre_3 = places.vectors_3.sum(axis=0)
    length = np.linalg.norm(centre_3)
    if length < _ANGLE_MARGIN:  # the places are all around the globe
        return np.arange(len(candidates.latitude_deg))
    centre_3 = centre_3 / length
    radius = _angles(places.vectors_3 @ centre_3).max()
    from_centre_M = _angles(candidates.vectors_3 @ centre_3)
    return np.flatnonzero(from_centre_M <= from_centre_M.min() + 2 * radius + _ANGLE_MARGIN)


def _angles(cosine: Float64) -> Float64:
    angles: Float64 = np.arccos(np.clip(cosine, -1.0, 1.0))
    return angles
