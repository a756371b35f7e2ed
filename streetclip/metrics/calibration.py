"""Compute calibration: how well confidence predicts accuracy.

Source: Guo et al. (2017), On Calibration of Modern Neural Networks, ICML, section 2; after Naeini
et al. (2015), AAAI. Bins are of equal width, (low, high], the first one closed at 0.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

NUM_BINS: Final = 15
"""As in the tables of Guo et al. (2017)."""

_ROUNDING: Final = 1e-4  # a sum of float32 probabilities may pass 1, by less than this


class ReliabilityBin(NamedTuple):
    """The images whose confidence falls into (low, high]."""

    low: float
    high: float
    n: int  # images in the bin
    confidence: float | None  # their mean confidence, 0 to 1; None for n = 0
    accuracy: float | None  # share of them that is correct, 0 to 1; None for n = 0


def count_bins(
    confidence: ArrayLike, correct: ArrayLike, num_bins: int = NUM_BINS
) -> NDArray[np.float64]:
    """Count images by bin of confidence: 3 × `num_bins` of images, correct ones, summed confidence.

    Confidences are N probabilities, 0 to 1 (rounding errors up to 1e-4 are cut off); `correct` is N
    booleans. Counts of two parts add up to those of both.
    """
    if num_bins < 1:
        msg = f"num_bins is {num_bins}; expected 1 or more"
        raise ValueError(msg)
    sure, is_correct = _checked(confidence, correct)
    edges = np.linspace(0.0, 1.0, num_bins + 1)
    position = (sure * num_bins).astype(np.int64)  # but for rounding, and edges belong below
    position -= sure <= edges[position]
    position += sure > np.append(edges, np.inf)[position + 1]
    index = np.maximum(position, 0)
    return np.stack(
        [np.bincount(index, each, minlength=num_bins) for each in (None, is_correct, sure)]
    )


def bins_of_counts(counts_3B: NDArray[np.float64]) -> tuple[ReliabilityBin, ...]:
    """Make bins of what `count_bins` counted: ascending, empty ones included.

    Examples:
        >>> counts = count_bins([0.5, 0.75, 1.0], [True, False, True], num_bins=2)
        >>> low, high = bins_of_counts(counts)
        >>> low.n, low.accuracy, high.n, high.confidence
        (1, 1.0, 2, 0.875)
    """
    num_bins = counts_3B.shape[1]
    edges = np.linspace(0.0, 1.0, num_bins + 1)
    n, num_correct, total = counts_3B
    filled = np.maximum(n, 1)
    mean, share = total / filled, num_correct / filled
    return tuple(
        ReliabilityBin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            n=int(n[i]),
            confidence=float(mean[i]) if n[i] else None,
            accuracy=float(share[i]) if n[i] else None,
        )
        for i in range(num_bins)
    )


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float | None:
    """Compute the mean gap Σ n/N |accuracy − confidence|, 0 to 1; None without images.

    Examples:
        >>> bins = bins_of_counts(count_bins([0.9, 0.9, 0.6], [True, False, True], num_bins=10))
        >>> round(expected_calibration_error(bins), 3)  # 2/3 · |0.5 − 0.9| + 1/3 · |1 − 0.6|
        0.4
    """
    total = sum(each.n for each in bins)
    gaps = (
        each.n * abs(each.accuracy - each.confidence)
        for each in bins
        if each.accuracy is not None and each.confidence is not None
    )
    return sum(gaps) / total if total else None


def count_reaching(
    confidence: ArrayLike, correct: ArrayLike, num_steps: int
) -> NDArray[np.float64]:
    """Count the images whose confidence reaches each of the thresholds 0, 1 / num_steps, …, 1.

    Returns 2 × (`num_steps` + 1): images with at least each threshold, and the correct ones of
    them. Counts of two parts add up to those of both.

    Examples:
        >>> count_reaching([0.2, 0.5, 0.9], [False, True, True], 2).tolist()
        [[3.0, 2.0, 0.0], [2.0, 2.0, 0.0]]
    """
    sure, is_correct = _checked(confidence, correct)
    edges = np.arange(num_steps + 1) / num_steps
    highest = (sure * num_steps).astype(np.int64)  # but for rounding
    highest += sure >= np.append(edges, np.inf)[highest + 1]
    highest -= sure < edges[highest]
    size = num_steps + 1
    counts = np.stack([np.bincount(highest, each, minlength=size) for each in (None, is_correct)])
    return counts[:, ::-1].cumsum(axis=1)[:, ::-1]


def _checked(
    confidence: ArrayLike, correct: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cut off rounding errors, refuse anything worse."""
    sure, is_correct = np.asarray(confidence, np.float64), np.asarray(correct)
    if sure.ndim != 1 or sure.shape != is_correct.shape:
        msg = f"confidence has shape {sure.shape}, correct has {is_correct.shape}"
        raise ValueError(msg)
    if sure.size and is_correct.dtype != np.bool_:
        msg = f"correct is an array of {is_correct.dtype}; expected bool"
        raise ValueError(msg)
    if not np.all((sure >= -_ROUNDING) & (sure <= 1 + _ROUNDING)):
        msg = "a confidence is NaN or out of range; expected 0 to 1"
        raise ValueError(msg)
    return np.clip(sure, 0.0, 1.0), is_correct.astype(np.bool_, copy=False)
