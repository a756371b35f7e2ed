"""Judge imported predictions against the labels, and make rows of the store of them."""

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.data.candidates import Int64
from streetclip.evaluation.imported_places import (
    RowChoice,
    locate_predictions,
    same_unknown_city,
)
from streetclip.evaluation.prediction_rows import truth_frame
from streetclip.evaluation.true_places import Truth, find_truth
from streetclip.geo import haversine_km

NO_ROW: Final = "the predictions have no row for this image"

JUDGED_BY: Final = ("country_code", "region", "city", "latitude_deg", "longitude_deg")
"""Columns of a manifest that decide what is correct."""

_Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class ImportedRows:
    """Predictions of N images: `answers` as written, `places` completed, and what is correct."""

    labels: pd.DataFrame
    truth: Truth
    answers: pd.DataFrame
    places: pd.DataFrame
    is_country_N: _Bool
    is_city_N: _Bool

    def take(self, rows: Int64, image_ids: Int64) -> pd.DataFrame:
        """Build some rows of `store.write_predictions`; `image_ids` are those of all N images."""
        answers, places = self.answers.iloc[rows], self.places.iloc[rows]
        is_country, is_city = self.is_country_N[rows], self.is_city_N[rows]
        is_ok = (answers["error"] == "").to_numpy(np.bool_)
        known = truth_frame(self.labels, self.truth, rows, image_ids)
        latitude_deg, longitude_deg, true_latitude_deg, true_longitude_deg = (
            frame[f"{of}{name}"].to_numpy(np.float64)
            for frame, of in ((places, ""), (known, "true_"))
            for name in ("latitude_deg", "longitude_deg")
        )
        ranked = _ranked(answers["top_countries"], known["true_country"], is_country)
        return known.assign(
            **ranked,
            city_reachable=(self.labels["city"].iloc[rows] != "").to_numpy(np.int64),
            status=np.where(is_ok, "ok", "unparsable").astype(object),
            error=_only(~is_ok, answers["error"]),
            pred_country=_only(is_ok, places["country_code"]),
            pred_city=_only(is_ok, places["city"]),
            country_correct=is_country.astype(np.int64),
            city_correct=is_city.astype(np.int64),
            country_probability=np.where(is_ok, answers["confidence"], np.nan),
            city_probability=np.nan,
            true_city_rank=pd.arrays.IntegerArray(is_city.astype(np.int64), ~is_city),
            pred_latitude_deg=latitude_deg,
            pred_longitude_deg=longitude_deg,
            distance_km=haversine_km(
                latitude_deg, longitude_deg, true_latitude_deg, true_longitude_deg
            ),
        )


def judge(answers: pd.DataFrame, labels: pd.DataFrame) -> ImportedRows:
    """Decide which answers, as of `align`, are correct.

    `labels` has the columns `JUDGED_BY` of a `Manifest`. Any place of the world could have
    been predicted, so that every true country and every city that a label names is reachable.
    """
    predicted = locate_predictions(answers)
    truth = find_truth(labels, predicted.candidates, is_closed=False)
    codes = predicted.frame["country_code"].astype("str")  # objects of labels would take 60 MB
    is_ok = (answers["error"] == "").to_numpy(np.bool_)
    is_country = is_ok & (codes == labels["country_code"]).to_numpy(np.bool_)
    is_city = (predicted.city_N >= 0) & (predicted.city_N == truth.city_N)
    is_city = is_country & (is_city | same_unknown_city(predicted, labels))
    return ImportedRows(labels, truth, answers, predicted.frame, is_country, is_city)


def align(frame: pd.DataFrame, choice: RowChoice) -> pd.DataFrame:
    """Take the row of each image from a `PredictionTable`; without one, a row without a place."""
    aligned = frame.drop(columns=["image", "line", "rank"]).reindex(choice.row_N)
    aligned.index = pd.RangeIndex(len(choice.row_N))
    is_missing = choice.row_N < 0
    for name in ("country_code", "region", "city", "error"):
        aligned.loc[is_missing, name] = NO_ROW if name == "error" else ""
    return aligned


def _ranked(
    tops: "pd.Series[Any]", true_codes: "pd.Series[str]", is_country: _Bool
) -> dict[str, Any]:
    """Build the columns that a ranking of countries gives; without one, only rank 1 is known."""
    ranks = np.where(is_country, 1, 0)
    margin = np.full(len(tops), np.nan)
    texts = np.full(len(tops), None, object)
    rankings, true = tops.to_numpy(object), true_codes.to_numpy(object)
    for i in np.flatnonzero(tops.notna()).tolist():
        top: list[tuple[str, float]] = rankings[i]
        codes = [code for code, _ in top]
        ranks[i] = 1 + codes.index(true[i]) if true[i] in codes else 0
        margin[i] = top[0][1] - top[1][1] if len(top) > 1 else np.nan
        texts[i] = json.dumps(top)
    return {
        "true_country_rank": pd.arrays.IntegerArray(ranks, ranks == 0),
        "margin": margin,
        "top_countries": texts,
        "top_cities": _only(tops.notna().to_numpy(), ["[]"] * len(tops)),
    }


def _only(mask: _Bool, values: Any) -> NDArray[np.object_]:
    """Keep values where the mask is set, None elsewhere."""
    kept = np.array(values, dtype=object)
    kept[~mask] = None
    return kept
