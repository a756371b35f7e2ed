"""Whether a confidence of 80 % means right 8 times in 10: reliability bins and ECE.

Source: Guo et al. (2017), On Calibration of Modern Neural Networks, ICML, section 2; after Naeini
et al. (2015), AAAI. Bins are of equal width, (low, high], the first one closed at 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streetclip.metrics.arrays import boolean_array

NUM_BINS: Final = 15
"""As in the tables of Guo et al. (2017)."""

_ROUNDING: Final = 1e-4  # a sum of float32 probabilities may pass 1, by less than this


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The images whose confidence falls into (low, high].

    Attributes:
        low: Lower end of the bin, outside it (0 is inside the first).
        high: Upper end of the bin, inside it.
        n: Images in the bin.
        confidence: Their mean confidence, 0 to 1; None for n = 0.
        accuracy: Share of them that is right, 0 to 1; None for n = 0.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values for JSON."""
        return {
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "confidence": self.confidence,
            "accuracy": self.accuracy,
        }


def reliability_bins(
    confidence: ArrayLike, correct: ArrayLike, num_bins: int = NUM_BINS
) -> tuple[ReliabilityBin, ...]:
    """Sort images into bins of equal width by the confidence of their top prediction.

    Args:
        confidence: N probabilities, 0 to 1 (rounding beyond an end by up to 1e-4 is cut off).
        correct: N booleans: whether that prediction is right.
        num_bins: Bins, at least 1.

    Returns:
        `num_bins` bins in ascending order, empty ones included.

    Raises:
        ValueError: A confidence is NaN or out of range, lengths differ, or `num_bins` < 1.

    Examples:
        >>> low, high = reliability_bins([0.5, 0.75, 1.0], [True, False, True], num_bins=2)
        >>> low.n, low.accuracy, high.n, high.confidence
        (1, 1.0, 2, 0.875)
    """
    right = boolean_array(correct, "correct")
    sure = _checked_confidence(confidence, right.shape)
    if num_bins < 1:
        msg = f"num_bins is {num_bins}; expected 1 or more"
        raise ValueError(msg)
    index = np.maximum(np.searchsorted(bin_edges(num_bins), sure, side="left") - 1, 0)
    return bins_of_counts(
        np.bincount(index, minlength=num_bins),
        np.bincount(index[right], minlength=num_bins),
        np.bincount(index, weights=sure, minlength=num_bins).astype(np.float64),
    )


def bin_edges(num_bins: int = NUM_BINS) -> NDArray[np.float64]:
    """The ends of the bins, 0 to 1, ascending; one more than bins."""
    return np.linspace(0.0, 1.0, num_bins + 1)


def bins_of_counts(
    n: NDArray[np.int64], successes: NDArray[np.int64], confidence_sum: NDArray[np.float64]
) -> tuple[ReliabilityBin, ...]:
    """The bins of images that are counted already.

    Args:
        n: Images of each bin, in ascending order.
        successes: How many of them are right.
        confidence_sum: Sum of their confidences.

    Examples:
        >>> low, high = bins_of_counts(np.array([0, 4]), np.array([0, 3]), np.array([0.0, 3.5]))
        >>> low.accuracy is None, high.low, high.accuracy, high.confidence
        (True, 0.5, 0.75, 0.875)
    """
    edges = bin_edges(len(n))
    filled = np.maximum(n, 1)
    mean_confidence, accuracy = confidence_sum / filled, successes / filled
    return tuple(
        ReliabilityBin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            n=int(n[i]),
            confidence=float(mean_confidence[i]) if n[i] else None,
            accuracy=float(accuracy[i]) if n[i] else None,
        )
        for i in range(len(n))
    )


def _checked_confidence(confidence: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Cut rounding errors off, refuse anything worse."""
    sure = np.asarray(confidence, dtype=np.float64)
    if sure.shape != shape:
        msg = f"confidence has shape {sure.shape}, correct has {shape}"
        raise ValueError(msg)
    if not np.all((sure >= -_ROUNDING) & (sure <= 1 + _ROUNDING)):
        msg = "a confidence is NaN or out of range; expected 0 to 1"
        raise ValueError(msg)
    return np.clip(sure, 0.0, 1.0)


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float | None:
    """Mean gap between confidence and accuracy over the images: Σ n/N |accuracy − confidence|.

    Args:
        bins: Of `reliability_bins`.

    Returns:
        0 (calibrated) to 1; None if the bins hold no image.

    Examples:
        >>> bins = reliability_bins([0.9, 0.9, 0.6], [True, False, True], num_bins=10)
        >>> round(expected_calibration_error(bins), 3)  # 2/3 · |0.5 − 0.9| + 1/3 · |1 − 0.6|
        0.4
    """
    total = sum(each.n for each in bins)
    if total == 0:
        return None
    gaps = (
        each.n * abs(each.accuracy - each.confidence)
        for each in bins
        if each.accuracy is not None and each.confidence is not None
    )
    return sum(gaps) / total
