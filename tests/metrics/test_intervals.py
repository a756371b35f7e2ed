"""Intervals against published tables, scipy and full enumeration."""

import itertools
import json
import math
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare

from streetclip.metrics import intervals
from streetclip.metrics.differences import newcombe_interval
from streetclip.metrics.intervals import (
    Proportion,
    bootstrap_median_interval,
    newcombe_paired_interval,
    wilson_interval,
)
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


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_wilson_equals_scipy(confidence):
    cases = [(0, 1), (1, 1), (0, 7), (3, 7), (7, 7), (50, 1000), (999_999, 1_000_000)]
    successes, n = np.array(cases).T
    low, high = wilson_interval(successes, n, confidence)
    for case, found_low, found_high in zip(cases, low, high, strict=True):
        expected = binomtest(*case).proportion_ci(confidence, method="wilson")
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
    n = np.arange(1, 500)
    for confidence in (0.5, 0.683, 0.9, 0.95, 0.99):
        assert (wilson_interval(0, n, confidence)[0] == 0.0).all()
        assert (wilson_interval(n, n, confidence)[1] == 1.0).all()


def test_wilson_of_nothing_is_nan_and_leaves_the_others_alone():
    low, high = wilson_interval([0, 1], [0, 29])
    assert np.isnan([low[0], high[0]]).all()
    assert low[1] == pytest.approx(0.0061, abs=5e-5)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (1, 0), (math.nan, 5), (0, -1)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match="out of range"):
        wilson_interval([0, successes], [1, n])


@pytest.mark.parametrize("confidence", [0, 1, -0.5, math.nan])
def test_wilson_refuses_a_confidence_outside_0_and_1(confidence):
    with pytest.raises(ValueError, match="confidence"):
        wilson_interval(1, 2, confidence)


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


def test_a_proportion_counts_booleans():
    assert Proportion.of(np.array([True, False, True])) == Proportion(2, 3)
    assert Proportion.of(np.zeros(0, bool)) == Proportion(0, 0)


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


def all_resampled_medians(values):
    """Every resample there is, each exactly once."""
    return [float(np.median(draw)) for draw in itertools.product(values, repeat=len(values))]


@pytest.mark.parametrize("values", [[1, 2], [1, 5, 7], [1, 2, 4, 8], [1, 2, 4, 4, 16]])
def test_resampled_medians_are_distributed_as_full_enumeration_says(values):
    exact = Counter(all_resampled_medians(values))
    total = sum(exact.values())
    drawn = intervals._resampled_medians(
        np.array(values, dtype=float), np.random.default_rng(5), 40_000
    )
    observed = Counter(drawn.tolist())
    assert set(observed) <= set(exact)
    expected = {median: 40_000 * count / total for median, count in exact.items()}
    medians = sorted(expected)
    result = chisquare([observed[m] for m in medians], [expected[m] for m in medians])
    assert result.pvalue > 0.001


@pytest.mark.parametrize("values", [[3, 1, 2], [8, 1, 4, 2], [16, 1, 2, 4, 9]])
@pytest.mark.parametrize("confidence", [0.95, 0.6])
def test_interval_equals_the_percentiles_of_full_enumeration(values, confidence):
    medians = sorted(all_resampled_medians(values))
    tail = (1 - confidence) / 2
    found = bootstrap_median_interval(values, 7, 20_000, confidence)
    assert found[0] == medians[math.ceil(tail * len(medians)) - 1]
    assert found[1] == medians[math.ceil((1 - tail) * len(medians)) - 1]


def test_interval_of_a_large_sample_is_that_of_theory():
    values = np.random.default_rng(2).normal(100, 10, 200_001)
    low, high = bootstrap_median_interval(values, 3, 20_000)
    half_width = 1.959964 * math.sqrt(math.pi / 2) * 10 / math.sqrt(len(values))
    assert low == pytest.approx(np.median(values) - half_width, abs=half_width / 10)
    assert high == pytest.approx(np.median(values) + half_width, abs=half_width / 10)


@few
@given(st.lists(st.floats(0, 20_000) | st.just(math.inf), min_size=1, max_size=40))
def test_interval_contains_the_median_and_stays_within_the_values(values):
    low, high = bootstrap_median_interval(values, 0)
    assert min(values) <= low <= np.median(values) <= high <= max(values)


def test_the_seed_alone_decides():
    values = np.random.default_rng(1).exponential(500, 75)
    assert bootstrap_median_interval(values, 4) == bootstrap_median_interval(values[::-1], 4)
    assert any(
        bootstrap_median_interval(values, 4) != bootstrap_median_interval(values, seed)
        for seed in range(5, 10)
    )


def test_infinite_distances_move_the_upper_end_to_infinity():
    low, high = bootstrap_median_interval([1.0, 2.0, 3.0, np.inf, np.inf], 0)
    assert math.isfinite(low)
    assert math.isinf(high)
    assert bootstrap_median_interval([np.inf] * 4, 0) == (math.inf, math.inf)


def test_one_value_is_its_own_interval_and_none_has_none():
    assert bootstrap_median_interval([7.5], 0) == (7.5, 7.5)
    assert all(math.isnan(end) for end in bootstrap_median_interval([], 0))


def test_a_million_values_need_little_more_than_their_copy():
    values = np.random.default_rng(0).random(1_000_000)
    tracemalloc.start()
    bootstrap_median_interval(values, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * values.nbytes


@pytest.mark.parametrize("stranger", [math.nan, -math.inf])
def test_values_that_have_no_place_in_a_median_are_refused(stranger):
    with pytest.raises(ValueError, match="NaN or −inf"):
        bootstrap_median_interval([1.0, stranger, 2.0], 0)


def test_no_resamples_and_a_silly_confidence_are_refused():
    with pytest.raises(ValueError, match="num_resamples"):
        bootstrap_median_interval([1.0], 0, 0)
    with pytest.raises(ValueError, match="confidence"):
        bootstrap_median_interval([1.0], 0, 10, 1.0)
