"""Compute proportions, differences, means and medians, each with its 95 % interval.

Wilson (1927), J. Amer. Stat. Assoc. 22: the score interval of one proportion. Newcombe (1998),
Stat. Med. 17, method 10: the difference of two proportions, independent (873–890) or paired
(2635–2650). Efron (1979), Ann. Stat. 7: the bootstrap; Efron (1982), chapter 10: its percentile
interval. David & Nagaraja (2003), Order Statistics, section 7.1: distribution-free quantile
intervals.
"""

import math
import operator
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]

CONFIDENCE: Final = 0.95
"""Coverage aimed at by every interval."""

NUM_RESAMPLES: Final = 2000
"""Bootstrap resamples; the ends of a 95 % interval then rest on 50 draws each."""

FEWEST_CLUSTERS: Final = 15
"""For an interval: simulated, of 2 clusters it covered the truth 56 % of times, of 15 94 %."""

_Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)  # 1.96
_TAIL: Final = (1 - CONFIDENCE) / 2


@dataclass(frozen=True, slots=True)
class Proportion:
    """`successes` of `n` (failures included), with its Wilson 95 % interval.

    Examples:
        >>> half = Proportion(5, 10)
        >>> half.value, round(half.low, 3), round(half.high, 3)
        (0.5, 0.237, 0.763)
        >>> Proportion(0, 0).value is None
        True
    """

    successes: int
    n: int

    def __post_init__(self) -> None:
        """Turn numpy integers into plain ones and check the counts."""
        object.__setattr__(self, "successes", operator.index(self.successes))
        object.__setattr__(self, "n", operator.index(self.n))
        if not 0 <= self.successes <= self.n:
            msg = f"{self.successes} successes of {self.n}; expected 0 ≤ successes ≤ n"
            raise ValueError(msg)

    @property
    def value(self) -> float | None:
        """The share `successes` / `n`, 0 to 1; None for n = 0."""
        return self.successes / self.n if self.n else None

    @property
    def low(self) -> float | None:
        """Lower end of the Wilson interval; None for n = 0."""
        return float(wilson_interval(self.successes, self.n)[0]) if self.n else None

    @property
    def high(self) -> float | None:
        """Upper end of it; None for n = 0."""
        return float(wilson_interval(self.successes, self.n)[1]) if self.n else None

    def to_dict(self) -> dict[str, float | int | None]:
        """Return plain values for JSON: value, low, high (None for n = 0), successes, n."""
        names = ("value", "low", "high", "successes", "n")
        return {name: getattr(self, name) for name in names}


def wilson_interval(successes: ArrayLike, n: ArrayLike) -> tuple[Float64, Float64]:
    """Compute the Wilson interval of a proportion, without continuity correction.

    The two roots of (p − k/n)² = z² p (1 − p) / n, that is (k + z²/2 ± z √(k (n − k) / n + z²/4)) /
    (n + z²). Shapes broadcast. Returns both ends, 0 ≤ low ≤ k/n ≤ high ≤ 1, exactly 0 for k = 0 and
    1 for k = n; NaN where n = 0.

    Examples:
        >>> low, high = wilson_interval([0, 81], [10, 263])
        >>> low.round(4).tolist(), high.round(4).tolist()
        ([0.0, 0.2553], [0.2775, 0.3662])
    """
    k = np.asarray(successes, dtype=np.float64)
    total = np.asarray(n, dtype=np.float64)
    if not np.all((k >= 0) & (k <= total)):
        msg = "successes out of range; expected 0 ≤ successes ≤ n everywhere"
        raise ValueError(msg)
    known = np.where(total > 0, total, np.nan)
    share = k / known
    half_width = _Z * np.sqrt(k * (total - k) / known + _Z * _Z / 4)
    low = (k + _Z * _Z / 2 - half_width) / (known + _Z * _Z)
    high = (k + _Z * _Z / 2 + half_width) / (known + _Z * _Z)
    # Rounding may carry an end past the value or past 0 and 1, by a last digit.
    return np.clip(low, 0.0, share), np.clip(high, share, 1.0)


def newcombe_interval(
    successes_a: ArrayLike, n_a: ArrayLike, successes_b: ArrayLike, n_b: ArrayLike
) -> tuple[Float64, Float64, Float64]:
    """Compare two independent proportions: difference and interval (Newcombe 1998, method 10).

    The Wilson intervals of the two proportions are squared and added: the lower end is d − √((p_a −
    low_a)² + (high_b − p_b)²), the upper one likewise. Shapes broadcast. Returns (difference, low,
    high): share of A minus share of B, −1 ≤ low ≤ difference ≤ high ≤ 1; NaN where n is 0.

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


def newcombe_paired_interval(
    both: int, only_a: int, only_b: int, neither: int
) -> tuple[float, float, float]:
    """Compare two proportions over the same images: difference and interval.

    Newcombe (1998), method 10: the Wilson intervals of the two proportions are squared and added,
    with the correlation φ of the paired answers, its numerator continuity-corrected when positive.
    The arguments count images by which of A and B have them correct. Returns (difference, low,
    high): share correct by A minus that by B, over all four counts together, −1 ≤ low ≤ difference
    ≤ high ≤ 1; three NaN if all counts are 0.

    Examples:
        >>> [round(number, 4) for number in newcombe_paired_interval(36, 12, 2, 0)]
        [0.2, 0.0569, 0.3404]
    """
    if min(both, only_a, only_b, neither) < 0:
        msg = f"a count of {both, only_a, only_b, neither} is negative; expected ≥ 0"
        raise ValueError(msg)
    n = both + only_a + only_b + neither
    if n == 0:
        return math.nan, math.nan, math.nan
    correct = np.array([both + only_a, both + only_b])
    share = correct / n
    low, high = wilson_interval(correct, n)
    below_a, below_b = (share - low).tolist()
    above_a, above_b = (high - share).tolist()
    phi = _corrected_phi(both, only_a, only_b, neither)
    difference = (only_a - only_b) / n
    return (
        difference,
        max(-1.0, difference - _square_and_add(below_a, above_b, phi)),
        min(1.0, difference + _square_and_add(above_a, below_b, phi)),
    )


def _square_and_add(side_a: float, side_b: float, phi: float) -> float:
    """Compute √(a² − 2φab + b²), never the root of a rounding error below zero."""
    return math.sqrt(max(0.0, side_a**2 - 2 * phi * side_a * side_b + side_b**2))


def _corrected_phi(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Correlate the paired answers as method 10 does; 0 if a row or column is empty."""
    n = both + only_a + only_b + neither
    product = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if product == 0:
        return 0.0
    numerator: float = both * neither - only_a * only_b
    if numerator > 0:
        numerator = max(numerator - n / 2, 0.0)
    return numerator / math.sqrt(product)


