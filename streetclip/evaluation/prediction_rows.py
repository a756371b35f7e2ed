"""Convert predictions to rows of the store."""

import json
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.data.candidates import Candidates, Float64, Int64
from streetclip.evaluation.true_places import Truth
from streetclip.geo import haversine_km

if TYPE_CHECKING:  # an import of predictions needs no torch
    from streetclip.evaluation.predictor import Float32, Predictions

Objects = NDArray[np.object_]

_NUMBERS = (
    "country_probability", "city_probability", "margin",
    "pred_latitude_deg", "pred_longitude_deg", "distance_km",
)  # fmt: skip
_PARTS_OF_ONE = 100_000  # probabilities of rankings have five decimals


def truth_frame(frame: pd.DataFrame, truth: Truth, rows: Int64, image_ids: Int64) -> pd.DataFrame:
    """Build the columns of a prediction that do not depend on the model.

    `truth` and the store's `image_ids` are aligned with `frame`, the manifest's; `rows` are the
    positions to take.
    """
    return pd.DataFrame(
        {
            "image_id": image_ids[rows],
            "true_country": _texts(frame["country_code"].take(rows).to_numpy(object)),
            "country_reachable": (truth.country_N[rows] >= 0).astype(np.int64),
            "city_reachable": (truth.city_N[rows] >= 0).astype(np.int64),
            "true_latitude_deg": truth.latitude_deg_N[rows],
            "true_longitude_deg": truth.longitude_deg_N[rows],
            "coordinate_source": _texts(truth.coordinate_source_N[rows]),
            "nearest_candidate_km": truth.nearest_candidate_km_N[rows],
        }
    )


def prediction_frame(
    known: pd.DataFrame,
    predictions: "Predictions",
    truth: Truth,
    rows: Int64,
    candidates: Candidates,
) -> pd.DataFrame:
    """Build the rows of images that were read.

    `known` (see `truth_frame`) and `predictions` are aligned with `rows`, positions in the
    manifest; `truth` is of the whole manifest.
    """
    country_N, city_N = predictions.country_N, predictions.city_N
    latitude_deg_N = candidates.city_latitude_deg_M[city_N]
    longitude_deg_N = candidates.city_longitude_deg_M[city_N]
    codes = np.asarray(candidates.country_codes, dtype=object)
    cities = np.asarray(candidates.city_names, dtype=object)
    country_texts = [json.dumps(code) for code in candidates.country_codes]
    city_texts = [
        f"{json.dumps(name, ensure_ascii=False)}, {country_texts[country]}"
        for name, country in zip(cities, candidates.city_country_M.tolist(), strict=True)
    ]
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
            latitude_deg_N, longitude_deg_N, truth.latitude_deg_N[rows], truth.longitude_deg_N[rows]
        ),
        "top_countries": _rankings(
            country_texts, predictions.top_countries_NK, predictions.top_country_probabilities_NK
        ),
        "top_cities": _rankings(
            city_texts, predictions.top_cities_NK, predictions.top_city_probabilities_NK
        ),
    }
    # Faster than adding columns one by one.
    return pd.DataFrame({name: known[name] for name in known} | predicted)


def unreadable_frame(known: pd.DataFrame, errors: list[str]) -> pd.DataFrame:
    """Build the rows of unreadable images: wrong, with the error."""
    no_rank = _rank_column(np.zeros(len(known), np.int64))
    return known.assign(
        status="unreadable",
        error=errors,
        country_correct=0,
        city_correct=0,
        true_country_rank=no_rank,
        true_city_rank=no_rank,
        **dict.fromkeys(_NUMBERS, np.nan),
        **dict.fromkeys(("pred_country", "pred_city", "top_countries", "top_cities")),
    )


def _margins(probabilities_NK: "Float32") -> Float64:
    """Subtract each ranking's second probability from the first, as rounded there."""
    if probabilities_NK.shape[1] < 2:  # noqa: PLR2004 -- one candidate, or rankings of one
        return np.full(len(probabilities_NK), np.nan)
    rounded_N2 = _parts_of_one(probabilities_NK[:, :2]) / _PARTS_OF_ONE
    margin_N: Float64 = rounded_N2[:, 0] - rounded_N2[:, 1]
    return margin_N


def _parts_of_one(probabilities: "Float32") -> Int64:
    return np.rint(probabilities.astype(np.float64) * _PARTS_OF_ONE).astype(np.int64)


def _rank_column(rank_N: Int64) -> pd.arrays.IntegerArray:
    """Convert ranks to a column in which 0 is missing."""
    return pd.arrays.IntegerArray(rank_N, rank_N == 0)


def _rankings(
    places: Sequence[str], index_NK: Int64, probabilities_NK: "Float32"
) -> "pd.Series[str]":
    """Build rankings as JSON, [[place, probability], …]; omit index −1."""
    scaled_NK = _parts_of_one(probabilities_NK)
    scaled_NK[index_NK < 0] = -1
    beginnings = np.array([*(f", [{place}, " for place in places), ""], dtype=object)  # last: −1
    columns = []
    for index_N, scaled_N in zip(index_NK.T, scaled_NK.T, strict=True):
        columns += [beginnings[index_N].tolist(), _endings()[scaled_N].tolist()]
    entries = map("".join, zip(*columns, strict=True))
    return _texts([f"[{text[2:]}]" for text in entries])


@cache
def _endings() -> Objects:
    """Format the end of a ranking's entry for each probability; last a blank."""
    texts = [f"{part / _PARTS_OF_ONE!r}]" for part in range(_PARTS_OF_ONE + 1)]
    return np.array([*texts, ""], dtype=object)


def _texts(values: Sequence[Any] | Objects) -> "pd.Series[str]":
    return pd.Series(values, dtype=object)  # avoids conversions to pandas' own text type
