"""Exact medians of many groups, from a histogram and the few values that it leaves in question."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streetclip.metrics.intervals import CONFIDENCE, normal_quantile

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Values = Callable[[NDArray[np.bool_]], Iterable[tuple[Int64, Float64]]]

_MOST_VALUES: Final = 2**21  # held at a time, 16 MiB and their groups as much


def group_medians(counts_GB: Int64, n: Int64, values: Values) -> Float64:
    """Median of each group, where values that are missing count as infinite.

    The histogram says in which bin the median of a group lies; only the values of those bins are
    looked at. Legend: G groups, B bins.

    Args:
        counts_GB: How many values each group has in each bin; bins ascend.
        n: Size of each group, missing values included.
        values: Called with the bins that matter, G × B booleans, once or more often; gives the
            group and the value of everything in them, in any portions.

    Returns:
        G medians: of an even number of values, the mean of the middle two; infinite if a missing
        one is among those; NaN for an empty group.
    """
    found = np.where(n > 0, np.inf, np.nan)
    known = counts_GB.sum(axis=1)
    lower, upper = (n - 1) // 2, n // 2  # ranks from 0, equal where n is odd
    wanted = np.flatnonzero(upper < known)  # else it stays infinite
    up_to_GB = counts_GB.cumsum(axis=1)
    bin_of_lower = (up_to_GB <= lower[:, None]).sum(axis=1)
    bin_of_upper = (up_to_GB <= upper[:, None]).sum(axis=1)
    for groups in _portions(wanted, counts_GB, bin_of_lower, bin_of_upper):
        matters = np.zeros(counts_GB.shape, dtype=np.bool_)
        matters[groups, bin_of_lower[groups]] = True
        matters[groups, bin_of_upper[groups]] = True
        for group, inside in _by_group(values(matters)):
            # Bins between the two are empty: the ranks are next to each other.
            first = bin_of_lower[group]
            below = up_to_GB[group, first] - counts_GB[group, first]
            low, high = int(lower[group] - below), int(upper[group] - below)
            ordered = np.partition(inside, (low, high))
            found[group] = (ordered[low] + ordered[high]) / 2
    return found


def _portions(
    wanted: Int64, counts_GB: Int64, bin_of_lower: Int64, bin_of_upper: Int64
) -> Iterator[Int64]:
    """The groups, so many at a time that their values fit."""
    size = counts_GB[wanted, bin_of_lower[wanted]] + counts_GB[wanted, bin_of_upper[wanted]]
    portion = size.cumsum() // _MOST_VALUES
    for each in np.unique(portion):
        yield wanted[portion == each]


def _by_group(found: Iterable[tuple[Int64, Float64]]) -> Iterator[tuple[int, Float64]]:
    """Each group that occurs, with its values."""
    pieces: list[tuple[Any, Any]] = list(found)
    if not pieces:
        return
    group = np.concatenate([each for each, _ in pieces])
    value = np.concatenate([each for _, each in pieces])
    order = np.argsort(group, kind="stable")
    group, value = group[order], value[order]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(group)], strict=True):
        yield int(group[start]), value[start:stop]


def median_bounds(counts_GB: Int64, n: Int64, edges: Float64) -> tuple[Float64, Float64]:
    """95 % interval of each group's median, from the histogram alone; missing values are infinite.

    The order statistics of ranks (n ∓ 1.96 √n) / 2 enclose the median (David & Nagaraja 2003,
    Order Statistics, section 7.1, normal approximation of the binomial); each is rounded outward
    to an edge of its bin.

    Args:
        counts_GB: How many values each group has in each bin, G × B; bins ascend.
        n: Size of each group, missing values included.
        edges: B upper edges of the bins; the first begins at 0.

    Returns:
        G lower and G upper ends; 0 where the lower rank is before the first value, infinite where
        a rank falls on a missing value or behind the last; NaN for an empty group.

    Examples:
        >>> counts, edges = np.array([[10, 80, 10]]), np.array([1.0, 2.0, 3.0])
        >>> low, high = median_bounds(counts, np.array([100]), edges)
        >>> low.tolist(), high.tolist()
        ([1.0], [2.0])
    """
    half_width = normal_quantile(CONFIDENCE) * np.sqrt(n) / 2
    lower = np.floor(n / 2 - half_width).astype(np.int64) - 1  # ranks from 0
    upper = np.ceil(n / 2 + half_width).astype(np.int64)
    up_to_GB = counts_GB.cumsum(axis=1)
    starts, stops = np.r_[0.0, edges[:-1], np.inf], np.r_[edges, np.inf]
    low = starts[(up_to_GB <= lower[:, None]).sum(axis=1)]
    high = stops[(up_to_GB <= upper[:, None]).sum(axis=1)]
    low = np.where(lower < 0, 0.0, low)
    high = np.where(upper >= n, np.inf, high)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)
