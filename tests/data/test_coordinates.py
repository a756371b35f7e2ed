import math

import numpy as np
import pytest

from streetclip.data.coordinates import parse_coordinates


def problems(latitude, longitude):
    return [text for _, text in parse_coordinates([latitude], [longitude])[2]]


def test_numbers_are_read_and_blanks_are_unknown():
    latitude_deg, longitude_deg, bad = parse_coordinates(
        ["48.85", "", " -33.9 ", "1e1", "  "], ["2.35", "", "151.2", "+.5", ""]
    )
    np.testing.assert_array_equal(latitude_deg, [48.85, math.nan, -33.9, 10, math.nan])
    np.testing.assert_array_equal(longitude_deg, [2.35, math.nan, 151.2, 0.5, math.nan])
    assert bad == []


@pytest.mark.parametrize(("latitude", "longitude"), [("90", "180"), ("-90", "-180"), ("0", "0")])
def test_the_limits_themselves_are_allowed(latitude, longitude):
    assert problems(latitude, longitude) == []


@pytest.mark.parametrize(
    "cell", ["nan", "NaN", "inf", "-Infinity", "abc", "1_0", "48.8.5", "−5", "0x10"]
)
def test_what_is_no_number_is_told(cell):
    assert problems(cell, "5") == [f"latitude is '{cell}'; expected a number of degrees, or blank."]
    assert problems("5", cell) == [
        f"longitude is '{cell}'; expected a number of degrees, or blank."
    ]


def test_a_decimal_comma_is_recognised():
    assert "decimal comma" in problems("48,85", "2")[0]


def test_one_coordinate_without_the_other_is_told():
    assert problems("", "2.5")[0].startswith("latitude is blank but longitude is '2.5'")
    assert problems("2.5", " ")[0].startswith("longitude is blank but latitude is '2.5'")


def test_out_of_range_asks_whether_the_columns_are_swapped():
    assert problems("151.2", "-33.9") == [
        "latitude is 151.2; expected −90 to 90. Are the columns swapped?"
    ]


def test_out_of_range_does_not_ask_where_swapping_would_not_help():
    assert problems("999", "5") == ["latitude is 999; expected −90 to 90."]
    assert problems("5", "-181") == ["longitude is -181; expected −180 to 180."]


def test_bad_pairs_are_found_by_index_and_become_unknown():
    latitude_deg, longitude_deg, bad = parse_coordinates(["1", "x", "3"], ["1", "2", "200"])
    assert [i for i, _ in bad] == [1, 2]
    assert np.isnan(latitude_deg).tolist() == [False, True, True]
    assert np.isnan(longitude_deg).tolist() == [False, True, True]
