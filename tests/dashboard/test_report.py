"""The figures of an unfinished run, from its additive counts."""

import math

import pandas as pd
import pytest

from dashboard.report import (
    Delta,
    continent_shares,
    curve_shares,
    report_of_groups,
    report_of_metrics,
    report_of_totals,
)
from streetclip.geo import THRESHOLDS_KM


def totals(**changes):
    zero = {
        f"{name}{km}": 0
        for name in ("within_", "reachable_within_")
        for km in THRESHOLDS_KM.values()
    }
    names = ["n", "unreadable", "with_coordinates", "geoscore_sum"]
    names += ["country_correct", "city_correct", "country_correct_city_reachable"]
    names += ["country_reachable", "city_reachable"]
    return zero | dict.fromkeys(names, 0) | changes


def places(**columns):
    length = len(next(iter(columns.values())))
    zero = {name: [0] * length for name in totals()}
    return pd.DataFrame(zero | columns)


def curve(within, total):
    return pd.DataFrame({"distance_km": [1.0, 25.0, 200.0], "n": within, "total": total})


def report(the_totals, countries=None, the_curve=None):
    none = places(continent=[])
    countries = none if countries is None else countries
    the_curve = curve([0, 0, 0], 0) if the_curve is None else the_curve
    return report_of_totals(the_totals, countries, none, the_curve)


def test_without_an_image_no_figure_is_made_up():
    empty = report(totals())
    assert (empty.country.value, empty.country.ceiling, empty.country.macro) == (None, None, None)
    assert (empty.distance.median_km, empty.distance.geoscore) == (None, None)
    assert empty.curve.empty
    assert empty.continents.empty


def test_distances_count_only_images_whose_place_is_known():
    found = report(totals(n=10, with_coordinates=8, within_25=2, geoscore_sum=8000.0))
    city = found.thresholds.set_index("name").loc["city"]
    assert (city["value"], city["n"]) == (0.25, 8)
    assert found.distance.geoscore == 1000.0


def test_macro_leaves_out_countries_without_a_right_country():
    countries = places(
        country=["FR", "JP", "NZ"], n=[4, 2, 2], country_correct=[4, 1, 0], city_correct=[1, 1, 0]
    )
    found = report(totals(n=8, country_correct=5, city_correct=2), countries)
    assert found.country.macro == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.hierarchical.macro == pytest.approx((0.25 + 1) / 2)


def test_the_running_median_is_where_the_curve_passes_one_half():
    assert report(totals(n=9), the_curve=curve([2, 5, 9], 9)).distance.median_km == 25.0
    assert report(totals(n=9), the_curve=curve([2, 3, 4], 9)).distance.median_km == math.inf


def test_a_median_that_json_could_not_hold_is_infinite_again():
    median = {"value": None, "low": 120.0, "high": None}
    accuracy = dict.fromkeys(("value", "low", "high", "ceiling", "macro"), 0.0) | {"n": 3}
    distance = {"n": 3, "median_km": median, "geoscore": 9.0, "share_within_km": []}
    metrics = {"num_images": 3, "num_unreadable": 2, "distance": distance}
    names = ("country_accuracy", "city_accuracy", "hierarchical_accuracy")
    found = report_of_metrics(
        metrics | dict.fromkeys(names, accuracy), places(continent=[]), curve([0, 1, 1], 3)
    )
    assert (found.distance.median_km, found.distance.low_km) == (math.inf, 120.0)
    assert found.distance.high_km == math.inf


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


def test_a_choice_of_images_has_its_exact_median_with_its_interval():
    countries = places(continent=["Asia", "Asia"], n=[4, 5], with_coordinates=[4, 4])
    found = report_of_groups(countries, curve([1, 2, 5], 8), (90.5, 75.0, 110.0))
    distance = found.distance
    assert (distance.median_km, distance.low_km, distance.high_km) == (90.5, 75.0, 110.0)
    assert (distance.n, distance.is_binned) == (8, False)


def test_continents_and_totals_are_the_sums_of_their_countries():
    countries = places(continent=["Asia", "Europe", "Asia"], n=[4, 9, 6], country_correct=[1, 9, 4])
    found = report_of_groups(countries, curve([0, 0, 0], 0), (math.nan,) * 3)
    shares = found.continents.set_index("continent")
    assert (shares.loc["Asia", "n"], shares.loc["Asia", "country"]) == (10, 0.5)
    assert (shares.loc["Europe", "n"], shares.loc["Europe", "country"]) == (9, 1.0)
    assert found.num_images == 19
    assert found.country.value == pytest.approx(14 / 19)


def test_a_choice_of_no_images_has_no_figures():
    found = report_of_groups(places(continent=[]), curve([0, 0, 0], 0), (math.nan,) * 3)
    assert (found.num_images, found.country.value, found.distance.median_km) == (0, None, None)


@pytest.mark.parametrize(
    ("ends", "is_clear"),
    [((0.01, 0.2), True), ((-0.2, -0.01), True), ((-0.1, 0.2), False), ((0.0, 0.2), False)],
)
def test_a_difference_is_clear_where_its_interval_leaves_out_zero(ends, is_clear):
    assert Delta(sum(ends) / 2, *ends).is_clear is is_clear
    assert not Delta(None, None, None).is_clear
