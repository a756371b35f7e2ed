"""Compute differences of two shares or two means, each with its 95 % interval.

Newcombe (1998), Stat. Med. 17, 873–890, method 10: two independent proportions. Efron (1979), Ann.
Stat. 7: the bootstrap; Efron (1982), chapter 10: its percentile interval. Paired proportions are in
`intervals.newcombe_paired_interval`.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streetclip.metrics.intervals import CONFIDENCE, normal_quantile, wilson_interval

Float64 = NDArray[np.float64]

NUM_RESAMPLES: Final = 2000
"""Bootstrap resamples; the ends of a 95 % interval then rest on 50 draws each."""


def newcombe_interval(
    successes_a: ArrayLike,
    n_a: ArrayLike,
    successes_b: ArrayLike,
    n_b: ArrayLike,
) -> tuple[Float64, Float64, Float64]:
    """Compare two independent proportions: difference and interval (Newcombe 1998, method 10).

    The Wilson intervals of the two proportions are squared and added: the lower end is d − √((p_a −
    low_a)² + (high_b − p_b)²), the upper one likewise. Shapes broadcast.

    Returns:
        (difference, low, high): share of A minus share of B, −1 ≤ low ≤ difference ≤ high ≤ 1; NaN
            where a denominator is 0.

    Examples:
        >>> [round(float(end), 4) for end in newcombe_interval(56, 70, 48, 80)]
        [0.2, 0.0524, 0.3339]
    """
    low_a, high_a = wilson_interval(successes_a, n_a)
    low_b, high_b = wilson_interval(successes_b, n_b)
    share_a, share_b = _share(successes_a, n_a), _share(successes_b, n_b)
    difference = share_a - share_b
    low = difference - np.hypot(share_a - low_a, high_b - share_b)
    high = difference + np.hypot(high_a - share_a, share_b - low_b)
    return difference, np.maximum(low, -1.0), np.minimum(high, 1.0)


def _share(successes: ArrayLike, n: ArrayLike) -> Float64:
    total = np.asarray(n, dtype=np.float64)
    share: Float64 = np.asarray(successes, dtype=np.float64) / np.where(total > 0, total, np.nan)
    return share


def mean_interval(total: float, total_of_squares: float, n: int) -> tuple[float, float, float]:
    """Compute the mean of n values from two sums, and its interval: mean ± z · s / √n.

    s has n − 1 degrees of freedom. For the mean of paired differences, n in the hundreds. Returns
    (mean, low, high); all NaN for n = 0, the ends NaN for n = 1.

    Examples:
        >>> [round(end, 3) for end in mean_interval(6.0, 14.0, 3)]  # of 1, 2, 3
        [2.0, 0.868, 3.132]
    """
    if n < 0 or total_of_squares < 0:
        msg = f"n is {n}, total_of_squares {total_of_squares}; expected 0 or more of both"
        raise ValueError(msg)
    if n == 0:
        return math.nan, math.nan, math.nan
    mean = total / n
    if n == 1:
        return mean, math.nan, math.nan
    variance = max(total_of_squares - n * mean**2, 0.0) / (n - 1)  # rounding may go below zero
    half_width = normal_quantile(CONFIDENCE) * math.sqrt(variance / n)
    return mean, mean - half_width, mean + half_width


def bootstrap_ratio_difference(
    counts_33: ArrayLike,
    *,
    seed: int,
    num_resamples: int = NUM_RESAMPLES,
) -> tuple[float, float, float]:
    """Compare two ratios over the same images: difference and percentile bootstrap interval.

    For shares whose denominators depend on the answers, such as city accuracy among the images
    whose country is correct. Only the category of an image in A and in B matters, so that
    resampling n images with replacement is one multinomial draw over nine categories.

    Args:
        counts_33: Images by what A made of them (rows) and B (columns): 0 not in the denominator, 1
            in it and wrong, 2 in it and correct.
        seed: Of the draws, ≥ 0.
        num_resamples: At least 1.

    Returns:
        (difference, low, high): A's ratio minus B's, without resamples of denominator 0. All NaN if
            a denominator of the counts themselves is 0.

    Examples:
        >>> bootstrap_ratio_difference([[4, 0, 0], [0, 5, 0], [0, 0, 3]], seed=1)
        (0.0, 0.0, 0.0)
    """
    counts = np.asarray(counts_33, dtype=np.int64)
    if counts.shape != (3, 3) or np.any(counts < 0):
        msg = f"counts are of shape {counts.shape}, the least {counts.min()}; expected 3 × 3, ≥ 0"
        raise ValueError(msg)
    difference = float(_ratio_differences(counts))
    if math.isnan(difference):
        return math.nan, math.nan, math.nan
    shares = counts.ravel() / counts.sum()
    drawn = np.random.default_rng(seed).multinomial(counts.sum(), shares, size=num_resamples)
    differences = _ratio_differences(drawn.reshape(-1, 3, 3))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(differences, [tail, 1 - tail], method="inverted_cdf")
    return difference, float(low), float(high)


def _ratio_differences(counts_33: NDArray[np.int64]) -> Float64:
    """Compute A's ratio minus B's of each table; NaN where a denominator is 0."""
    of_a, of_b = counts_33.sum(axis=-1), counts_33.sum(axis=-2)
    ratio_a, ratio_b = (_share(of[..., 2], of[..., 1] + of[..., 2]) for of in (of_a, of_b))
    return ratio_a - ratio_b
