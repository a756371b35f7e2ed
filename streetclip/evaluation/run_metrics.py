"""From the stored predictions of a run to the body of `metrics.json`."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.metrics.neighbours import neighbour_confusion
from streetclip.metrics.summary import SummaryInput, summarise

_NUMBERS = ("country_probability", "distance_km", "nearest_candidate_km")
OUTCOMES = (
    "status",
    "true_country",
    "true_continent",
    "pred_country",
    "country_correct",
    "city_correct",
    "country_reachable",
    "city_reachable",
    "coordinate_source",
    *_NUMBERS,
)
"""What `measure` asks of a prediction."""


def collect_outcomes(
    chunks: Iterable[Mapping[str, Sequence[Any]]], outcomes: list[pd.DataFrame]
) -> Iterator[Mapping[str, Sequence[Any]]]:
    """Pass chunks of predictions on, and keep what `measure` asks of them.

    Args:
        chunks: Of `streetclip.store.iterate_predictions`.
        outcomes: Takes a frame for each chunk.
    """
    for chunk in chunks:
        frame = pd.DataFrame({name: chunk[name] for name in OUTCOMES})
        outcomes.append(frame.astype(dict.fromkeys(_NUMBERS, "float64")))
        yield chunk


def measure(predictions: pd.DataFrame, *, candidate_codes: Collection[str]) -> dict[str, Any]:
    """Compute every metric of a finished run.

    Args:
        predictions: `OUTCOMES` of `streetclip.store.read_predictions`, a row for each image of the
            test file.
        candidate_codes: ISO codes of the countries that could be predicted.
    """
    true_country = _texts(predictions["true_country"])
    predicted_country = _texts(predictions["pred_country"])
    borders = {code: country.neighbours for code, country in gazetteer.countries().items()}
    summary = summarise(
        SummaryInput(
            country_correct=predictions["country_correct"].to_numpy(bool),
            city_correct=predictions["city_correct"].to_numpy(bool),
            country_reachable=predictions["country_reachable"].to_numpy(bool),
            city_reachable=predictions["city_reachable"].to_numpy(bool),
            readable=(predictions["status"] == "ok").to_numpy(),
            true_country=true_country,
            true_continent=_texts(predictions["true_continent"]),
            predicted_country=predicted_country,
            country_probability=predictions["country_probability"].to_numpy(np.float64),
            distance_km=predictions["distance_km"].to_numpy(np.float64),
            nearest_candidate_km=predictions["nearest_candidate_km"].to_numpy(np.float64),
            has_coordinates=(predictions["coordinate_source"] != "none").to_numpy(),
        )
    )
    confusion = neighbour_confusion(true_country, predicted_country, candidate_codes, borders)
    return summary | {"neighbours": confusion}


def _texts(column: "pd.Series[Any]") -> NDArray[np.str_]:
    """A column of few distinct texts as numpy's, "" where there is none."""
    codes, distinct = pd.factorize(column.fillna(""))
    return np.asarray(distinct, dtype=np.str_)[codes]
