"""Compute the median and its interval of few values, to compare the grouped medians with."""

import math

import numpy as np
from numpy.typing import ArrayLike

from streetclip.metrics.intervals import Median, median_ranks


def median_with_interval(values: ArrayLike) -> Median:
    """Compute the median of N numbers ≥ 0 and its 95 % interval by `median_ranks`.

    +inf is a value like any other.

    Examples:
        >>> median_with_interval([5.0, 1.0, 2.0, 3.0, 4.0, 6.0])
        Median(value=3.5, low=1.0, high=6.0)
        >>> median_with_interval([2.0])
        Median(value=2.0, low=0.0, high=inf)
    """
    array = np.asarray(values, dtype=np.float64)
    if not np.all(array >= 0):
        msg = "a value is NaN or negative; leave it out or replace it by +inf"
        raise ValueError(msg)
    n = array.size
    if n == 0:
        return Median(math.nan, math.nan, math.nan)
    first, last = median_ranks(n)
    middle = (n - 1) // 2, n // 2
    ordered = np.partition(array, sorted({max(first, 0), *middle, min(last, n - 1)}))
    return Median(
        value=float((ordered[middle[0]] + ordered[middle[1]]) / 2),
        low=float(ordered[first]) if first >= 0 else 0.0,
        high=float(ordered[last]) if last < n else math.inf,
    )
