"""Intervals against published tables, scipy and full enumeration."""

import json
import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from streetclip.metrics.intervals import (
    Proportion,
    median_ranks,
    newcombe_interval,
    newcombe_paired_interval,
    wilson_interval,
)
from tests.metrics.medians import median_with_interval
from tests.random_search import examples

few = settings(deadline=None, max_examples=examples(100))
COUNTS = st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
SMALL_COUNT = st.integers(0, 60)


# Wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe (1998), Stat. Med. 17, 857-872, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_limits(successes, n, low, high):
    found_low, found_high = wilson_interval(successes, n)
    assert found_low == pytest.approx(low, abs=5e-5)
    assert found_high == pytest.approx(high, abs=5e-5)


def test_wilson_equals_scipy():
    cases = [(0, 1), (1, 1), (0, 7), (3, 7), (7, 7), (50, 1000), (999_999, 1_000_000)]
    successes, n = np.array(cases).T
    low, high = wilson_interval(successes, n)
    for case, found_low, found_high in zip(cases, low, high, strict=True):
        expected = binomtest(*case).proportion_ci(0.95, method="wilson")
        assert found_low == pytest.approx(expected.low, abs=1e-12)
        assert found_high == pytest.approx(expected.high, abs=1e-12)


@few
@given(COUNTS)
def test_wilson_contains_the_value_and_stays_within_0_and_1(counts):
    successes, n = counts
    low, high = wilson_interval(successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert low < high


@few
@given(COUNTS)
def test_wilson_of_the_failures_is_the_mirror_image(counts):
    successes, n = counts
    low, high = wilson_interval(successes, n)
    mirrored_low, mirrored_high = wilson_interval(n - successes, n)
    assert mirrored_low == pytest.approx(1 - high, abs=1e-12)
    assert mirrored_high == pytest.approx(1 - low, abs=1e-12)


@few
@given(st.integers(1, 3000))
def test_wilson_limits_rise_with_the_successes(n):
    low, high = wilson_interval(np.arange(n + 1), n)
    assert (np.diff(low) > 0).all()
    assert (np.diff(high) > 0).all()


@few
@given(COUNTS, st.integers(2, 9))
def test_wilson_narrows_with_more_of_the_same(counts, factor):
    successes, n = counts
    low, high = wilson_interval(successes, n)
    more_low, more_high = wilson_interval(successes * factor, n * factor)
    assert more_high - more_low < high - low


def test_wilson_is_exactly_0_and_1_at_the_ends():
    n = np.arange(1, 5000)
    assert (wilson_interval(0, n)[0] == 0.0).all()
    assert (wilson_interval(n, n)[1] == 1.0).all()


def test_wilson_of_nothing_is_nan_and_leaves_the_others_alone():
    low, high = wilson_interval([0, 1], [0, 29])
    assert np.isnan([low[0], high[0]]).all()
    assert low[1] == pytest.approx(0.0061, abs=5e-5)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (1, 0), (math.nan, 5), (0, -1)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match="out of range"):
        wilson_interval([0, successes], [1, n])


# Proportion


def test_a_proportion_carries_its_counts_value_and_interval():
    found = Proportion(15, 148).to_dict()
    assert list(found) == ["value", "low", "high", "successes", "n"]
    assert found["value"] == pytest.approx(15 / 148)
    assert found["low"] == pytest.approx(0.0624, abs=5e-5)
    assert found["high"] == pytest.approx(0.1605, abs=5e-5)
    assert (found["successes"], found["n"]) == (15, 148)


def test_a_proportion_of_nothing_has_no_value_and_is_json():
    found = Proportion(0, 0).to_dict()
    assert found == {"value": None, "low": None, "high": None, "successes": 0, "n": 0}
    json.dumps(found, allow_nan=False)


def test_a_proportion_of_numpy_integers_is_json():
    json.dumps(Proportion(np.int64(2), np.int32(3)).to_dict(), allow_nan=False)


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 2), (0, -1)])
def test_an_impossible_proportion_is_refused(successes, n):
    with pytest.raises(ValueError, match="expected 0 ≤ successes ≤ n"):
        Proportion(successes, n)


def test_a_share_is_not_taken_for_a_count():
    with pytest.raises(TypeError):
        Proportion(0.5, 2)


# Newcombe


@pytest.mark.parametrize(
    ("counts", "difference", "low", "high"),
    [  # Newcombe (1998), Stat. Med. 17, 2635-2650, method 10
        ((36, 12, 2, 0), 0.2, 0.0569, 0.3404),
        ((18, 12, 2, 18), 0.2, 0.0562, 0.3290),
        ((53, 0, 0, 1), 0.0, -0.0729, 0.0729),
        ((0, 30, 0, 0), 1.0, 0.8395, 1.0),
    ],
)
def test_paired_difference_gives_the_published_limits(counts, difference, low, high):
    found = newcombe_paired_interval(*counts)
    assert found == pytest.approx((difference, low, high), abs=5e-5)


def plain_newcombe(both, only_a, only_b, neither):
    """Method 10 as the paper spells it out, on scipy's Wilson intervals."""
    n = both + only_a + only_b + neither
    p_a, p_b = (both + only_a) / n, (both + only_b) / n
    a = binomtest(both + only_a, n).proportion_ci(method="wilson")
    b = binomtest(both + only_b, n).proportion_ci(method="wilson")
    product = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    surplus = both * neither - only_a * only_b
    if surplus > n / 2:
        surplus -= n / 2
    elif surplus >= 0:
        surplus = 0
    phi = surplus / math.sqrt(product) if product else 0
    down_a, up_b = p_a - a.low, b.high - p_b
    up_a, down_b = a.high - p_a, p_b - b.low
    delta = math.sqrt(down_a**2 - 2 * phi * down_a * up_b + up_b**2)
    epsilon = math.sqrt(up_a**2 - 2 * phi * up_a * down_b + down_b**2)
    return p_a - p_b, p_a - p_b - delta, p_a - p_b + epsilon


