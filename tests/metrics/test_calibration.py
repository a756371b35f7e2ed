"""Reliability bins and ECE against hand numbers and a plain loop."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streetclip.metrics.calibration import (
    bins_of_counts,
    count_bins,
    count_reaching,
    expected_calibration_error,
)
from tests.random_search import examples


def reliability_bins(confidence, correct, num_bins=15):
    return bins_of_counts(count_bins(confidence, correct, num_bins))


def plain_bins(confidence, correct, num_bins):
    """Walk over images and bins; membership by comparing with the ends of each bin."""
    edges = np.linspace(0, 1, num_bins + 1).tolist()
    bins = [[] for _ in range(num_bins)]
    for sure, right in zip(confidence, correct, strict=True):
        for i in range(num_bins):
            if edges[i] < sure <= edges[i + 1] or (i == 0 and sure == 0):
                bins[i].append((sure, right))
    return bins


def plain_error(confidence, correct, num_bins):
    error = 0.0
    for images in plain_bins(confidence, correct, num_bins):
        if images:
            mean_confidence = sum(sure for sure, _ in images) / len(images)
            accuracy = sum(right for _, right in images) / len(images)
            error += len(images) / len(confidence) * abs(accuracy - mean_confidence)
    return error


@settings(deadline=None, max_examples=examples(100))
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_bins_and_error_equal_a_plain_loop(images, num_bins):
    confidence, correct = zip(*images, strict=True)
    bins = reliability_bins(confidence, correct, num_bins)
    expected = plain_bins(confidence, correct, num_bins)
    assert [each.n for each in bins] == [len(images) for images in expected]
    assert expected_calibration_error(bins) == pytest.approx(
        plain_error(confidence, correct, num_bins), abs=1e-12
    )


def test_five_images_by_hand():
    confidence = [0.1, 0.55, 0.6, 0.95, 1.0]
    correct = [False, True, False, True, True]
    first, second = reliability_bins(confidence, correct, num_bins=2)
    assert (first.low, first.high, first.n) == (0.0, 0.5, 1)
    assert (first.confidence, first.accuracy) == (0.1, 0.0)
    assert (second.low, second.high, second.n) == (0.5, 1.0, 4)
    assert (second.confidence, second.accuracy) == pytest.approx((0.775, 0.75))
    # 1/5 · 0.1 + 4/5 · 0.025
    assert expected_calibration_error((first, second)) == pytest.approx(0.04)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    edges = np.linspace(0, 1, 16)
    bins = reliability_bins(edges, np.ones(16, bool))
    assert [each.n for each in bins] == [2] + [1] * 14


def test_there_are_15_bins_by_default_and_they_tile_0_to_1():
    bins = reliability_bins([0.5], [True])
    assert len(bins) == 15
    assert (bins[0].low, bins[-1].high) == (0.0, 1.0)
    assert [each.high for each in bins[:-1]] == [each.low for each in bins[1:]]


def test_a_model_that_is_right_as_often_as_it_says_has_no_error():
    confidence = np.repeat([0.2, 0.7], [50, 10])
    correct = np.concatenate([np.arange(50) < 10, np.arange(10) < 7])
    bins = reliability_bins(confidence, correct, num_bins=10)
    assert expected_calibration_error(bins) == pytest.approx(0)


def test_one_that_is_always_sure_and_always_wrong_has_error_1():
    assert expected_calibration_error(reliability_bins([1.0] * 3, [False] * 3)) == 1.0


def test_empty_bins_have_no_confidence_and_no_accuracy():
    bins = reliability_bins([0.9], [True], num_bins=2)
    assert bins[0]._asdict() == {
        "low": 0.0,
        "high": 0.5,
        "n": 0,
        "confidence": None,
        "accuracy": None,
    }


def test_no_images_have_no_error():
    bins = reliability_bins([], [])
    assert len(bins) == 15
    assert expected_calibration_error(bins) is None


def test_what_rounding_carries_past_the_ends_is_cut_off():
    bins = reliability_bins(np.float32([1.00003, -1e-6]), [True, False])
    assert (bins[-1].confidence, bins[0].confidence) == (1.0, 0.0)


@pytest.mark.parametrize("confidence", [1.01, -0.01, math.nan, math.inf, 80])
def test_what_is_no_probability_is_refused(confidence):
    with pytest.raises(ValueError, match="expected 0 to 1"):
        reliability_bins([0.5, confidence], [True, True])


def test_unequal_lengths_and_no_bins_are_refused():
    with pytest.raises(ValueError, match="shape"):
        reliability_bins([0.5, 0.6], [True])
    with pytest.raises(ValueError, match="num_bins"):
        reliability_bins([0.5], [True], 0)


@pytest.mark.parametrize("correct", [[1, 0], [0.5, 1.0]])
def test_answers_that_are_not_booleans_are_refused(correct):
    with pytest.raises(ValueError, match="expected bool"):
        reliability_bins([0.5, 0.6], correct)


CONFIDENCES = arrays(
    np.float64,
    st.integers(1, 40),
    elements=st.one_of(
        st.floats(0, 1), st.floats(0, 1, width=32), st.integers(0, 1000).map(lambda k: k / 1000)
    ),
)


def next_to_edges(num):
    edges = np.linspace(0, 1, num + 1)
    return np.clip(np.concatenate([edges, np.nextafter(edges, 2), np.nextafter(edges, -1)]), 0, 1)


def check_even_bins(values, num):
    """Bins and thresholds are those that a search finds."""
    correct = np.arange(len(values)) % 3 == 0
    index = np.maximum(np.searchsorted(np.linspace(0, 1, num + 1), values, side="left") - 1, 0)
    bins = reliability_bins(values, correct, num)
    assert [each.n for each in bins] == np.bincount(index, minlength=num).tolist()
    n, num_correct = count_reaching(values, correct, num)
    thresholds = np.arange(num + 1) / num
    assert n.tolist() == [np.count_nonzero(values >= each) for each in thresholds]
    assert num_correct.tolist() == [np.count_nonzero(values[correct] >= x) for x in thresholds]


@settings(deadline=None, max_examples=examples(100))
@given(CONFIDENCES, st.sampled_from([1, 2, 15, 1000]))
def test_even_bins_are_found_as_by_search(values, num):
    check_even_bins(values, num)


@pytest.mark.parametrize("num", [15, 1000])
def test_values_next_to_an_edge_fall_on_their_side(num):
    check_even_bins(next_to_edges(num), num)


def test_counts_of_two_parts_add_up_to_those_of_both():
    rng = np.random.default_rng(2)
    confidence, correct = rng.random(101), rng.random(101) < 0.4
    for count in (count_bins, lambda *each: count_reaching(*each, 7)):
        parts = [count(confidence[part], correct[part]) for part in (slice(40), slice(40, None))]
        np.testing.assert_allclose(parts[0] + parts[1], count(confidence, correct), rtol=1e-14)
