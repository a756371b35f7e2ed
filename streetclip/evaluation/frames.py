"""Predictions as rows of the store."""

import json
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.datasets.candidates import Candidates
from streetclip.evaluation.prediction import Float32, Int64, Predictions
from streetclip.evaluation.truth import Truth
from streetclip.geo import haversine_km

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
    places = frame[["country_code", "continent", "region", "city"]].iloc[rows]
    return pd.DataFrame(
        {
            "image_id": image_ids[rows],
            "true_country": _texts(places["country_code"].to_numpy(object)),
            "true_continent": _texts(places["continent"].to_numpy(object)),
            "true_region": _texts(places["region"].to_numpy(object)),
            "true_city": _texts(places["city"].to_numpy(object)),
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
    return known.assign(
        status=_texts(["ok"] * len(known)),
        error=None,
        pred_country=_texts(codes[country_N]),
        pred_city=_texts(cities[city_N]),
        country_correct=(country_N == truth.country_N[rows]).astype(np.int64),
        city_correct=(city_N == truth.city_N[rows]).astype(np.int64),
        country_probability=predictions.country_probability_N.astype(np.float64),
        city_probability=predictions.city_probability_N.astype(np.float64),
        true_country_rank=_rank_column(predictions.true_country_rank_N),
        true_city_rank=_rank_column(predictions.true_city_rank_N),
        pred_latitude_deg=latitude_deg_N,
        pred_longitude_deg=longitude_deg_N,
        distance_km=haversine_km(
            latitude_deg_N,
            longitude_deg_N,
            truth.latitude_deg_N[rows],
            truth.longitude_deg_N[rows],
        ),
        top_countries=_top_countries(predictions, candidates),
        top_cities=_top_cities(predictions, candidates),
    )


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
        true_country_rank=_rank_column(np.zeros(len(known), np.int64)),
        true_city_rank=_rank_column(np.zeros(len(known), np.int64)),
        pred_latitude_deg=np.nan,
        pred_longitude_deg=np.nan,
        distance_km=np.nan,
        top_countries=None,
        top_cities=None,
    )


def _rank_column(rank_N: Int64) -> "pd.Series[int]":
    """Ranks with 0, which says no candidate, as missing; aligned by position."""
    return pd.Series(rank_N, dtype="Int64").where(rank_N > 0)


def _top_countries(predictions: Predictions, candidates: Candidates) -> "pd.Series[str]":
    return _rankings(
        _country_texts(candidates),
        predictions.top_countries_NK,
        predictions.top_country_probabilities_NK,
    )


def _top_cities(predictions: Predictions, candidates: Candidates) -> "pd.Series[str]":
    return _rankings(
        _city_texts(candidates),
        predictions.top_cities_NK,
        predictions.top_city_probabilities_NK,
    )


@lru_cache(maxsize=2)
def _country_texts(candidates: Candidates) -> Objects:
    return np.array([json.dumps(code) for code in candidates.country_codes], dtype=object)


@lru_cache(maxsize=2)
def _city_texts(candidates: Candidates) -> Objects:
    codes_M = _country_texts(candidates)[candidates.city_country_M].tolist()
    names = (json.dumps(name, ensure_ascii=False) for name in candidates.city_names)
    texts = [f"{name}, {code}" for name, code in zip(names, codes_M, strict=True)]
    return np.array(texts, dtype=object)


def _rankings(places: Objects, index_NK: Int64, probabilities_NK: Float32) -> "pd.Series[str]":
    """Rankings as JSON, [[place, probability], …], from texts that are made once for each place.

    Args:
        places: What stands before the probability in an entry, by index.
        index_NK: Best first; −1 where a list is shorter.
        probabilities_NK: 0..1; five decimals are kept.
    """
    scaled_NK = np.rint(probabilities_NK.astype(np.float64) * _PARTS_OF_ONE).astype(np.int64)
    scaled_NK[index_NK < 0] = -1
    openings = np.append(", [" + places + ", ", "")  # −1 takes the last one
    columns = [["["] * len(index_NK), ("[" + places + ", ")[index_NK[:, 0]].tolist()]
    for rank in range(index_NK.shape[1]):
        if rank:
            columns.append(openings[index_NK[:, rank]].tolist())
        columns.append(_closings()[scaled_NK[:, rank]].tolist())
    columns.append(["]"] * len(index_NK))
    return _texts(list(map("".join, zip(*columns, strict=True))))


@cache
def _closings() -> Objects:
    """The end of an entry by its probability in parts of one; blank for −1."""
    texts = [f"{part / _PARTS_OF_ONE!r}]" for part in range(_PARTS_OF_ONE + 1)]
    return np.array([*texts, ""], dtype=object)


def _texts(values: Sequence[Any] | Objects) -> "pd.Series[str]":
    # Left to itself, pandas would copy them into its own kind of text and back for the store.
    return pd.Series(values, dtype=object)
