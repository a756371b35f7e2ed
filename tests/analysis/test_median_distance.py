"""The median of all chosen images, against a plain one and against groups."""

import math
import statistics

import pytest

from streetclip.analysis import group_accuracy, median_distance


def test_it_is_the_plain_median_with_missing_distances_infinitely_far(world, chosen):
    judged = [row for row in world.chosen(chosen) if row["coordinate_source"] != "none"]
    known = [math.inf if row["distance_km"] is None else row["distance_km"] for row in judged]
    expected = statistics.median(known) if known else math.nan
    assert median_distance(world.table, chosen)[0] == pytest.approx(expected, nan_ok=True)


def test_it_has_the_interval_of_a_single_group(world, chosen):
    overall = group_accuracy(world.table, chosen, "overall")
    found = median_distance(world.table, chosen)
    if overall.empty:
        assert all(map(math.isnan, found))
    else:
        names = ["median_km", "median_low_km", "median_high_km"]
        assert found == pytest.approx(tuple(overall.loc[0, names]), nan_ok=True)
