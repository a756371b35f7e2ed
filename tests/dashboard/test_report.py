"""The figures of some images, put together from counts by country."""

import math

import pandas as pd
import pytest

from dashboard.queries.report import Delta, continent_shares, curve_shares, report_of
from streetclip.metrics.intervals import Median
from streetclip.store import place_counters

NOWHERE = Median(math.nan, math.nan, math.nan)


def places(**columns):
    length = len(next(iter(columns.values())))
    zero = {name: [0] * length for name in (*place_counters(), "nearest_known")}
    return pd.DataFrame({"continent": "Asia", "country": "JP"} | zero | columns)


def curve(within, total):
    return pd.DataFrame({"distance_km": [1.0, 25.0, 200.0], "n": within, "total": total})


def report(countries, the_curve=None, median=NOWHERE, geoscore=None):
    the_curve = curve([0, 0, 0], 0) if the_curve is None else the_curve
    return report_of(countries, the_curve, median, geoscore)


def test_without_an_image_no_figure_is_made_up():
    empty = report(places(n=[]))
    country = empty.country
    figures = (country.value, country.ceiling, country.macro, country.macro_ceiling)
    assert figures == (None, None, None, None)
    assert (empty.num_images, empty.distance.geoscore) == (0, None)
    assert empty.curve.empty
    assert empty.continents.empty
    assert empty.thresholds["ceiling"].tolist() == [None] * 5


def test_distances_count_only_images_whose_place_is_known():
    found = report(places(n=[10], with_coordinates=[8], within_25=[2], nearest_known=[8]))
    city = found.thresholds.set_index("name").loc["city"]
    assert (city["value"], city["n"], city["ceiling"]) == (0.25, 8, 0)


def test_a_ceiling_of_distances_is_known_only_if_all_nearest_candidates_are():
    counts = {"n": [5, 5], "with_coordinates": [4, 4], "reachable_within_25": [4, 2]}
    known = report(places(**counts, nearest_known=[4, 4])).thresholds.set_index("name")
    assert known.loc["city", "ceiling"] == 0.75
    partly = report(places(**counts, nearest_known=[4, 3])).thresholds
    assert partly["ceiling"].tolist() == [None] * 5


def test_macro_leaves_out_countries_without_a_right_country():
    found = report(
        places(
            country=["FR", "JP", "NZ"],
            n=[4, 2, 2],
            country_correct=[4, 1, 0],
            city_correct=[1, 1, 0],
            country_correct_city_reachable=[2, 1, 0],
            country_reachable=[4, 2, 1],
        )
    )
    assert found.country.macro == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.country.macro_ceiling == pytest.approx((1 + 1 + 0.5) / 3)
    assert found.hierarchical.macro == pytest.approx((0.25 + 1) / 2)
    assert found.hierarchical.macro_ceiling == pytest.approx((0.5 + 1) / 2)


def test_a_country_on_two_continents_weighs_as_one():
    countries = places(
        continent=["Asia", "Europe", "Europe"],
        country=["RU", "RU", "FR"],
        n=[1, 9, 10],
        country_correct=[1, 1, 6],
    )
    found = report(countries)
    assert found.country.macro == pytest.approx((2 / 10 + 6 / 10) / 2)
    assert found.continents.set_index("continent")["n"].to_dict() == {"Asia": 1, "Europe": 19}


def test_the_curve_is_a_share_of_all_that_can_be_judged():
    shares = curve_shares(curve([1, 2, 3], 4))
    assert shares["value"].tolist() == [0.25, 0.5, 0.75]
    assert (shares["low"] < shares["value"]).all()
    assert (shares["high"] > shares["value"]).all()


def test_a_continent_without_a_right_country_has_no_share_given_country():
    shares = continent_shares(places(continent=["Asia"], n=[3], with_coordinates=[0]))
    row = shares.iloc[0]
    assert row["country"] == 0
    assert math.isnan(row["hierarchical"])
    assert math.isnan(row["geoscore"])


def test_median_and_score_are_as_given():
    countries = places(n=[4, 5], with_coordinates=[4, 4])
    median = Median(90.5, 75.0, math.inf)
    found = report(countries, median=median, geoscore=1234.5).distance
    assert (found.median_km, found.geoscore, found.n) == (median, 1234.5, 8)


def test_continents_and_totals_are_the_sums_of_their_countries():
    countries = places(
        continent=["Asia", "Europe", "Asia"],
        country=["JP", "FR", "SG"],
        n=[4, 9, 6],
        country_correct=[1, 9, 4],
        unreadable=[1, 0, 2],
    )
    found = report(countries)
    shares = found.continents.set_index("continent")
    assert (shares.loc["Asia", "n"], shares.loc["Asia", "country"]) == (10, 0.5)
    assert (shares.loc["Europe", "n"], shares.loc["Europe", "country"]) == (9, 1.0)
    assert (found.num_images, found.num_unreadable) == (19, 3)
    assert found.country.value == 14 / 19


@pytest.mark.parametrize(
    ("ends", "is_clear"),
    [((0.01, 0.2), True), ((-0.2, -0.01), True), ((-0.1, 0.2), False), ((0.0, 0.2), False)],
)
def test_a_difference_is_clear_where_its_interval_leaves_out_zero(ends, is_clear):
    assert Delta(sum(ends) / 2, *ends).is_clear is is_clear
    assert not Delta(None, None, None).is_clear
