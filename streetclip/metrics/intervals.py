"""Compute proportions, differences and medians, each with its 95 % interval.

Wilson (1927), J. Amer. Stat. Assoc. 22: the score interval of one proportion. Newcombe (1998),
Stat. Med. 17, 2635–2650, method 10: the difference of paired proportions. David & Nagaraja (2003),
Order Statistics, section 7.1: distribution-free quantile intervals.
"""

import math
import operator
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE: Final = 0.95
"""Coverage aimed at by every interval that is shown."""


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
        """Upper end of the Wilson interval; None for n = 0."""
        return float(wilson_interval(self.successes, self.n)[1]) if self.n else None

    def to_dict(self) -> dict[str, float | int | None]:
        """Return plain values for JSON: value, low, high (None for n = 0), successes, n."""
        names = ("value", "low", "high", "successes", "n")
        return {name: getattr(self, name) for name in names}


def normal_quantile(confidence: float) -> float:
    """Compute the two-sided standard normal quantile: 1.96 for 0.95."""
    if not 0 < confidence < 1:
        msg = f"confidence is {confidence}; expected a number between 0 and 1"
        raise ValueError(msg)
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson_interval(
    successes: ArrayLike, n: ArrayLike, confidence: float = CONFIDENCE
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the Wilson interval of a proportion, without continuity correction.

    The two roots of (p − k/n)² = z² p (1 − p) / n, that is (k + z²/2 ± z √(k (n − k) / n + z²/4)) /
    (n + z²). Shapes broadcast.

    Returns:
        Lower and upper ends, 0 ≤ low ≤ k/n ≤ high ≤ 1; NaN where n = 0. Low is exactly 0 for k = 0,
            high exactly 1 for k = n.

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
    z = normal_quantile(confidence)
    known = np.where(total > 0, total, np.nan)
    share = k / known
    half_width = z * np.sqrt(k * (total - k) / known + z * z / 4)
    low = (k + z * z / 2 - half_width) / (known + z * z)
    high = (k + z * z / 2 + half_width) / (known + z * z)
    # Rounding may carry an end past the value or past 0 and 1, by a last digit.
    return np.clip(low, 0.0, share), np.clip(high, share, 1.0)


def newcombe_paired_interval(
    both: int, only_a: int, only_b: int, neither: int
) -> tuple[float, float, float]:
    """Compare two proportions over the same images: difference and interval.

    Newcombe (1998), method 10: the Wilson intervals of the two proportions are squared and added,
    with the correlation φ of the paired answers, its numerator continuity-corrected when positive.
    The arguments count images by which of A and B have them correct.

    Returns:
        (difference, low, high): share correct by A minus that by B, over all four counts together,
            −1 ≤ low ≤ difference ≤ high ≤ 1; three NaN if all counts are 0.

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


@dataclass(frozen=True, slots=True)
class Median:
    """A median with its 95 % interval; all NaN for no values.

    Attributes:
        value: The middle value, of an even number the mean of the middle two; may be infinite.
        low: Lower end of the interval; 0 where no value can be an end.
        high: Upper end; infinite where no value can be an end.
    """

    value: float
    low: float
    high: float


@lru_cache(maxsize=2**16)
def median_ranks(n: int, confidence: float = CONFIDENCE) -> tuple[int, int]:
    """Find the ranks of the values that enclose the median of a population.

    The k-th smallest and the k-th largest of n values enclose the median with probability 1 − 2 P(B
    < k), B ~ Binomial(n, ½), whatever the distribution (David & Nagaraja 2003, section 7.1). k is
    the largest that keeps the coverage; exact, without random numbers.

    Returns:
        (k − 1, n − k), ranks from 0; (−1, n) where no two values have the coverage, as for n < 6 at
            95 %.

    Examples:
        >>> median_ranks(10), median_ranks(100), median_ranks(5)
        ((1, 8), (39, 60), (-1, 5))
    """
    if n < 0:
        msg = f"n is {n}; expected 0 or more"
        raise ValueError(msg)
    z, tail = normal_quantile(confidence), (1 - confidence) / 2
    # Summed upwards from where less than the rounding error of the sum lies below.
    k = max(0, math.floor(n / 2 - (z + 10) * math.sqrt(n) / 2))
    log_probability = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    probability = math.exp(log_probability - n * math.log(2))  # P(B = k)
    below = 0.0  # P(B < k)
    while below + probability <= tail and k <= n:
        below += probability
        probability *= (n - k) / (k + 1)
        k += 1
    return k - 1, n - k
