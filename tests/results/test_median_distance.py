"""The median of all chosen images, against one of plain values and against groups."""

import math

import pytest

from streetclip.metrics.intervals import median_with_interval
from streetclip.results import group_accuracy, median_distance


def test_it_is_the_median_with_missing_distances_infinitely_far(world, chosen):
    judged = [row for row in world.chosen(chosen) if row["coordinate_source"] != "none"]
    known = [math.inf if row["distance_km"] is None else row["distance_km"] for row in judged]
    found, expected = median_distance(world.table, chosen), median_with_interval(known)
    ends = (found.value, found.low, found.high)
    assert ends == pytest.approx((expected.value, expected.low, expected.high), nan_ok=True, rel=0)


def test_it_is_that_of_a_single_group(world, chosen):
    overall = group_accuracy(world.table, chosen, "overall")
    found = median_distance(world.table, chosen)
    ends = (found.value, found.low, found.high)
    if overall.empty:
        assert all(map(math.isnan, ends))
    else:
        names = ["median_km", "median_low_km", "median_high_km"]
        assert ends == pytest.approx(tuple(overall.loc[0, names]), nan_ok=True, rel=0)
