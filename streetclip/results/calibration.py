"""Compare a run's confidence with its accuracy, and what it would gain by staying silent."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from streetclip.errors import shown
from streetclip.metrics.calibration import (
    ReliabilityBin,
    count_reaching,
    expected_calibration_error,
    reliability_bins,
)
from streetclip.metrics.intervals import wilson_interval
from streetclip.results.run_table import Bool, RunTable

_LEVELS: Final = ("country", "city")
_NUM_STEPS: Final = 1000  # thresholds are thousandths
_SHOWN_STEPS: Final = [*range(0, 990, 10), *range(990, 1001)]  # most models are very sure


@dataclass(frozen=True)
class Calibration:
    """Confidence against accuracy.

    Attributes:
        num_images: Selected images with a prediction; at the city level, those of them whose
            country is correct.
        n: How many of them have a probability; the others could not be read.
        confidence: Mean probability of the n; None for n = 0.
        accuracy: Share of the n that is correct; None for n = 0.
        ece: Expected calibration error; None for n = 0.
        bins: Reliability bins, as `metrics.calibration.reliability_bins`.
        coverage: What happens if only images with at least a threshold of confidence are
            answered: threshold (0 to 1 by hundredths, above 0.99 by thousandths), n (answered),
            coverage (their share of num_images), value, low, high (share of them that is correct,
            with its Wilson 95 % interval; NaN where none is answered).
        by_country: By true country that has an image with a probability: country, n, confidence,
            accuracy, low, high (Wilson 95 %).
    """

    num_images: int
    n: int
    confidence: float | None
    accuracy: float | None
    ece: float | None
    bins: tuple[ReliabilityBin, ...]
    coverage: pd.DataFrame
    by_country: pd.DataFrame


def calibration(table: RunTable, mask: Bool, level: str = "country") -> Calibration:
    """Compare the probabilities of a run with its accuracy.

    At the level "country" it is the predicted country's probability; at "city" the predicted
    city's among the cities of its country, over the images whose country is correct.

    Raises:
        ValueError: There is no such level.
    """
    if level not in _LEVELS:
        msg = f"level is {shown(level)}; expected one of {', '.join(_LEVELS)}"
        raise ValueError(msg)
    mask = table.with_prediction(mask)
    if level == "city":
        mask = mask & table.correct("country")
    probability = table.column(f"{level}_probability")
    rows = np.flatnonzero(mask & ~np.isnan(probability))
    confidence = probability[rows].astype(np.float64)
    is_correct = table.correct(level)[rows]
    bins = reliability_bins(confidence, is_correct)
    confidence = np.minimum(confidence, 1.0)  # a sum of float32 may pass 1, by a last digit
    n, num_correct = len(confidence), int(np.count_nonzero(is_correct))

    country = table.true_country[rows]
    n_C = np.bincount(country, minlength=len(table.codes))
    correct_C = np.bincount(country[is_correct], minlength=len(table.codes))
    confidence_C = np.bincount(country, weights=confidence, minlength=len(table.codes))
    by_country = pd.DataFrame(
        {"country": table.codes, "n": n_C, "confidence": confidence_C, "accuracy": correct_C}
    )
    by_country["low"], by_country["high"] = wilson_interval(correct_C, n_C)
    by_country = by_country[n_C > 0].reset_index(drop=True)
    for name in ("confidence", "accuracy"):
        by_country[name] /= by_country["n"]
    num_images = int(np.count_nonzero(mask))
    return Calibration(
        num_images=num_images,
        n=n,
        confidence=float(confidence.sum()) / n if n else None,
        accuracy=num_correct / n if n else None,
        ece=expected_calibration_error(bins),
        bins=bins,
        coverage=_coverage(*count_reaching(confidence, is_correct, _NUM_STEPS), num_images),
        by_country=by_country,
    )


def _coverage(n: np.ndarray, num_correct: np.ndarray, num_images: int) -> pd.DataFrame:
    n, num_correct = n[_SHOWN_STEPS], num_correct[_SHOWN_STEPS]
    low, high = wilson_interval(num_correct, n)
    return pd.DataFrame(
        {
            "threshold": np.array(_SHOWN_STEPS) / _NUM_STEPS,
            "n": n,
            "coverage": n / (num_images or np.nan),
            "value": num_correct / np.where(n > 0, n, np.nan),
            "low": low,
            "high": high,
        }
    )
