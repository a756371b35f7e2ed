"""Shares of a few images that are counted by hand."""

import math

from streetclip.results import continent_shares, distance_shares, group_counts
from streetclip.store import Flag
from tests.results.flagged_tables import BOTH, COUNTRY, KNOWN, table_of


def test_the_curve_is_a_share_of_all_with_coordinates():
    table = table_of((0, KNOWN, 1.0), (0, KNOWN, 25.0), (0, KNOWN, 200.0), (0, KNOWN, math.nan))
    shares = distance_shares(table, table.done).set_index("distance_km")
    assert shares.loc[[1, 25, 200], "value"].tolist() == [0.25, 0.5, 0.75]
    assert (shares["low"] <= shares["value"]).all()
    assert (shares["high"] > shares["value"]).all()


def test_continents_are_the_sums_of_their_countries_the_worst_first():
    table = table_of((0, BOTH, 0.0), (1, KNOWN, math.nan), (3, BOTH, 0.0), (2, COUNTRY, 0.0))
    shares = continent_shares(group_counts(table, table.done, "country"))
    assert shares["continent"].tolist() == ["Asia", "Europe"]
    assert shares["n"].tolist() == [2, 2]
    assert shares["country"].tolist() == [0.5, 1]
    assert shares["city"].tolist() == [0.5, 0.5]
    assert shares["hierarchical"].tolist() == [1, 0.5]
    assert shares["geoscore"].tolist() == [2500, 5000]


def test_a_continent_without_a_correct_country_has_no_share_given_country():
    table = table_of((0, Flag.READABLE, math.nan))
    row = continent_shares(group_counts(table, table.done, "country")).iloc[0]
    assert row["country"] == 0
    assert math.isnan(row["hierarchical"])
    assert math.isnan(row["geoscore"])
