"""Groups of images as they are group_shares and ranked, against plain Python."""

import math

import numpy as np
import pandas as pd
import pytest

from dashboard.queries.group_ranking import METRICS, RANKS, group_shares, macro, ranked, totals

Z = 1.959963984540054


def groups(rows, key="country"):
    """Counters of groups: (name, n, country right, city right, median km)."""
    frame = pd.DataFrame(
        rows, columns=[key, "n", "country_correct", "city_correct", "median_km"]
    ).assign(
        country_reachable=lambda each: each["n"],
        city_reachable=lambda each: each["n"] - 1,
        country_correct_city_reachable=lambda each: each["country_correct"],
        with_coordinates=lambda each: each["n"] - 2,
        median_low_km=lambda each: each["median_km"] / 2,
        median_high_km=lambda each: each["median_km"] * 3,
        top_mistake="XX",
        top_mistake_n=1,
    )
    if key == "country":
        frame.insert(0, "continent", "Europe")
    return frame


ROWS = [
    ("FR", 100, 80, 40, 90.0),
    ("JP", 3, 3, 3, 5.0),
    ("NZ", 400, 300, 30, 700.0),
    ("CI", 2, 0, 0, math.inf),
    ("ZA", 400, 300, 250, 20.0),
]


def wilson(k, n):
    middle, half = k + Z * Z / 2, Z * math.sqrt(k * (n - k) / n + Z * Z / 4)
    return (middle - half) / (n + Z * Z), (middle + half) / (n + Z * Z)


@pytest.mark.parametrize(("metric", "right"), [("country", 2), ("city", 3)])
def test_a_share_has_its_wilson_bounds_its_errors_and_its_ceiling(metric, right):
    shown = group_shares(groups(ROWS), metric).set_index("country")
    for row in ROWS:
        found = shown.loc[row[0]]
        assert (found["n"], found["errors"]) == (row[1], row[1] - row[right])
        assert found["value"] == pytest.approx(row[right] / row[1])
        assert (found["low"], found["high"]) == pytest.approx(wilson(row[right], row[1]), abs=1e-9)
    assert shown.loc["FR", "ceiling"] == (1.0 if metric == "country" else 0.99)


def test_countries_add_up_by_code_and_to_all_images():
    counted = groups([*ROWS, ("FR", 10, 5, 1, 3.0)])  # a country on two continents
    by_code = group_shares(totals(counted, "country"), "country").set_index("country")
    assert by_code.loc["FR", ["n", "value"]].tolist() == [110, 85 / 110]
    assert by_code.loc["JP", ["n", "value"]].tolist() == [3, 1.0]
    (whole,) = group_shares(totals(counted), "city").to_dict("records")
    assert (whole["n"], whole["value"]) == (915, 324 / 915)
    assert (whole["low"], whole["high"]) == pytest.approx(wilson(324, 915))
    assert math.isnan(whole["median_km"])


def test_city_given_country_is_of_the_images_whose_country_is_right():
    shown = group_shares(groups(ROWS), "given").set_index("country")
    assert (shown.loc["FR", "value"], shown.loc["FR", "n"]) == (0.5, 80)
    assert shown.loc["CI", "n"] == 0
    assert shown.loc["CI", ["value", "low", "high", "ceiling"]].isna().all()


def test_luck_with_few_images_does_not_rank_first():
    shown = group_shares(groups(ROWS), "country")
    assert shown.loc[shown["value"].idxmax(), "country"] == "JP"
    assert list(ranked(shown, "lower", "country")["country"]) == ["FR", "NZ", "ZA", "JP", "CI"]


def test_bad_luck_with_few_images_does_not_rank_worst():
    # Two of two wrong still leave an upper bound of 66 %, below the 79 % of 300 of 400.
    rows = [("AA", 400, 40, 0, 1.0), ("BB", 2, 0, 0, 1.0), ("CC", 100, 90, 0, 1.0)]
    order = ranked(group_shares(groups(rows), "country"), "upper", "country")["country"]
    assert list(order) == ["AA", "BB", "CC"]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rank", RANKS)
def test_every_order_is_that_of_plain_python(metric, rank):
    shown = group_shares(groups(ROWS), metric)
    better = -1 if metric == "median" else 1
    keys = {
        "lower": lambda row: -row["low"] if better == 1 else row["high"],
        "upper": lambda row: row["high"] if better == 1 else -row["low"],
        "n": lambda row: -row["n"],
        "errors": lambda row: -row["errors"],
    }
    rows = shown.to_dict("records")
    rows.sort(key=lambda row: (np.isnan(keys[rank](row)), keys[rank](row), -row["n"]))
    assert list(ranked(shown, rank, metric)["country"]) == [row["country"] for row in rows]


def test_groups_without_a_value_come_last_and_stay():
    order = ranked(group_shares(groups(ROWS), "given"), "lower", "given")["country"]
    assert list(order)[-1] == "CI"
    assert len(order) == len(ROWS)


def test_a_median_is_better_the_smaller_and_infinite_ones_are_worst():
    shown = group_shares(groups(ROWS), "median")
    assert list(ranked(shown, "lower", "median")["country"]) == ["JP", "ZA", "FR", "NZ", "CI"]
    assert list(ranked(shown, "upper", "median")["country"]) == ["CI", "NZ", "FR", "ZA", "JP"]
    assert shown.set_index("country").loc["FR", "n"] == 98  # with coordinates


def test_macro_is_over_the_true_countries_with_its_own_ceiling():
    found = macro(groups(ROWS), "country")
    assert found.value == pytest.approx((0.8 + 1 + 0.75 + 0 + 0.75) / 5)
    assert (found.ceiling, found.num_countries) == (1.0, 5)
    given = macro(groups(ROWS), "given")
    assert given.value == pytest.approx((0.5 + 1 + 0.1 + 250 / 300) / 4)
    assert given.num_countries == 4
    city = macro(groups(ROWS), "city")
    assert city.ceiling == pytest.approx((99 / 100 + 2 / 3 + 399 / 400 + 1 / 2 + 399 / 400) / 5)
    nothing = macro(groups(ROWS[:0]), "country")
    assert (nothing.value, nothing.ceiling, nothing.num_countries) == (None, None, 0)


def test_macro_counts_a_country_on_two_continents_once():
    two = groups([("RU", 30, 15, 3, 50.0), ("RU", 10, 9, 2, 8.0), ("FR", 4, 1, 1, 9.0)])
    found = macro(two, "country")
    assert (found.value, found.num_countries) == ((24 / 40 + 1 / 4) / 2, 2)


def test_a_median_has_neither_macro_average_nor_ceiling():
    assert macro(groups(ROWS), "median") is None
    assert group_shares(groups(ROWS), "median")["ceiling"].isna().all()


def test_the_share_of_the_most_frequent_mistake_is_of_all_images():
    assert group_shares(groups(ROWS), "city").set_index("country").loc["FR", "top_share"] == 0.01
