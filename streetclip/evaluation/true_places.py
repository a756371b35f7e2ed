"""Locate true places among candidates, and measure how near one of these is.

Shapes: N images, M candidate cities, B places of a block, S candidates near a block; 2 for latitude
and longitude in degrees, 3 for a unit vector.
"""

import logging
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.data.candidates import Candidates, Float64
from streetclip.data.place_matching import match_places
from streetclip.errors import CandidatesError, shown
from streetclip.geo import haversine_km, unit_vectors

_LOG = logging.getLogger(__name__)

FROM_IMAGE, FROM_CITY, FROM_NOWHERE = "image", "city", "none"

_BLOCK: Final = 512  # places, whose cosines fit the processor's cache
_BAND_DEG: Final = 4.0
_COSINE_ROUNDING: Final = 1e-14  # of the dot product of two unit vectors, with a margin
_ANGLE_MARGIN: Final = 1e-6  # radians, far above what rounding does to an angle


@dataclass(frozen=True)
class Truth:
    """True places, aligned with the rows of the manifest."""

    country_N: NDArray[np.int64]  # index among the candidates, −1 for none
    city_N: NDArray[np.int64]  # index among the candidates, −1 for none
    latitude_deg_N: Float64  # of the image, else of its city; NaN where unknown
    longitude_deg_N: Float64
    coordinate_source_N: NDArray[np.object_]  # "image", "city" or "none"
    nearest_candidate_km_N: Float64  # to any candidate city; NaN where unknown


def find_truth(frame: pd.DataFrame, candidates: Candidates, *, is_closed: bool = True) -> Truth:
    """Match a manifest's places with candidates; CandidatesError if no country matches.

    Unless `is_closed`, other places can be predicted too, and no nearest candidate is measured.
    """
    matches = match_places(frame, candidates)
    if not (matches.country_N >= 0).any():
        found = ", ".join(sorted(set(frame["country_code"]))[:5])
        msg = (
            f"{candidates.path}: none of the true countries ({found}, …) is a candidate. "
            "Name the candidates file that belongs to this test file with --candidates_file."
        )
        raise CandidatesError(msg)
    if doubtful := matches.doubtful:
        unmatched = sum(place.num_images for place in doubtful if place.candidate < 0)
        matched = sum(place.num_images for place in doubtful if place.candidate >= 0)
        _LOG.warning(
            "%d labels without coordinates fit several cities, such as %s (%s): %d images count as "
            "the largest city of the name, %d as none. Add regions or coordinates; "
            "jobs/check_data.py --candidates_file lists them.",
            *(len(doubtful), shown(doubtful[0].city), doubtful[0].country_code),
            *(matched, unmatched),
        )
    latitude_deg_N, longitude_deg_N, source_N = _coordinates(frame, candidates, matches.city_N)
    nearest_km_N = np.full(len(frame), np.nan)
    if is_closed:
        nearest_km_N = nearest_km(
            latitude_deg_N,
            longitude_deg_N,
            candidates.city_latitude_deg_M,
            candidates.city_longitude_deg_M,
        )
    return Truth(
        matches.country_N, matches.city_N, latitude_deg_N, longitude_deg_N, source_N, nearest_km_N
    )


def _coordinates(
    frame: pd.DataFrame, candidates: Candidates, city_N: NDArray[np.int64]
) -> tuple[Float64, Float64, NDArray[np.object_]]:
    latitude_deg_N = frame["latitude_deg"].to_numpy(np.float64, copy=True)
    longitude_deg_N = frame["longitude_deg"].to_numpy(np.float64, copy=True)
    source_N = np.full(len(frame), FROM_IMAGE, object)
    source_N[np.isnan(latitude_deg_N)] = FROM_NOWHERE
    from_candidates_N = np.isnan(latitude_deg_N) & (city_N >= 0)
    latitude_deg_N[from_candidates_N] = candidates.city_latitude_deg_M[city_N[from_candidates_N]]
    longitude_deg_N[from_candidates_N] = candidates.city_longitude_deg_M[city_N[from_candidates_N]]
    source_N[from_candidates_N] = FROM_CITY
    # Cities that are no candidates may be in the gazetteer; each is looked up once.
    unplaced = np.flatnonzero(np.isnan(latitude_deg_N) & (frame["city"] != "").to_numpy())
    places = frame[["country_code", "city", "region"]].iloc[unplaced]
    for place, rows in places.groupby(list(places), sort=False).indices.items():
        city = gazetteer.resolve_city(*cast("tuple[str, str, str]", place)).city
        if city is not None:
            latitude_deg_N[unplaced[rows]] = city.latitude_deg
            longitude_deg_N[unplaced[rows]] = city.longitude_deg
            source_N[unplaced[rows]] = FROM_CITY
    return latitude_deg_N, longitude_deg_N, source_N


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
    candidates_M2 = np.stack([candidate_latitude_deg_M, candidate_longitude_deg_M], axis=1)
    candidates_M2 = np.unique(candidates_M2[~np.isnan(candidates_M2).any(axis=1)], axis=0)
    known = np.flatnonzero(~np.isnan(latitude_deg_N + longitude_deg_N))
    if not len(candidates_M2):
        return found_N
    candidates_M3 = unit_vectors(*candidates_M2.T)
    # Blocks of neighbours have few candidates that can be nearest.
    band = np.floor(latitude_deg_N[known] / _BAND_DEG)
    order = known[np.lexsort((longitude_deg_N[known], band))]
    for start in range(0, len(order), _BLOCK):
        rows = order[start : start + _BLOCK]
        latitude_deg, longitude_deg = latitude_deg_N[rows], longitude_deg_N[rows]
        place, candidate = _may_be_nearest(unit_vectors(latitude_deg, longitude_deg), candidates_M3)
        near_latitude_deg, near_longitude_deg = candidates_M2[candidate].T
        distance_km = haversine_km(
            near_latitude_deg, near_longitude_deg, latitude_deg[place], longitude_deg[place]
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


def _near_block(places_B3: Float64, candidates_M3: Float64) -> NDArray[np.intp]:
    """Find candidates that may be nearest to a place of the block.

    In a circle of radius r around c, the nearest candidate of any place is at most d(c) + 2r from
    c, d(c) being the distance from c to its nearest candidate.
    """
    centre_3 = places_B3.sum(axis=0)
    length = np.linalg.norm(centre_3)
    if length < _ANGLE_MARGIN:  # the places are all around the globe
        return np.arange(len(candidates_M3))
    radius_B, from_centre_M = (
        np.arccos(np.clip(each @ (centre_3 / length), -1.0, 1.0))
        for each in (places_B3, candidates_M3)
    )
    farthest = from_centre_M.min() + 2 * radius_B.max()
    return np.flatnonzero(from_centre_M <= farthest + _ANGLE_MARGIN)
