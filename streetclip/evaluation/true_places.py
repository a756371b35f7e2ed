"""Locate true places among candidates: N images, M candidate cities."""

import logging
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.data.candidates import Candidates
from streetclip.data.place_matching import match_places
from streetclip.errors import CandidatesError, shown
from streetclip.evaluation.nearest import nearest_km

_LOG = logging.getLogger(__name__)

FROM_IMAGE, FROM_CITY, FROM_NOWHERE = "image", "city", "none"


@dataclass(frozen=True)
class Truth:
    """True places, aligned with the rows of the manifest."""

    country_N: NDArray[np.int64]  # index among the candidates, −1 for none
    city_N: NDArray[np.int64]  # index among the candidates, −1 for none
    latitude_deg_N: NDArray[np.float64]  # of the image, else of its city; NaN where unknown
    longitude_deg_N: NDArray[np.float64]
    coordinate_source_N: NDArray[np.object_]  # "image", "city" or "none"
    nearest_candidate_km_N: NDArray[np.float64]  # to any candidate city; NaN where unknown


def find_truth(frame: pd.DataFrame, candidates: Candidates) -> Truth:
    """Match a manifest's places with candidates; CandidatesError if no country matches."""
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
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.object_]]:
    latitude_deg_N = frame["latitude_deg"].to_numpy(np.float64, copy=True)
    longitude_deg_N = frame["longitude_deg"].to_numpy(np.float64, copy=True)
    source_N = np.where(np.isnan(latitude_deg_N), FROM_NOWHERE, FROM_IMAGE).astype(object)
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
