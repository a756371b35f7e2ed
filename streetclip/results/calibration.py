"""Whether a run is as sure as it is right, and what it would gain by staying silent."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.errors import shown
from streetclip.metrics.calibration import (
    NUM_BINS,
    ReliabilityBin,
    bin_edges,
    bins_of_counts,
    expected_calibration_error,
)
from streetclip.metrics.intervals import wilson_interval
from streetclip.results.blocks import selected_rows
from streetclip.results.run_table import RunTable
from streetclip.store import Flag

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

LEVELS: Final = {
    "country": ("country_probability", Flag.COUNTRY_CORRECT),
    "city": ("city_probability", Flag.CITY_CORRECT),
}
"""Level → the column of its probability, and what says that it is right."""

_NUM_STEPS: Final = 1000  # thresholds are thousandths
_SHOWN_STEPS: Final = (*range(0, 990, 10), *range(990, 1001))  # most models are very sure


@dataclass(frozen=True)
class Calibration:
    """Confidence against accuracy.

    Attributes:
        num_images: Images that were looked at: all selected ones; at the city level, those of
            them whose country is right.
        n: How many of them have a probability; the others could not be read.
        confidence: Mean probability of the n; None for n = 0.
        accuracy: Share of the n that is right; None for n = 0.
        ece: Expected calibration error; None for n = 0.
        bins: Reliability bins, as `metrics.calibration.reliability_bins`.
        coverage: What happens if only images with at least a threshold of confidence are
            answered: threshold (0 to 1 by hundredths, above 0.99 by thousandths), n (answered),
            coverage (their share of num_images), value, low, high (share of them that is right,
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


def calibration(table: RunTable, mask: NDArray[np.bool_], level: str = "country") -> Calibration:
    """Judge the probabilities of a run.

    Args:
        table: The run.
        mask: N booleans: which images to look at; those without a prediction are left out.
        level: "country": the predicted country's probability; "city": the predicted city's among
            the cities of its country, judged where that country is right.

    Raises:
        ValueError: There is no such level.
    """
    if level not in LEVELS:
        msg = f"level is {shown(level)}; expected one of {', '.join(LEVELS)}"
        raise ValueError(msg)
    counts = _Counts(table, mask, level)
    n, right = int(counts.of_bin[0].sum()), int(counts.of_bin[1].sum())
    bins = bins_of_counts(counts.of_bin[0], counts.of_bin[1], counts.confidence_of_bin)
    return Calibration(
        num_images=counts.num_images,
        n=n,
        confidence=float(counts.confidence_of_bin.sum()) / n if n else None,
        accuracy=right / n if n else None,
        ece=expected_calibration_error(bins),
        bins=bins,
        coverage=_coverage(counts.of_step, counts.num_images),
        by_country=_by_country(table.codes, counts.of_country, counts.confidence_of_country),
    )


class _Counts:
    """Images (row 0) and right ones (row 1) by bin, by threshold reached, and by true country."""

    def __init__(self, table: RunTable, mask: NDArray[np.bool_], level: str) -> None:
        self.num_images = 0
        self.of_bin = np.zeros((2, NUM_BINS), dtype=np.int64)
        self.of_step = np.zeros((2, _NUM_STEPS + 1), dtype=np.int64)
        self.of_country = np.zeros((2, len(table.codes)), dtype=np.int64)
        self.confidence_of_bin = np.zeros(NUM_BINS)
        self.confidence_of_country = np.zeros(len(table.codes))
        edges = bin_edges()
        steps = np.arange(_NUM_STEPS + 1) / _NUM_STEPS
        for num_images, sure, right, country in _judged(table, mask, level):
            self.num_images += num_images
            in_bin = _num_below(sure, edges, included=False) - 1
            in_bin = np.maximum(in_bin, 0)
            reached = _num_below(sure, steps, included=True) - 1
            for counts, index in (
                (self.of_bin, in_bin),
                (self.of_step, reached),
                (self.of_country, country),
            ):
                np.add.at(counts[0], index, 1)
                np.add.at(counts[1], index[right], 1)
            np.add.at(self.confidence_of_bin, in_bin, sure)
            np.add.at(self.confidence_of_country, country, sure)


def _judged(
    table: RunTable, mask: NDArray[np.bool_], level: str
) -> Iterator[tuple[int, Float64, Int64, Int64]]:
    """Of each block: images, confidences, positions of the right ones, true countries."""
    name, flag = LEVELS[level]
    flags, probability = table.load("flags", name)
    for rows in selected_rows(table.judged(mask)):
        bits, sure = flags[rows], probability[rows].astype(np.float64)
        known = ~np.isnan(sure)
        num_images = len(bits)
        if level == "city":
            inside = (bits & Flag.COUNTRY_CORRECT) != 0
            num_images = int(np.count_nonzero(inside))
            known &= inside
        chosen = np.flatnonzero(known)
        right = np.flatnonzero((bits[chosen] & flag) != 0)
        country = table.true_country[rows][chosen].astype(np.int64)
        # A sum of float32 probabilities may pass 1, by a last digit.
        yield num_images, np.clip(sure[chosen], 0.0, 1.0), right, country


def _num_below(values: Float64, edges: Float64, *, included: bool) -> Int64:
    """How many edges are below each value, or at it: `np.searchsorted`, for even edges 0 to 1."""
    num = len(edges) - 1
    index = (values * num).astype(np.int64)  # right but for rounding: one too high or too low
    padded = np.append(edges, np.inf)
    if included:
        index += padded[index + 1] <= values
        index -= edges[index] > values
    else:
        index += padded[index + 1] < values
        index -= edges[index] >= values
    return index + 1


def _coverage(counts_2T: Int64, num_images: int) -> pd.DataFrame:
    """From how many reach each threshold as their highest, to how many reach it."""
    answered, right = counts_2T[:, ::-1].cumsum(axis=1)[:, ::-1][:, list(_SHOWN_STEPS)]
    low, high = wilson_interval(right, answered)
    return pd.DataFrame(
        {
            "threshold": np.array(_SHOWN_STEPS) / _NUM_STEPS,
            "n": answered,
            "coverage": answered / (num_images or np.nan),
            "value": right / np.where(answered > 0, answered, np.nan),
            "low": low,
            "high": high,
        }
    )


def _by_country(codes: tuple[str, ...], counts_2C: Int64, confidence_C: Float64) -> pd.DataFrame:
    found = np.flatnonzero(counts_2C[0])
    n, right = counts_2C[:, found]
    low, high = wilson_interval(right, n)
    columns: dict[str, Any] = {
        "country": np.array(codes, dtype=object)[found],
        "n": n,
        "confidence": confidence_C[found] / n,
        "accuracy": right / n,
        "low": low,
        "high": high,
    }
    return pd.DataFrame(columns)
