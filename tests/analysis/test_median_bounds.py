"""The interval of a median from a histogram, against order statistics of the values themselves."""

import math

import numpy as np
import pytest

from streetclip.analysis.medians import median_bounds

EDGES = np.array([1.0, 10.0, 100.0, 1000.0])


def counted(values):
    return np.bincount(np.searchsorted(EDGES, values), minlength=len(EDGES))


@pytest.mark.parametrize("n", [7, 30, 101, 4000])
def test_the_ends_are_order_statistics_rounded_outward_to_edges(n):
    values = np.random.default_rng(n).lognormal(3, 2, n).clip(0.01, 999)
    low, high = median_bounds(counted(values)[None, :], np.array([n]), EDGES)
    ordered, margin = np.sort(values), 1.959964 * math.sqrt(n)
    first, last = math.floor((n - margin) / 2), math.ceil((n + margin) / 2) + 1  # ranks from 1
    below = max([0.0, *EDGES[ordered[first - 1] > EDGES]]) if first >= 1 else 0.0
    above = EDGES[ordered[last - 1] <= EDGES].min() if last <= n else math.inf
    assert (low[0], high[0]) == (below, above)


def test_missing_values_are_infinitely_far():
    counts = np.array([[0, 30, 0, 0]])
    low, high = median_bounds(counts, np.array([100]), EDGES)
    assert (low[0], high[0]) == (math.inf, math.inf)
    low, high = median_bounds(counts, np.array([50]), EDGES)
    assert (low[0], high[0]) == (1.0, math.inf)


def test_one_value_says_nothing_and_none_is_no_number():
    low, high = median_bounds(np.array([[0, 0, 1, 0], [0, 0, 0, 0]]), np.array([1, 0]), EDGES)
    assert (low[0], high[0]) == (0.0, math.inf)
    assert np.isnan([low[1], high[1]]).all()


def test_19_of_20_intervals_hold_the_true_median():
    rng = np.random.default_rng(3)
    edges = np.linspace(0.02, 4, 200)
    samples = rng.random((1500, 61)) * 4
    counts = np.stack([np.histogram(each, [0, *edges])[0] for each in samples])
    low, high = median_bounds(counts, np.full(1500, 61), edges)
    assert ((low <= 2) & (high >= 2)).mean() > 0.95
