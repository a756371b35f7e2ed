"""Differences against numbers of the papers, second implementations and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetclip.metrics.intervals import (
    bootstrap_ratio_difference,
    mean_interval,
    newcombe_interval,
    wilson_interval,
)
from tests.random_search import examples

few = settings(deadline=None, max_examples=examples(100))
COUNT = st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("a", "n_a", "b", "n_b", "low", "high"),
    [
        # Newcombe (1998), Stat. Med. 17, table II, method 10.
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (6, 7, 2, 7, 0.0582, 0.8062),
        (5, 56, 0, 29, -0.0381, 0.1926),
        (0, 10, 0, 20, -0.1611, 0.2775),
        (0, 10, 0, 10, -0.2775, 0.2775),
        (10, 10, 0, 20, 0.6791, 1.0),
        (10, 10, 0, 10, 0.6075, 1.0),
    ],
)
def test_independent_differences_are_those_of_the_paper(a, n_a, b, n_b, low, high):
    found = [float(each) for each in newcombe_interval(a, n_a, b, n_b)]
    assert found[0] == pytest.approx(a / n_a - b / n_b)
    assert found[1:] == pytest.approx([low, high], abs=5e-5)


@few
@given(COUNT, COUNT)
def test_an_independent_difference_lies_in_its_interval(one, other):
    difference, low, high = (float(each) for each in newcombe_interval(*one, *other))
    if one[1] == 0 or other[1] == 0:
        assert all(math.isnan(each) for each in (difference, low, high))
        return
    assert -1 <= low <= difference <= high <= 1
    low_a, high_a = wilson_interval(*one)
    low_b, high_b = wilson_interval(*other)
    share_a, share_b = one[0] / one[1], other[0] / other[1]
    below = math.sqrt((share_a - low_a) ** 2 + (high_b - share_b) ** 2)
    above = math.sqrt((high_a - share_a) ** 2 + (share_b - low_b) ** 2)
    assert low == pytest.approx(max(-1, share_a - share_b - below))
    assert high == pytest.approx(min(1, share_a - share_b + above))


def test_independent_differences_of_arrays_are_those_of_each():
    a, n_a, b, n_b = [1, 2, 0], [4, 5, 0], [3, 0, 1], [7, 9, 2]
    together = np.array(newcombe_interval(a, n_a, b, n_b))
    one_by_one = [newcombe_interval(*each) for each in zip(a, n_a, b, n_b, strict=True)]
    np.testing.assert_array_equal(together, np.array(one_by_one, dtype=float).T)


@few
@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40))
def test_a_mean_has_the_interval_of_its_standard_error(values):
    array = np.array(values)
    mean, low, high = mean_interval(array.sum(), float(array @ array), len(values))
    half_width = 1.959963985 * array.std(ddof=1) / math.sqrt(len(values))
    assert mean == pytest.approx(array.mean())
    # The variance comes from a sum of squares, which loses digits where values hardly differ.
    assert [low, high] == pytest.approx([mean - half_width, mean + half_width], abs=1e-3)


def test_equal_values_have_no_width():
    assert mean_interval(0.3, 0.03, 3) == pytest.approx((0.1, 0.1, 0.1))


def test_a_mean_of_one_or_none_has_no_interval():
    assert all(math.isnan(each) for each in mean_interval(0.0, 0.0, 0))
    mean, low, high = mean_interval(2.0, 4.0, 1)
    assert mean == 2
    assert math.isnan(low)
    assert math.isnan(high)


def test_a_mean_of_a_negative_number_of_values_is_refused():
    with pytest.raises(ValueError, match="n is -1"):
        mean_interval(0.0, 0.0, -1)


def resampled(counts_33, num_resamples, seed):
    """Draw images one by one, with replacement."""
    rng = np.random.default_rng(seed)
    images = [(a, b) for a in range(3) for b in range(3) for _ in range(counts_33[a][b])]
    for _ in range(num_resamples):
        drawn = [images[i] for i in rng.integers(0, len(images), len(images))]
        ratios = [
            sum(each[side] == 2 for each in drawn) / sum(each[side] > 0 for each in drawn)
            for side in (0, 1)
        ]
        yield ratios[0] - ratios[1]


COUNTS = [[5, 8, 4], [3, 30, 12], [2, 6, 50]]


def test_a_ratio_difference_is_that_of_its_counts():
    value, low, high = bootstrap_ratio_difference(COUNTS, seed=3)
    assert value == pytest.approx(58 / 103 - 66 / 110)
    assert low < value < high


def test_a_ratio_difference_has_the_interval_of_resampled_images(monkeypatch):
    monkeypatch.setattr("streetclip.metrics.intervals.NUM_RESAMPLES", 20_000)
    _, low, high = bootstrap_ratio_difference(COUNTS, seed=3)
    plain = np.quantile(list(resampled(COUNTS, 4000, seed=5)), [0.025, 0.975])
    assert [low, high] == pytest.approx(plain.tolist(), abs=0.008)


def test_the_same_seed_gives_the_same_interval():
    assert bootstrap_ratio_difference(COUNTS, seed=3) == bootstrap_ratio_difference(COUNTS, seed=3)
    assert bootstrap_ratio_difference(COUNTS, seed=3) != bootstrap_ratio_difference(COUNTS, seed=4)


def test_without_a_denominator_there_is_no_ratio():
    nothing_of_b = [[4, 0, 0], [7, 0, 0], [9, 0, 0]]
    assert all(math.isnan(each) for each in bootstrap_ratio_difference(nothing_of_b, seed=1))
    nothing = np.zeros((3, 3), dtype=int)
    assert all(math.isnan(each) for each in bootstrap_ratio_difference(nothing, seed=1))


def test_resamples_without_a_denominator_are_left_out():
    # B judges one image of ten, which a third of the resamples lack.
    value, low, high = bootstrap_ratio_difference([[0, 0, 0], [4, 0, 0], [5, 0, 1]], seed=1)
    assert value == pytest.approx(0.6 - 1)
    assert -1 <= low <= value <= high <= 0


@pytest.mark.parametrize("counts", [[1, 2, 3], [[0, 0, 0], [0, -1, 0], [0, 0, 0]]])
def test_counts_that_cannot_be_are_refused(counts):
    with pytest.raises(ValueError, match="expected 3 × 3"):
        bootstrap_ratio_difference(counts, seed=1)
