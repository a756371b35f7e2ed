"""Proportions, differences and medians, each with its 95 % interval.

Sources:
    Wilson (1927), J. Amer. Stat. Assoc. 22: the score interval of one proportion.
    Newcombe (1998), Stat. Med. 17, 2635–2650, method 10: the difference of paired proportions.
    Efron (1979), Ann. Stat. 7: the bootstrap; Efron (1982), chapter 10: its percentile interval.
    David & Nagaraja (2003), Order Statistics, chapter 2: how order statistics are distributed.
"""

import math
import operator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE: Final = 0.95
"""Coverage aimed at by every interval that is shown."""

NUM_RESAMPLES: Final = 2000
"""Bootstrap resamples; the ends of a 95 % interval then rest on 50 draws each."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """`successes` of `n`, with its Wilson 95 % interval.

    Attributes:
        successes: How many of the n count, 0 to n.
        n: The denominator: everything that was judged, failures included.

    Raises:
        ValueError: `successes` is negative or exceeds `n`.
        TypeError: A count is not an integer.

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

    @classmethod
    def of(cls, successes: NDArray[np.bool_]) -> "Proportion":
        """Count the True entries of a boolean array."""
        return cls(int(np.count_nonzero(successes)), successes.size)

    @property
    def value(self) -> float | None:
        """The share `successes` / `n`, 0 to 1; None for n = 0."""
        return self.successes / self.n if self.n else None

    @property
    def low(self) -> float | None:
        """Lower end of the Wilson 95 % interval; None for n = 0."""
        return float(wilson_interval(self.successes, self.n)[0]) if self.n else None

    @property
    def high(self) -> float | None:
        """Upper end of the Wilson 95 % interval; None for n = 0."""
        return float(wilson_interval(self.successes, self.n)[1]) if self.n else None

    def to_dict(self) -> dict[str, float | int | None]:
        """Plain values for JSON: value, low, high (None for n = 0), successes, n."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "successes": self.successes,
            "n": self.n,
        }


def normal_quantile(confidence: float) -> float:
    """Two-sided standard normal quantile: 1.96 for 0.95.

    Raises:
        ValueError: A confidence not between 0 and 1.
    """
    if not 0 < confidence < 1:
        msg = f"confidence is {confidence}; expected a number between 0 and 1"
        raise ValueError(msg)
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson_interval(
    successes: ArrayLike, n: ArrayLike, confidence: float = CONFIDENCE
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson score interval of a proportion, without continuity correction (Wilson 1927).

    The two roots of (p − k/n)² = z² p (1 − p) / n, that is
    (k + z²/2 ± z √(k (n − k) / n + z²/4)) / (n + z²).

    Args:
        successes: Counts k, any shape that broadcasts with `n`, 0 ≤ k ≤ n.
        n: Denominators, ≥ 0.
        confidence: Coverage aimed at, between 0 and 1.

    Returns:
        Lower and upper ends, 0 ≤ low ≤ k/n ≤ high ≤ 1; NaN where n = 0. Low is exactly 0 for
        k = 0, high exactly 1 for k = n.

    Raises:
        ValueError: A count out of its range, or a confidence not between 0 and 1.

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
    both: int, only_a: int, only_b: int, neither: int, confidence: float = CONFIDENCE
) -> tuple[float, float, float]:
    """Difference of two proportions over the same images, with its interval.

    Newcombe (1998), method 10: the Wilson intervals of the two proportions are squared and added,
    with the correlation φ of the paired answers, its numerator continuity-corrected when positive.

    Args:
        both: Images that A and B both have right.
        only_a: Images that only A has right.
        only_b: Images that only B has right.
        neither: Images that neither has right.
        confidence: Coverage aimed at, between 0 and 1.

    Returns:
        (difference, low, high): share right by A minus share right by B, over all four counts
        together, −1 ≤ low ≤ difference ≤ high ≤ 1; three NaN if all counts are 0.

    Raises:
        ValueError: A count is negative, or a confidence not between 0 and 1.

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
    right = np.array([both + only_a, both + only_b])
    share = right / n
    low, high = wilson_interval(right, n, confidence)
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
    """√(a² − 2φab + b²); never the root of a rounding error below zero."""
    return math.sqrt(max(0.0, side_a**2 - 2 * phi * side_a * side_b + side_b**2))


def _corrected_phi(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Correlation of the paired answers as method 10 takes it; 0 if a margin is empty."""
    n = both + only_a + only_b + neither
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if margins == 0:
        return 0.0
    numerator: float = both * neither - only_a * only_b
    if numerator > 0:
        numerator = max(numerator - n / 2, 0.0)
    return numerator / math.sqrt(margins)


def bootstrap_median_interval(
    values: ArrayLike,
    seed: int,
    num_resamples: int = NUM_RESAMPLES,
    confidence: float = CONFIDENCE,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the median.

    No resample is ever drawn as such. The k-th smallest of n draws with replacement from the sorted
    values x(1) … x(n) has the distribution of x(⌈n·U(k)⌉), U(k) being the k-th smallest of n
    uniform numbers: U(k) ~ Beta(k, n − k + 1), and given it, U(k+1) is the smallest of n − k
    uniform numbers above it (David & Nagaraja 2003, chapter 2). So each resample's median costs
    one or two random numbers, whatever n is, and is distributed exactly as if all n had been drawn.

    Args:
        values: Numbers, any shape; +inf is a value like any other.
        seed: Seed of the draws, ≥ 0; the same seed gives the same interval.
        num_resamples: Resamples, at least 1.
        confidence: Coverage aimed at, between 0 and 1.

    Returns:
        (low, high): order statistics of the resamples' medians (no interpolation), possibly
        infinite where many values are; (NaN, NaN) for no values.

    Raises:
        ValueError: A value is NaN or −inf, or `num_resamples` or `confidence` is out of range.

    Examples:
        >>> bootstrap_median_interval([3.0, 1.0, 2.0], seed=1)
        (1.0, 3.0)
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=None)
    if num_resamples < 1 or not 0 < confidence < 1:
        msg = "expected num_resamples ≥ 1 and a confidence between 0 and 1"
        raise ValueError(msg)
    if ordered.size == 0:
        return math.nan, math.nan
    if np.isnan(ordered[-1]) or np.isneginf(ordered[0]):
        msg = "values hold NaN or −inf; leave those out or replace them by +inf"
        raise ValueError(msg)
    medians = _resampled_medians(ordered, np.random.default_rng(seed), num_resamples)
    tail = (1 - confidence) / 2
    low, high = np.quantile(medians, [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)


def _resampled_medians(
    ordered: NDArray[np.float64], generator: np.random.Generator, num_resamples: int
) -> NDArray[np.float64]:
    """Medians of resamples of sorted values; shape (num_resamples,)."""
    n = ordered.size
    rank = (n + 1) // 2
    uniform = generator.beta(rank, n - rank + 1, size=num_resamples)
    lower = ordered[_drawn_index(uniform, n)]
    if n % 2:
        return lower
    gap = generator.beta(1, n - rank, size=num_resamples)
    upper = ordered[_drawn_index(uniform + (1 - uniform) * gap, n)]
    return np.where(lower == upper, lower, (lower + upper) / 2)


def _drawn_index(uniform: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """Index, 0 to n − 1, of the value that a uniform number draws from n."""
    return np.clip(np.ceil(uniform * n).astype(np.int64) - 1, 0, n - 1)
