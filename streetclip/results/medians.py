"""Exact medians of many groups, from a histogram and the few values that it leaves in question."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streetclip.metrics.intervals import median_ranks

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Values = Callable[[NDArray[np.bool_]], Iterable[tuple[Int64, Float64]]]

_MOST_VALUES: Final = 2**21  # held at a time, 16 MiB and their groups as much


def group_medians(counts_GB: Int64, n: Int64, values: Values) -> Float64:
    """Take the median of each group with its 95 % interval; missing values count as infinite.

    The same as `metrics.intervals.median_with_interval` of each group. The histogram says in which
    bins the wanted ranks are; only the values of those bins are looked at. Legend: G groups, B
    bins, R = 4 ranks (both middle ones, both ends of the interval).

    Args:
        counts_GB: How many values each group has in each bin; bins ascend.
        n: Size of each group, missing values included.
        values: Called with the bins that matter, G × B booleans, once or more often; gives the
            group and the value of everything in them, in any portions.

    Returns:
        G × 3: median, lower and upper end. Infinite where a missing value has the rank; the ends
        0 and infinite where a group is too small for an interval; NaN for an empty group.
    """
    rank_GR = _ranks(n)
    found_GR = np.full(rank_GR.shape, np.inf)
    found_GR[rank_GR < 0] = 0.0
    is_known_GR = (rank_GR >= 0) & (rank_GR < counts_GB.sum(axis=1)[:, None])
    up_to_GB = counts_GB.cumsum(axis=1)
    bin_GR = np.stack([(up_to_GB <= rank[:, None]).sum(axis=1) for rank in rank_GR.T], axis=1)
    matters_GB = np.zeros(counts_GB.shape, dtype=np.bool_)
    group, which = np.nonzero(is_known_GR)
    matters_GB[group, bin_GR[group, which]] = True
    looked_at_GB = np.where(matters_GB, counts_GB, 0)
    for groups in _portions(np.flatnonzero(is_known_GR.any(axis=1)), looked_at_GB.sum(axis=1)):
        chosen = np.zeros(len(n), dtype=np.bool_)
        chosen[groups] = True
        for each, inside in _by_group(values(matters_GB & chosen[:, None])):
            known = is_known_GR[each]
            bins = bin_GR[each, known]
            # The rank among the values looked at: less what lies below in other bins.
            skipped = (up_to_GB[each] - looked_at_GB[each].cumsum())[bins]
            positions = rank_GR[each, known] - skipped
            found_GR[each, known] = np.partition(inside, sorted({*positions.tolist()}))[positions]
    found_GR[n == 0] = np.nan
    middle = (found_GR[:, 0] + found_GR[:, 1]) / 2
    return np.stack([middle, found_GR[:, 2], found_GR[:, 3]], axis=1)


def _ranks(n: Int64) -> Int64:
    """Ranks from 0 of the two middle values and of the ends of the interval, G × 4."""
    sizes, number = np.unique(n, return_inverse=True)
    ends = np.array([median_ranks(int(size)) for size in sizes], dtype=np.int64).reshape(-1, 2)
    return np.concatenate([np.stack([(n - 1) // 2, n // 2], axis=1), ends[number]], axis=1)


def _portions(wanted: Int64, size: Int64) -> Iterator[Int64]:
    """The groups, so many at a time that their values fit."""
    portion = size[wanted].cumsum() // _MOST_VALUES
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
