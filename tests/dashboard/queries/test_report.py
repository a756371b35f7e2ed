"""The figures of some images as pages take them."""

import math

import numpy as np
import pytest

from dashboard.queries.report import Delta, continent_shares, curve_shares, report_of
from streetclip.geo import THRESHOLDS_KM
from streetclip.results import distance_counts, group_counts, run_figures
from streetclip.store import Flag
from tests.results.conftest import make_table

PLACES = [("Asia", "JP", "", ""), ("Asia", "RU", "", ""), ("Europe", "RU", "", ""),
          ("Europe", "FR", "", "")]  # fmt: skip
REACHABLE = Flag.COUNTRY_REACHABLE | Flag.CITY_REACHABLE
KNOWN = Flag.READABLE | Flag.HAS_COORDINATES | REACHABLE
COUNTRY = KNOWN | Flag.COUNTRY_CORRECT
BOTH = COUNTRY | Flag.CITY_CORRECT


def table_of(*images):
    """A run of images: row of `PLACES`, flags, distance in km."""
    place, flags, distance_km = zip(*images, strict=True) if images else ((), (), ())
    columns = {
        "flags": np.array(flags, np.uint8),
        "distance_km": np.array(distance_km, np.float64),
        "nearest_km": np.where(np.isnan(np.array(distance_km, np.float64)), np.nan, 3.0),
    }
    return make_table(columns, place=place, places=PLACES)


def report(*images):
    table = table_of(*images)
    return report_of(
        run_figures(table, table.done),
        group_counts(table, table.done, "country"),
        distance_counts(table, table.done),
    )


def test_without_an_image_no_figure_is_made_up():
    empty = report()
    country = empty.country
    figures = (country.value, country.ceiling, country.macro, country.macro_ceiling)
    assert figures == (None, None, None, None)
    assert (empty.num_images, empty.distance.geoscore) == (0, None)
    assert math.isnan(empty.distance.median_km.value)
    assert empty.curve.empty
    assert empty.continents.empty
    assert empty.thresholds["ceiling"].tolist() == [None] * 5


def test_distances_count_only_images_whose_place_is_known():
    unknown = (0, Flag.READABLE, math.nan)
    found = report((0, KNOWN, 20.0), (3, KNOWN, 30.0), (3, KNOWN, 40.0), (0, KNOWN, 50.0), unknown)
    city = found.thresholds.set_index("name").loc["city"]
    assert (city["value"], city["n"], city["ceiling"], city["threshold_km"]) == (0.25, 4, 1, 25)
    assert found.thresholds["threshold_km"].tolist() == [*THRESHOLDS_KM.values()]
    assert found.distance.n == 4
    assert found.distance.median_km.value == 35


def test_a_country_on_two_continents_weighs_as_one():
    found = report((1, COUNTRY, 5.0), (2, KNOWN, 5.0), (2, KNOWN, 5.0), (3, BOTH, 5.0))
    assert found.country.macro == pytest.approx((1 / 3 + 1) / 2)
    assert found.city.macro == pytest.approx(1 / 2)
    assert found.hierarchical.macro == pytest.approx(1 / 2)
    assert found.hierarchical.macro_ceiling == 1
    assert found.continents.set_index("continent")["n"].to_dict() == {"Asia": 1, "Europe": 3}


def test_the_curve_is_a_share_of_all_with_coordinates():
    table = table_of((0, KNOWN, 1.0), (0, KNOWN, 25.0), (0, KNOWN, 200.0), (0, KNOWN, math.nan))
    shares = curve_shares(distance_counts(table, table.done)).set_index("distance_km")
    assert shares.loc[[1, 25, 200], "value"].tolist() == [0.25, 0.5, 0.75]
    assert (shares["low"] <= shares["value"]).all()
    assert (shares["high"] > shares["value"]).all()


def test_continents_are_the_sums_of_their_countries_the_best_first():
    table = table_of((0, BOTH, 0.0), (1, KNOWN, math.nan), (3, BOTH, 0.0), (2, COUNTRY, 0.0))
    shares = continent_shares(group_counts(table, table.done, "country"))
    assert shares["continent"].tolist() == ["Europe", "Asia"]
    assert shares["n"].tolist() == [2, 2]
    assert shares["country"].tolist() == [1, 0.5]
    assert shares["city"].tolist() == [0.5, 0.5]
    assert shares["hierarchical"].tolist() == [0.5, 1]
    assert shares["geoscore"].tolist() == [5000, 2500]


def test_a_continent_without_a_correct_country_has_no_share_given_country():
    table = table_of((0, Flag.READABLE, math.nan))
    row = continent_shares(group_counts(table, table.done, "country")).iloc[0]
    assert row["country"] == 0
    assert math.isnan(row["hierarchical"])
    assert math.isnan(row["geoscore"])


@pytest.mark.parametrize(
    ("ends", "is_clear"),
    [((0.01, 0.2), True), ((-0.2, -0.01), True), ((-0.1, 0.2), False), ((0.0, 0.2), False)],
)
def test_a_difference_is_clear_where_its_interval_leaves_out_zero(ends, is_clear):
    assert Delta(sum(ends) / 2, *ends).is_clear is is_clear
    assert not Delta(math.nan, math.nan, math.nan).is_clear
