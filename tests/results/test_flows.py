import math
from collections import defaultdict

import numpy as np
import pytest

from streetclip.results import flows
from tests.results.conftest import make_table


def plain_flows(rows):
    """(true, predicted) → rows, the most frequent first."""
    grouped = defaultdict(list)
    for row in rows:
        if row["pred_country"] and row["pred_country"] != row["true_country"]:
            grouped[row["true_country"], row["pred_country"]].append(row)
    return sorted(grouped.items(), key=lambda each: (-len(each[1]), each[0]))


def middle(places):
    """Direction of the mean of points on the sphere; None where there is none."""
    x = y = z = 0.0
    for latitude_deg, longitude_deg in places:
        if latitude_deg is None or longitude_deg is None:
            continue
        latitude, longitude = math.radians(latitude_deg), math.radians(longitude_deg)
        x += math.cos(latitude) * math.cos(longitude)
        y += math.cos(latitude) * math.sin(longitude)
        z += math.sin(latitude)
    if x == y == z == 0:
        return math.nan, math.nan
    return math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))


@pytest.mark.parametrize("limit", [1, 4, 1000])
def test_flows_are_those_of_a_plain_count(world, chosen, limit):
    found = flows(world.table, chosen, limit)
    expected = plain_flows(world.chosen(chosen))[:limit]
    pairs = list(zip(found["true_country"], found["pred_country"], strict=True))
    assert pairs == [key for key, _ in expected]
    for row, (_, inside) in zip(found.itertuples(), expected, strict=True):
        assert row.n == len(inside)
        known = [each["distance_km"] for each in inside if each["distance_km"] is not None]
        distance_km = sum(known) / len(known) if known else math.nan
        assert row.distance_km == pytest.approx(distance_km, nan_ok=True)
        start = middle([(each["true_latitude_deg"], each["true_longitude_deg"]) for each in inside])
        end = middle([(each["pred_latitude_deg"], each["pred_longitude_deg"]) for each in inside])
        near = {"abs": 1e-3, "nan_ok": True}  # true coordinates are in single precision
        assert (row.true_latitude_deg, row.true_longitude_deg) == pytest.approx(start, **near)
        assert (row.pred_latitude_deg, row.pred_longitude_deg) == pytest.approx(end, **near)


def table_of(true_longitudes_deg):
    """Images of Fiji, all taken for Tonga, which has no coordinates."""
    n = len(true_longitudes_deg)
    columns = {
        "pred_place": np.ones(n, np.uint32),
        "distance_km": np.full(n, np.nan),
        "true_latitude_deg": np.full(n, -17.0, np.float32),
        "true_longitude_deg": np.array(true_longitudes_deg, np.float32),
    }
    return make_table(columns, places=[("Oceania", "FJ", "", "")], predicted=["TO"])


def test_the_middle_of_a_country_across_the_date_line_is_in_it():
    table = table_of([179.0, -179.0, -178.0])
    row = flows(table, table.done).iloc[0]
    assert row["true_longitude_deg"] == pytest.approx(-179.33, abs=0.01)
    assert row["true_latitude_deg"] == pytest.approx(-17.0, abs=0.01)


def test_a_place_without_coordinates_has_no_middle():
    table = table_of([179.0])
    row = flows(table, table.done).iloc[0]
    assert row[["pred_latitude_deg", "pred_longitude_deg", "distance_km"]].isna().all()


def test_no_row_at_all_is_refused(world):
    with pytest.raises(ValueError, match="limit is 0"):
        flows(world.table, world.table.done, 0)
