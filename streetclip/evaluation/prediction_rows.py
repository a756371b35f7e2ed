"""Predictions as rows of the store."""

import json
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.data.candidates import Candidates
from streetclip.evaluation.predictor import Float32, Int64, Predictions
from streetclip.evaluation.true_places import Truth
from streetclip.geo import haversine_km

Float64 = NDArray[np.float64]
Objects = NDArray[np.object_]

_PARTS_OF_ONE = 100_000  # probabilities of rankings have five decimals


def truth_frame(frame: pd.DataFrame, truth: Truth, rows: Int64, image_ids: Int64) -> pd.DataFrame:
    """The columns of a prediction that are known before any model looks.

    Args:
        frame: The manifest's.
        truth: Aligned with `frame`.
        rows: Positions in `frame` to take.
        image_ids: The store's, aligned with `frame`.
    """
    return pd.DataFrame(
        {
            "image_id": image_ids[rows],
            "true_country": _texts(frame["country_code"].take(rows).to_numpy(object)),
            "true_continent": _texts(frame["continent"].take(rows).to_numpy(object)),
            "true_region": _texts(frame["region"].take(rows).to_numpy(object)),
            "true_city": _texts(frame["city"].take(rows).to_numpy(object)),
            "country_reachable": (truth.country_N[rows] >= 0).astype(np.int64),
            "city_reachable": (truth.city_N[rows] >= 0).astype(np.int64),
            "true_latitude_deg": truth.latitude_deg_N[rows],
            "true_longitude_deg": truth.longitude_deg_N[rows],
            "coordinate_source": _texts(truth.coordinate_source_N[rows]),
            "nearest_candidate_km": truth.nearest_candidate_km_N[rows],
        }
    )


def prediction_frame(
    known: pd.DataFrame, predictions: Predictions, truth: Truth, rows: Int64, candidates: Candidates
) -> pd.DataFrame:
    """Rows for images that were read: the truth columns and what the model said.

    Args:
        known: `truth_frame` of these rows.
        predictions: Aligned with `rows`.
        truth: Of the whole manifest.
        rows: Positions in the manifest.
        candidates: The places that were chosen from.
    """
    country_N, city_N = predictions.country_N, predictions.city_N
    latitude_deg_N = candidates.city_latitude_deg_M[city_N]
    longitude_deg_N = candidates.city_longitude_deg_M[city_N]
    codes = np.asarray(candidates.country_codes, dtype=object)
    cities = np.asarray(candidates.city_names, dtype=object)
    predicted = {
        "status": _texts(["ok"] * len(known)),
        "error": _texts([None] * len(known)),
        "pred_country": _texts(codes[country_N]),
        "pred_city": _texts(cities[city_N]),
        "country_correct": (country_N == truth.country_N[rows]).astype(np.int64),
        "city_correct": (city_N == truth.city_N[rows]).astype(np.int64),
        "country_probability": predictions.country_probability_N.astype(np.float64),
        "city_probability": predictions.city_probability_N.astype(np.float64),
        "margin": _margins(predictions.top_country_probabilities_NK),
        "true_country_rank": _rank_column(predictions.true_country_rank_N),
        "true_city_rank": _rank_column(predictions.true_city_rank_N),
        "pred_latitude_deg": latitude_deg_N,
        "pred_longitude_deg": longitude_deg_N,
        "distance_km": haversine_km(
            latitude_deg_N,
            longitude_deg_N,
            truth.latitude_deg_N[rows],
            truth.longitude_deg_N[rows],
        ),
        "top_countries": _rankings(
            _country_texts(candidates),
            predictions.top_countries_NK,
            predictions.top_country_probabilities_NK,
        ),
        "top_cities": _rankings(
            _city_texts(candidates),
            predictions.top_cities_NK,
            predictions.top_city_probabilities_NK,
        ),
    }
    # Many times faster than one column after the other into a frame.
    return pd.DataFrame({name: known[name] for name in known} | predicted)


