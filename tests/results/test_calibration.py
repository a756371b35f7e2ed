import math

import pytest

from streetclip.metrics.calibration import bins_of_counts, count_bins, expected_calibration_error
from streetclip.metrics.intervals import wilson_interval
from streetclip.results import calibration

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
    bins = bins_of_counts(count_bins([each[0] for each in known], [each[1] for each in known]))
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
