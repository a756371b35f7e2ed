"""Compute the body of `metrics.json` of a finished run."""

import math
from collections.abc import Collection
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.metrics.intervals import Proportion
from streetclip.metrics.neighbours import neighbour_confusion
from streetclip.results import RunTable, calibration, country_pairs, group_counts, run_figures

VERSION: Final = 2  # of the definitions of metrics


def measure(table: RunTable, *, candidate_codes: Collection[str]) -> dict[str, Any]:
    """Compute every metric of a finished run as plain JSON values.

    The figures of `results.run_figures`, None where a median is infinite or NaN, and::

        version                              `VERSION` of these definitions
        calibration {ece, n, bins [{low, high, n, confidence, accuracy}]}
            of the predicted country's probability, over the images that have one
        by_continent [{continent, value, low, high, successes, n}]  country accuracy, by name
        neighbours                           from `metrics.neighbours`, over `candidate_codes`

    Raises ValueError if the columns of an image contradict each other.
    """
    _refuse_contradictions(table)
    found = {"version": VERSION} | plain_figures(table, table.done)
    calibrated = calibration(table, table.done)
    found["calibration"] = {
        "ece": calibrated.ece,
        "n": calibrated.n,
        "bins": [each._asdict() for each in calibrated.bins],
    }
    continents = group_counts(table, table.done, "continent").to_dict("records")
    found["by_continent"] = [
        {"continent": row["continent"], **Proportion(row["country_correct"], row["n"]).to_dict()}
        for row in continents
    ]
    pairs = country_pairs(table, table.done)
    codes = zip(pairs["true_country"], pairs["pred_country"], strict=True)
    counts = dict(zip(codes, pairs["n"].tolist(), strict=True))
    borders = {code: country.neighbours for code, country in gazetteer.countries().items()}
    found["neighbours"] = neighbour_confusion(counts, candidate_codes, borders)
    return found


def plain_figures(table: RunTable, mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Compute `results.run_figures` for JSON, None where a median is infinite or NaN."""
    found = run_figures(table, mask)
    median_km = found["distance"]["median_km"]
    found["distance"]["median_km"] = {
        name: value if math.isfinite(value) else None for name, value in median_km.items()
    }
    return found


def _refuse_contradictions(table: RunTable) -> None:
    is_predicted = table.pred_place > 0
    country, city = table.correct("country"), table.correct("city")
    impossible = {
        "country_correct differs from predicted country = true country": country
        != (is_predicted & (table.pred_country == table.true_country)),
        "city correct but country wrong": city & ~country,
        "a distance without a prediction": ~np.isnan(table.column("distance_km")) & ~is_predicted,
    }
    for what, is_impossible in impossible.items():
        if is_impossible.any():
            image_id = int(table.image_ids[np.argmax(is_impossible)])
            msg = f"run {table.run_id}, image {image_id}: {what}"
            raise ValueError(msg)
