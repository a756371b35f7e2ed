"""Where each image truly is, in terms of the candidates.

Shapes: N images, M candidate cities.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.data.candidates import Candidates
from streetclip.data.place_matching import DoubtfulPlace, match_places
from streetclip.errors import CandidatesError, shown
from streetclip.evaluation.nearest import nearest_km

_LOG = logging.getLogger(__name__)

FROM_IMAGE, FROM_CITY, FROM_NOWHERE = "image", "city", "none"


@dataclass(frozen=True)
class Truth:
    """Aligned with the rows of the manifest.

    Attributes:
        country_N: Index of the true country among the candidates, −1 where it is none.
        city_N: Index of the true city among the candidates, −1 where it is none.
        latitude_deg_N, longitude_deg_N: Of the image, else of its true city; NaN where unknown.
        coordinate_source_N: "image", "city" or "none".
        nearest_candidate_km_N: From the true place to the nearest candidate city of any country:
            no prediction can be nearer; NaN where the true place has no coordinates.
    """

    country_N: NDArray[np.int64]
    city_N: NDArray[np.int64]
    latitude_deg_N: NDArray[np.float64]
    longitude_deg_N: NDArray[np.float64]
    coordinate_source_N: NDArray[np.object_]
    nearest_candidate_km_N: NDArray[np.float64]


def find_truth(frame: pd.DataFrame, candidates: Candidates) -> Truth:
    """Match the places of a manifest's frame with the candidates.

    Raises:
        CandidatesError: No image is in any of the candidate countries.
    """
    matches = match_places(frame, candidates)
    if not (matches.country_N >= 0).any():
        found = ", ".join(sorted(set(frame["country_code"]))[:5])
        msg = (
            f"{candidates.path}: none of the true countries ({found}, …) is a candidate. "
            "Name the candidates file that belongs to this test file with --candidates_file."
        )
        raise CandidatesError(msg)
    _warn_of_doubt(matches.doubtful)
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


def _warn_of_doubt(doubtful: Sequence[DoubtfulPlace]) -> None:
    """Log the labels that fit several cities, in one warning."""
    if not doubtful:
        return
    unmatched = sum(place.num_images for place in doubtful if place.candidate < 0)
    matched = sum(place.num_images for place in doubtful if place.candidate >= 0)
    first = doubtful[0]
    _LOG.warning(
        "%d labels without coordinates fit several cities, such as %s (%s): %d images count as "
        "the largest city of the name, %d as none. Add regions or coordinates; "
        "jobs/check_data.py --candidates_file lists them.",
        len(doubtful), shown(first.city), first.country_code, matched, unmatched,
    )  # fmt: skip


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
