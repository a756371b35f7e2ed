import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streetclip.metrics.calibration import expected_calibration_error, reliability_bins
from streetclip.metrics.intervals import wilson_interval
from streetclip.results import calibration
from streetclip.results.calibration import _num_below
from tests.random_search import examples

JUDGED = {
    "country": ("country_probability", "country_correct"),
    "city": ("city_probability", "city_correct"),
}


def plain(world, mask, level):
    """What is looked at, and (probability, right, country) of those that have a probability."""
    rows = [row for row in world.chosen(mask) if level == "country" or row["country_correct"]]
    sure, right = JUDGED[level]
    known = [
        (row[sure], bool(row[right]), row["true_country"]) for row in rows if row[sure] is not None
    ]
    return len(rows), known


@pytest.mark.parametrize("level", JUDGED)
def test_bins_and_error_are_those_of_metrics(world, chosen, level):
    found = calibration(world.table, chosen, level)
    num_images, known = plain(world, chosen, level)
    bins = reliability_bins([each[0] for each in known], [each[1] for each in known])
    assert (found.num_images, found.n) == (num_images, len(known))
    for one, other in zip(found.bins, bins, strict=True):
        assert (one.low, one.high, one.n, one.accuracy) == (
            other.low,
            other.high,
            other.n,
            other.accuracy,
        )
        assert one.confidence == pytest.approx(other.confidence)
    assert found.ece == pytest.approx(expected_calibration_error(bins))
    if known:
        assert found.accuracy == sum(each[1] for each in known) / len(known)
        assert found.confidence == pytest.approx(sum(each[0] for each in known) / len(known))
    else:
        assert (found.accuracy, found.confidence, found.ece) == (None, None, None)


@pytest.mark.parametrize("level", JUDGED)
def test_coverage_is_that_of_answering_from_each_threshold(world, chosen, level):
    num_images, known = plain(world, chosen, level)
    coverage = calibration(world.table, chosen, level).coverage
    assert {0.0, 0.5, 0.9, 0.995, 1.0} <= set(coverage["threshold"])
    assert coverage["threshold"].is_monotonic_increasing
    for row in coverage.itertuples():
        answered = [right for sure, right, _ in known if sure >= row.threshold]
        assert row.n == len(answered)
        if num_images:
            assert row.coverage == len(answered) / num_images
        else:
            assert math.isnan(row.coverage)
        if answered:
            low, high = wilson_interval(sum(answered), len(answered))
            assert row.value == sum(answered) / len(answered)
            assert (row.low, row.high) == (low, high)
        else:
            assert all(math.isnan(each) for each in (row.value, row.low, row.high))


@pytest.mark.parametrize("level", JUDGED)
def test_countries_are_those_of_a_plain_count(world, chosen, level):
    _, known = plain(world, chosen, level)
    found = calibration(world.table, chosen, level).by_country
    assert found["country"].tolist() == sorted({country for _, _, country in known})
    for row in found.itertuples():
        inside = [(sure, right) for sure, right, country in known if country == row.country]
        right = sum(each[1] for each in inside)
        assert row.n == len(inside)
        assert row.confidence == pytest.approx(sum(each[0] for each in inside) / len(inside))
        assert row.accuracy == right / len(inside)
        assert (row.low, row.high) == wilson_interval(right, len(inside))


def test_a_level_that_there_is_not_is_refused(world):
    with pytest.raises(ValueError, match="level is 'planet'; expected one of country, city"):
        calibration(world.table, world.table.done, "planet")


@settings(deadline=None, max_examples=examples(100))
@given(
    arrays(
        np.float64,
        st.integers(1, 40),
        elements=st.one_of(
            st.floats(0, 1), st.floats(0, 1, width=32), st.integers(0, 1000).map(lambda k: k / 1000)
        ),
    ),
    st.sampled_from([1, 2, 15, 1000]),
)
def test_even_bins_are_found_as_by_search(values, num):
    for edges in (np.linspace(0, 1, num + 1), np.arange(num + 1) / num):
        for included, side in ((True, "right"), (False, "left")):
            found = _num_below(values, edges, included=included)
            assert found.tolist() == np.searchsorted(edges, values, side=side).tolist()


@pytest.mark.parametrize("num", [15, 1000])
def test_values_next_to_an_edge_fall_on_their_side(num):
    edges = np.linspace(0, 1, num + 1)
    values = np.clip(np.concatenate([edges, np.nextafter(edges, 2), np.nextafter(edges, -1)]), 0, 1)
    for included, side in ((True, "right"), (False, "left")):
        found = _num_below(values, edges, included=included)
        assert found.tolist() == np.searchsorted(edges, values, side=side).tolist()
