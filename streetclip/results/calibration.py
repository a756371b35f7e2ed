"""Compare a run's confidence with its accuracy, and coverage at each threshold."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.metrics.calibration import (
    NUM_BINS,
    ReliabilityBin,
    bins_of_counts,
    count_bins,
    count_reaching,
    expected_calibration_error,
)
from streetclip.metrics.intervals import wilson_interval
from streetclip.results.run_table import Bool, RunTable, check_known, selected_rows

_NUM_STEPS: Final = 1000  # thresholds are thousandths
_SHOWN_STEPS: Final = [*range(0, 990, 10), *range(990, 1001)]  # most models are very sure


@dataclass(frozen=True)
class Calibration:
    """Confidence against accuracy.

    Attributes:
        num_images: Selected images with a prediction; at the city level, those of them whose
            country is correct.
        n: How many of them have a probability; the others could not be read.
        confidence: Mean probability of the n; like accuracy and ece, None for n = 0.
        accuracy: Share of the n that is correct.
        ece: Expected calibration error.
        bins: Reliability bins, as `metrics.calibration.bins_of_counts`.
        coverage: If only images with at least a threshold of confidence are answered: threshold (0
            to 1 by hundredths, above 0.99 by thousandths), n (answered), coverage (their share of
            num_images), value, low, high (share correct, with its Wilson 95 % interval; NaN for 0).
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

    At the level "country" it is the predicted country's probability; at "city" the predicted city's
    among the cities of its country, over the images whose country is correct.
    """
    check_known("level", level, ("country", "city"))
    mask = table.with_prediction(mask)
    if level == "city":
        mask = mask & table.correct("country")
    probability, is_correct = table.column(f"{level}_probability"), table.correct(level)
    size = len(table.codes)
    counts_3B = np.zeros((3, NUM_BINS))
    reaching_2S = np.zeros((2, _NUM_STEPS + 1))
    counts_3C = np.zeros((3, size))
    for rows in selected_rows(mask & ~np.isnan(probability)):
        confidence, answers = probability[rows].astype(np.float64), is_correct[rows]
        counts_3B += count_bins(confidence, answers)
        reaching_2S += count_reaching(confidence, answers, _NUM_STEPS)
        country = table.true_country[rows].astype(np.int64)
        # A sum of float32 may pass 1, by a last digit.
        weights = (None, answers, np.minimum(confidence, 1.0))
        counts_3C += [np.bincount(country, each, minlength=size) for each in weights]
    n, num_correct = counts_3B[:2].sum(axis=1).astype(np.int64).tolist()
    bins = bins_of_counts(counts_3B)
    found = counts_3C[0] > 0
    n_C, correct_C, confidence_C = counts_3C[:, found]
    by_country = pd.DataFrame(
        {
            "country": np.array(table.codes, dtype=object)[found],
            "n": n_C.astype(np.int64),
            "confidence": confidence_C / n_C,
            "accuracy": correct_C / n_C,
        }
    )
    by_country["low"], by_country["high"] = wilson_interval(correct_C, n_C)
    num_images = int(np.count_nonzero(mask))
    return Calibration(
        num_images=num_images,
        n=n,
        confidence=float(counts_3B[2].sum()) / n if n else None,
        accuracy=num_correct / n if n else None,
        ece=expected_calibration_error(bins),
        bins=bins,
        coverage=_coverage(reaching_2S, num_images),
        by_country=by_country,
    )


def _coverage(reaching_2S: NDArray[np.float64], num_images: int) -> pd.DataFrame:
    n, num_correct = reaching_2S[:, _SHOWN_STEPS].astype(np.int64)
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