@few
@given(SMALL_COUNT, SMALL_COUNT, SMALL_COUNT, SMALL_COUNT)
def test_paired_difference_equals_the_paper_step_by_step(both, only_a, only_b, neither):
    if both + only_a + only_b + neither == 0:
        return
    found = newcombe_paired_interval(both, only_a, only_b, neither)
    assert found == pytest.approx(plain_newcombe(both, only_a, only_b, neither), abs=1e-9)


@pytest.mark.parametrize("counts", [(2, 2, 1, 2), (5, 3, 2, 2), (1, 0, 0, 1)])
def test_a_surplus_below_half_the_images_counts_as_no_correlation(counts):
    # 2·2 − 2·1 = 2 of 7, 5·2 − 3·2 = 4 of 12, 1·1 of 2: the correction by n/2 would turn its sign.
    both, only_a, only_b, _ = counts
    independent = newcombe_interval(both + only_a, sum(counts), both + only_b, sum(counts))
    assert newcombe_paired_interval(*counts) == pytest.approx(independent, abs=1e-12)


@few
@given(SMALL_COUNT, SMALL_COUNT, SMALL_COUNT, SMALL_COUNT)
def test_swapping_the_runs_mirrors_the_difference(both, only_a, only_b, neither):
    if both + only_a + only_b + neither == 0:
        return
    difference, low, high = newcombe_paired_interval(both, only_a, only_b, neither)
    mirrored = newcombe_paired_interval(both, only_b, only_a, neither)
    assert mirrored == pytest.approx((-difference, -high, -low), abs=1e-12)
    assert -1 <= low <= difference <= high <= 1


def test_agreeing_runs_are_told_apart_better_than_independent_ones():
    paired = newcombe_paired_interval(450, 60, 40, 450)
    unpaired = newcombe_paired_interval(255, 255, 235, 255)
    assert paired[0] == pytest.approx(unpaired[0])
    assert paired[2] - paired[1] < (unpaired[2] - unpaired[1]) / 2


def test_a_million_images_overflow_nothing():
    difference, low, high = newcombe_paired_interval(10**9, 2 * 10**6, 10**6, 10**9)
    assert difference == pytest.approx(10**6 / 2.003e9)
    assert low < difference < high
    assert high - low < 1e-5


def test_a_difference_over_no_images_is_nan():
    assert all(math.isnan(number) for number in newcombe_paired_interval(0, 0, 0, 0))


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="negative"):
        newcombe_paired_interval(1, 2, -1, 3)


# Median


def plain_ranks(n):
    """By sums of binomial coefficients, in whole numbers."""
    k = total = 0
    while k <= n and total + math.comb(n, k) <= Fraction(25, 1000) * 2**n:
        total += math.comb(n, k)
        k += 1
    return k - 1, n - k


def test_ranks_are_those_of_exact_binomial_sums():
    for n in [*range(130), 500, 1023]:
        assert median_ranks(n) == plain_ranks(n), n


@pytest.mark.parametrize("n", [1500, 99_999, 10**6, 10**7])
def test_ranks_of_many_values_have_the_coverage_and_no_more(n):
    low, high = median_ranks(n)
    assert low + high == n - 1
    assert binom.cdf(low, n, 0.5) <= 0.025 < binom.cdf(low + 1, n, 0.5)


def test_a_negative_size_has_no_ranks():
    with pytest.raises(ValueError, match="n is -1"):
        median_ranks(-1)


@few
@given(st.lists(st.floats(0, 20_000) | st.sampled_from([1.0, math.inf]), min_size=1, max_size=40))
def test_the_median_and_its_ends_are_values_of_those_ranks(values):
    found, ordered = median_with_interval(values), sorted(values)
    first, last = plain_ranks(len(values))
    assert found.value == statistics.median(values)
    assert found.low == (ordered[first] if first >= 0 else 0.0)
    assert found.high == (ordered[last] if first >= 0 else math.inf)
    assert found.low <= found.value <= found.high


def test_19_of_20_intervals_hold_the_true_median():
    samples = np.random.default_rng(3).random((1500, 61)) * 4
    found = [median_with_interval(each) for each in samples]
    assert 0.95 < np.mean([each.low <= 2 <= each.high for each in found]) < 0.98


def test_an_interval_of_a_large_sample_is_that_of_theory():
    values = np.random.default_rng(2).normal(100, 10, 200_001)
    found = median_with_interval(values)
    half_width = 1.959964 * math.sqrt(math.pi / 2) * 10 / math.sqrt(len(values))
    assert found.low == pytest.approx(found.value - half_width, abs=half_width / 10)
    assert found.high == pytest.approx(found.value + half_width, abs=half_width / 10)


def test_infinite_distances_move_the_upper_end_to_infinity():
    found = median_with_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, *[math.inf] * 5])
    assert (found.value, found.low, found.high) == (6.0, 2.0, math.inf)
    found = median_with_interval([math.inf] * 8)
    assert (found.value, found.low, found.high) == (math.inf,) * 3


def test_no_values_have_no_median():
    found = median_with_interval([])
    assert all(math.isnan(end) for end in (found.value, found.low, found.high))


@pytest.mark.parametrize("stranger", [math.nan, -1.0])
def test_values_that_are_no_distances_are_refused(stranger):
    with pytest.raises(ValueError, match="NaN or negative"):
        median_with_interval([1.0, stranger, 2.0])
