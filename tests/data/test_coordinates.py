import math
from collections import Counter

import numpy as np
import pytest

from benchmarks.measure_coordinates import all_places, jittered, lost_signs, take
from streetclip.data.coordinates import (
    FAR,
    NULL_ISLAND,
    SWAPPED,
    WRONG_SIGN,
    MisplacedFinder,
    Points,
    parse_coordinates,
)
from streetclip.gazetteer.cities import all_cities


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


def points(*rows):
    latitude_deg, longitude_deg, codes = zip(*rows, strict=True)
    return Points(np.array(latitude_deg, float), np.array(longitude_deg, float), list(codes))


def warnings(*rows):
    return MisplacedFinder().find(points(*rows))


def find(*rows):
    """Rows by the kind of their warning."""
    found = {}
    for row, kind, _ in warnings(*rows):
        found.setdefault(kind, []).append(row)
    return found


def test_a_swapped_pair_is_found_by_its_country():
    assert find((48.85, 2.35, "FR"), (2.35, 48.85, "FR"), (55.75, 37.6, "RU")) == {SWAPPED: [1]}
    assert find((37.6, 55.75, "RU")) == {SWAPPED: [0]}


@pytest.mark.parametrize(
    "row",
    [
        (21.36, 17.0, "TD"),
        (21.9, 24.97, "LY"),
        (51.2, 51.4, "KZ"),
        (77.5, 104.3, "RU"),
        (43.2, 76.9, "KZ"),
        (81.0, 55.0, "RU"),
        (-16.8, -179.9, "FJ"),
    ],
)
def test_a_true_pair_that_also_fits_swapped_is_accepted(row):
    assert find(row) == {}


def test_a_swapped_pair_across_the_antimeridian_is_found():
    assert find((66.3, -172.9, "RU"), (62.0, 40.0, "RU"), (40.0, 62.0, "RU")) == {SWAPPED: [2]}


def test_a_pair_that_is_elsewhere_either_way_is_not_called_swapped():
    assert find((-21.1, 55.5, "FR"), (40.7, -74.0, "FR")) == {FAR: [0, 1]}


def test_a_pair_that_fits_swapped_and_with_another_sign_is_called_swapped():
    assert find((70.0, -70.0, "AQ")) == {SWAPPED: [0]}


def test_a_longitude_beyond_90_is_no_latitude():
    assert find((50.0, -100.0, "AQ")) == {FAR: [0]}


@pytest.mark.parametrize(("latitude_deg", "longitude_deg"), [(0, 0), (-0.0, 0.0), (0.01, -0.3)])
@pytest.mark.parametrize("code", ["FR", "GH", "ST", "BV"])
def test_0_0_is_no_place_of_any_country(latitude_deg, longitude_deg, code):
    assert find((latitude_deg, longitude_deg, code)) == {NULL_ISLAND: [0]}


def test_a_single_0_may_be_true():
    assert find((48.0, 0.0, "FR"), (0.0, 32.5, "UG"), (51.48, 0.0, "GB")) == {}


def test_lost_signs_are_found_with_the_sign_that_fits():
    rows = [(38.72, 9.14, "PT"), (33.87, 151.21, "AU"), (34.6, 58.4, "AR"), (48.9, 2.4, "FR")]
    assert find(*rows) == {WRONG_SIGN: [0, 1, 2]}
    texts = [text for _, _, text in warnings(*rows)]
    fitting = ["longitude −9.14", "latitude −33.87", "latitude −34.6 and longitude −58.4"]
    for text, sign in zip(texts, fitting, strict=True):
        assert f"but inside with {sign}. Is a minus sign missing?" in text


def test_unknown_countries_and_coordinates_are_not_found():
    assert find((2.35, 48.85, ""), (math.nan, math.nan, "FR"), (48.9, 2.4, "ZZ")) == {}


def test_nothing_is_found_in_no_points():
    assert MisplacedFinder().find(Points(np.empty(0), np.empty(0), [])) == []


def test_texts_state_the_distance_and_the_likely_cause():
    rows = [(0, 0, "FR"), (38.72, 9.14, "PT"), (-48.9, 2.4, "FR"), (-21.1, 55.5, "FR")]
    texts = [
        "latitude 0, longitude 0 lies 4,693 km outside France",
        "latitude 38.72, longitude 9.14 lies 1,340 km outside Portugal",
        "latitude −48.9, longitude 2.4 lies 10,061 km outside France",
        "latitude −21.1, longitude 55.5 lies 8,428 km outside France",
    ]
    assert warnings(*rows) == [
        (0, NULL_ISLAND, f"{texts[0]}. Is the place missing? Then leave both blank."),
        (1, WRONG_SIGN, f"{texts[1]}, but inside with longitude −9.14. Is a minus sign missing?"),
        (2, WRONG_SIGN, f"{texts[2]}, but inside with latitude 48.9. Is the minus sign wrong?"),
        (3, FAR, f"{texts[3]}, in Réunion. Correct the coordinates or the country."),
    ]


def test_the_text_of_a_swapped_pair_says_so():
    ((_, _, text),) = warnings((2.35, 48.85, "FR"))
    assert text == (
        "latitude 2.35, longitude 48.85 lies 5,874 km outside France, but inside when the two are "
        "swapped. Swap them, or correct the country."
    )


def test_after_the_first_points_of_a_kind_the_distance_is_not_measured():
    finder = MisplacedFinder()
    chunk = points(*[(40.4, -3.7, "FR")] * 15)
    texts = [text for _ in range(2) for *_, text in finder.find(chunk)]
    assert len(texts) == 30
    assert "lies 349 km outside France, in Spain." in texts[19]
    assert "lies more than 100 km outside France." in texts[20]


@pytest.fixture(scope="module")
def places():
    return all_places()


def test_places_that_lost_a_sign_are_found(places):
    lost = lost_signs(places, 500, np.random.default_rng(0))
    assert len(lost.codes) == 500
    assert Counter(kind for _, kind, _ in MisplacedFinder().find(lost))[WRONG_SIGN] >= 495


def test_places_and_their_surroundings_are_not_found(places):
    rng = np.random.default_rng(0)
    found = MisplacedFinder().find(jittered(take(places, 1000, rng), rng))
    assert len(found) <= 1
    assert {kind for _, kind, _ in found} <= {WRONG_SIGN, FAR}


def test_the_largest_place_of_every_country_is_not_found():
    rows = [
        (place.latitude_deg, place.longitude_deg, code)
        for code, (place, *_) in all_cities().items()
    ]
    assert len(rows) > 240
    assert find(*rows) == {}