def unreadable_frame(known: pd.DataFrame, errors: list[str]) -> pd.DataFrame:
    """Rows for images that could not be read: wrong, with the reason."""
    return known.assign(
        status="unreadable",
        error=errors,
        pred_country=None,
        pred_city=None,
        country_correct=0,
        city_correct=0,
        country_probability=np.nan,
        city_probability=np.nan,
        margin=np.nan,
        true_country_rank=_rank_column(np.zeros(len(known), np.int64)),
        true_city_rank=_rank_column(np.zeros(len(known), np.int64)),
        pred_latitude_deg=np.nan,
        pred_longitude_deg=np.nan,
        distance_km=np.nan,
        top_countries=None,
        top_cities=None,
    )


def _margins(probabilities_NK: Float32) -> Float64:
    """Subtract the second probability of each ranking from the first, as rankings round them."""
    if probabilities_NK.shape[1] < 2:  # noqa: PLR2004 -- one candidate, or rankings of one
        return np.full(len(probabilities_NK), np.nan)
    rounded_N2 = _parts_of_one(probabilities_NK[:, :2]) / _PARTS_OF_ONE
    margin_N: Float64 = rounded_N2[:, 0] - rounded_N2[:, 1]
    return margin_N


def _parts_of_one(probabilities: Float32) -> Int64:
    return np.rint(probabilities.astype(np.float64) * _PARTS_OF_ONE).astype(np.int64)


def _rank_column(rank_N: Int64) -> pd.arrays.IntegerArray:
    """Ranks with 0, which says no candidate, as missing."""
    return pd.arrays.IntegerArray(rank_N, rank_N == 0)


@lru_cache(maxsize=2)
def _country_texts(candidates: Candidates) -> "_Openings":
    return _Openings.of([json.dumps(code) for code in candidates.country_codes])


@lru_cache(maxsize=2)
def _city_texts(candidates: Candidates) -> "_Openings":
    codes = [json.dumps(code) for code in candidates.country_codes]
    names = [json.dumps(name, ensure_ascii=False) for name in candidates.city_names]
    countries = candidates.city_country_M.tolist()
    return _Openings.of([f"{name}, {codes[i]}" for name, i in zip(names, countries, strict=True)])


class _Openings(NamedTuple):
    """What stands before a probability in a ranking, by index of the place; blank for −1.

    Attributes:
        first: In the first entry.
        further: In the others.
    """

    first: Objects
    further: Objects

    @classmethod
    def of(cls, places: Sequence[str]) -> "_Openings":
        """Args: places: What an entry begins with, as JSON."""
        first = [f"[[{place}, " for place in places]
        further = [f", [{place}, " for place in places]
        return cls(*(np.array([*texts, ""], dtype=object) for texts in (first, further)))


@cache
def _closings() -> Objects:
    """The probability and the end of an entry, by the probability in parts of one; blank for −1."""
    texts = [f"{part / _PARTS_OF_ONE!r}]" for part in range(_PARTS_OF_ONE + 1)]
    return np.array([*texts, ""], dtype=object)


def _rankings(openings: _Openings, index_NK: Int64, probabilities_NK: Float32) -> "pd.Series[str]":
    """Rankings as JSON, [[place, probability], …], from texts that are made once for each place.

    Args:
        openings: Of the places.
        index_NK: Best first; −1 where a list is shorter.
        probabilities_NK: 0..1; five decimals are kept.
    """
    scaled_NK = _parts_of_one(probabilities_NK)
    scaled_NK[index_NK < 0] = -1
    columns = []
    for rank, (index_N, scaled_N) in enumerate(zip(index_NK.T, scaled_NK.T, strict=True)):
        columns.append((openings.further if rank else openings.first)[index_N].tolist())
        columns.append(_closings()[scaled_N].tolist())
    columns.append(["]"] * len(index_NK))
    return _texts(list(map("".join, zip(*columns, strict=True))))


def _texts(values: Sequence[Any] | Objects) -> "pd.Series[str]":
    # Left to itself, pandas would copy them into its own kind of text and back for the store.
    return pd.Series(values, dtype=object)
