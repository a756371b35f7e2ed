"""Predictions as rows of the store."""

import json

import numpy as np
import pandas as pd

from streetclip.datasets.candidates import Candidates
from streetclip.evaluation.prediction import Float32, Int64, Predictions
from streetclip.evaluation.truth import Truth
from streetclip.geo import haversine_km


def truth_frame(frame: pd.DataFrame, truth: Truth, rows: Int64, image_ids: Int64) -> pd.DataFrame:
    """The columns of a prediction that are known before any model looks.

    Args:
        frame: The manifest's.
        truth: Aligned with `frame`.
        rows: Positions in `frame` to take.
        image_ids: The store's, aligned with `frame`.
    """
    places = frame.iloc[rows]
    return pd.DataFrame(
        {
            "image_id": image_ids[rows],
            "true_country": places["country_code"].to_numpy(),
            "true_continent": places["continent"].to_numpy(),
            "true_region": places["region"].to_numpy(),
            "true_city": places["city"].to_numpy(),
            "country_reachable": (truth.country_N[rows] >= 0).astype(np.int64),
            "city_reachable": (truth.city_N[rows] >= 0).astype(np.int64),
            "true_latitude_deg": truth.latitude_deg_N[rows],
            "true_longitude_deg": truth.longitude_deg_N[rows],
            "coordinate_source": truth.coordinate_source_N[rows],
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
        status="ok",
        error=None,
        pred_country=codes[country_N],
        pred_city=cities[city_N],
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


def _top_countries(predictions: Predictions, candidates: Candidates) -> list[str]:
    codes = candidates.country_codes
    pairs = zip(
        predictions.top_countries_NK.tolist(),
        _rounded(predictions.top_country_probabilities_NK),
        strict=True,
    )
    return [
        json.dumps([[codes[i], p] for i, p in zip(index_K, p_K, strict=True)])
        for index_K, p_K in pairs
    ]


def _top_cities(predictions: Predictions, candidates: Candidates) -> list[str]:
    names, codes = candidates.city_names, candidates.country_codes
    country_M = candidates.city_country_M.tolist()
    pairs = zip(
        predictions.top_cities_NK.tolist(),
        _rounded(predictions.top_city_probabilities_NK),
        strict=True,
    )
    return [
        json.dumps(
            [
                [names[i], codes[country_M[i]], p]
                for i, p in zip(index_K, p_K, strict=True)
                if i >= 0
            ],
            ensure_ascii=False,
        )
        for index_K, p_K in pairs
    ]


def _rounded(probabilities_NK: Float32) -> list[list[float]]:
    rounded: list[list[float]] = probabilities_NK.astype(np.float64).round(5).tolist()
    return rounded
