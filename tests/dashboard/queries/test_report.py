"""The figures of some images as pages take them."""

import math

import pytest

from dashboard.queries.report import Delta, report_of
from streetclip.geo import THRESHOLDS_KM
from streetclip.results import distance_shares, group_counts, run_figures
from streetclip.store import Flag
from tests.results.flagged_tables import BOTH, COUNTRY, KNOWN, table_of


def report(*images):
    table = table_of(*images)
    return report_of(
        run_figures(table, table.done),
        group_counts(table, table.done, "country"),
        distance_shares(table, table.done),
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


@pytest.mark.parametrize(
    ("ends", "is_clear"),
    [((0.01, 0.2), True), ((-0.2, -0.01), True), ((-0.1, 0.2), False), ((0.0, 0.2), False)],
)
def test_a_difference_is_clear_where_its_interval_leaves_out_zero(ends, is_clear):
    assert Delta(sum(ends) / 2, *ends).is_clear is is_clear
    assert not Delta(math.nan, math.nan, math.nan).is_clear