def bootstrap_ratio_difference(counts_33: ArrayLike, *, seed: int) -> tuple[float, float, float]:
    """Compare two ratios over the same images: difference and percentile bootstrap interval.

    For shares whose denominators depend on the answers, such as city accuracy among the images
    whose country is correct. Only the category of an image in A and in B matters, so that
    resampling n images with replacement is one multinomial draw over nine categories.

    `counts_33` are images by what A made of them (rows) and B (columns): 0 not in the denominator,
    1 in it and wrong, 2 in it and correct. Returns (difference, low, high): A's ratio minus B's,
    without resamples of denominator 0; all NaN if a denominator of the counts themselves is 0.

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
    drawn = np.random.default_rng(seed).multinomial(counts.sum(), shares, size=NUM_RESAMPLES)
    differences = _ratio_differences(drawn.reshape(-1, 3, 3))
    low, high = np.nanquantile(differences, [_TAIL, 1 - _TAIL], method="inverted_cdf")
    return difference, float(low), float(high)


def cluster_bootstrap(
    part_C: ArrayLike, whole_C: ArrayLike, *, seed: int
) -> tuple[float, float, float]:
    """Compute a ratio of sums over C clusters, and its percentile bootstrap interval.

    Whole clusters, such as all images of a photographer, are drawn with replacement: images of one
    cluster are alike and say less than as many of different ones (Davison and Hinkley 1997, 3.8).
    Returns (ratio, low, high), the ends NaN for fewer than `FEWEST_CLUSTERS`, of which intervals
    would be far too narrow; all NaN for a whole of 0.

    Examples:
        >>> cluster_bootstrap([5] * 20, [10] * 20, seed=1)
        (0.5, 0.5, 0.5)
    """
    part, whole = (np.asarray(each, dtype=np.float64) for each in (part_C, whole_C))
    ratio = float(_share(part.sum(), whole.sum()))
    if math.isnan(ratio) or len(part) < FEWEST_CLUSTERS:
        return ratio, math.nan, math.nan
    even = np.full(len(part), 1 / len(part))
    drawn = np.random.default_rng(seed).multinomial(len(part), even, size=NUM_RESAMPLES)
    ratios = _share(drawn @ part, drawn @ whole)
    low, high = np.nanquantile(ratios, [_TAIL, 1 - _TAIL], method="inverted_cdf")
    return ratio, float(low), float(high)


def _ratio_differences(counts_33: NDArray[np.int64]) -> Float64:
    """Compute A's ratio minus B's of each table; NaN where a denominator is 0."""
    of_a, of_b = counts_33.sum(axis=-1), counts_33.sum(axis=-2)
    ratio_a, ratio_b = (_share(of[..., 2], of[..., 1] + of[..., 2]) for of in (of_a, of_b))
    return ratio_a - ratio_b


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
    half_width = _Z * math.sqrt(variance / n)
    return mean, mean - half_width, mean + half_width


@dataclass(frozen=True, slots=True)
class Median:
    """A median with its 95 % interval; all NaN for no values."""

    value: float  # the middle one, of an even number the mean of the middle two; may be infinite
    low: float  # 0 where no value can be an end
    high: float  # infinite where no value can be an end


@lru_cache(maxsize=2**16)
def median_ranks(n: int) -> tuple[int, int]:
    """Find the ranks of the values that enclose the median of a population.

    The k-th smallest and the k-th largest of n values enclose the median with probability 1 − 2 P(B
    < k), B ~ Binomial(n, ½), whatever the distribution (David & Nagaraja 2003, section 7.1). k is
    the largest that keeps the coverage; exact, without random numbers. Returns ranks from 0,
    (k − 1, n − k); (−1, n) where no two values have the coverage, for n < 6.

    Examples:
        >>> median_ranks(10), median_ranks(100), median_ranks(5)
        ((1, 8), (39, 60), (-1, 5))
    """
    if n < 0:
        msg = f"n is {n}; expected 0 or more"
        raise ValueError(msg)
    # Summed upwards from where less than the rounding error of the sum lies below.
    k = max(0, math.floor(n / 2 - (_Z + 10) * math.sqrt(n) / 2))
    log_probability = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    probability = math.exp(log_probability - n * math.log(2))  # P(B = k)
    below = 0.0  # P(B < k)
    while below + probability <= _TAIL and k <= n:
        below += probability
        probability *= (n - k) / (k + 1)
        k += 1
    return k - 1, n - k
