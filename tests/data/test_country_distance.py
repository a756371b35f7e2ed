import itertools
import math

import numpy as np
import pytest

from streetclip.data.coordinates import (
    FAR_KM,
    FarFromCountry,
    _outline_points,
    country_at,
    km_to_country,
)
from streetclip.gazetteer import countries
from streetclip.gazetteer.cities import all_cities
from streetclip.gazetteer.data_files import country_additions
from streetclip.gazetteer.outlines import outline_rings
from streetclip.geo import haversine_km


def km(latitude_deg, longitude_deg, code):
    return km_to_country(np.array([latitude_deg]), np.array([longitude_deg]), code)[0]


def far(*points):
    latitude_deg, longitude_deg, codes = zip(*points, strict=True)
    return FarFromCountry()(
        np.array(latitude_deg, float), np.array(longitude_deg, float), codes
    ).tolist()


def rings_of(code):
    return outline_rings().get(code, [])


def outlying_places(code):
    return list(country_additions(code).get("outlying", {}).values())


def plain_km_to_nearest(latitude_deg, longitude_deg, code):
    """Haversine to all places and to points on every edge, 0.01° apart."""
    places = [(place.latitude_deg, place.longitude_deg) for place in all_cities().get(code, ())]
    places += outlying_places(code)
    nearest = haversine_km(latitude_deg, longitude_deg, *np.array(places).T).min()
    for ring in rings_of(code):
        for (west, south), (east, north) in itertools.pairwise(ring):
            count = 2 + int(100 * max(abs(east - west), abs(north - south)))
            edge = haversine_km(
                latitude_deg,
                longitude_deg,
                np.linspace(south, north, count),
                np.linspace(west, east, count),
            )
            nearest = min(nearest, edge.min())
    return nearest


@pytest.mark.parametrize(
    ("latitude_deg", "longitude_deg", "code"),
    [
        (53.5, 2.0, "CH"),
        (-10.0, 25.0, "CH"),
        (33.9, -151.2, "CH"),
        (49.8, 3.9, "LU"),
        (0.0, 179.0, "FJ"),
        (-15.0, -175.5, "FJ"),
        (-25.0, 60.0, "LS"),
        (50.5, -108.0, "US"),  # off a long straight border
    ],
)
def test_the_distance_is_that_to_the_nearest_border_or_place(latitude_deg, longitude_deg, code):
    expected = plain_km_to_nearest(latitude_deg, longitude_deg, code)
    assert expected > FAR_KM
    assert km(latitude_deg, longitude_deg, code) == pytest.approx(expected, abs=1.0)


def test_within_a_country_the_distance_is_0():
    assert km(46.9, 2.4, "FR") == 0
    assert km(-29.5, 28.2, "LS") == 0


def test_a_hole_in_a_country_is_outside():
    assert 0 < km(-29.5, 28.2, "ZA") < FAR_KM
    assert country_at(-29.5, 28.2) == "LS"


def test_the_country_of_a_point_is_found_by_its_outline():
    assert country_at(-21.1, 55.5) == "RE"
    assert country_at(66.3, -172.9) == "RU"
    assert country_at(0.0, 0.0) is None


def test_unknown_points_and_countries_are_not_far():
    assert math.isnan(km(48.9, 2.4, "ZZ"))
    assert math.isnan(km(math.nan, 2.4, "FR"))
    assert far((48.9, 2.4, "ZZ"), (48.9, 2.4, ""), (math.nan, 2.4, "AU"), (1, 1, "AU")) == [
        False,
        False,
        False,
        True,
    ]


TRUE_POINTS = {
    "Chad, Bardaï": (21.36, 17.0, "TD"),
    "Libya, Al Uwaynat": (21.9, 24.97, "LY"),
    "Kazakhstan, Oral": (51.2, 51.4, "KZ"),
    "Russia, Orenburg": (51.8, 55.1, "RU"),
    "Russia east of the antimeridian": (66.3, -172.9, "RU"),
    "Fiji east of the antimeridian": (-16.8, -179.9, "FJ"),
    "Fiji west of it": (-17.8, 178.4, "FJ"),
    "Aleutians": (52.9, 173.2, "US"),
    "Chatham Islands": (-43.95, -176.55, "NZ"),
    "Kiribati, Gilbert Islands": (1.42, 173.0, "KI"),
    "Kiribati, Line Islands": (1.98, -157.4, "KI"),
    "South Pole": (-90.0, 0.0, "AQ"),
    "Vostok Station": (-78.46, 106.84, "AQ"),
    "Ross Ice Shelf, on the 180th meridian": (-80.0, 180.0, "AQ"),
    "Gibraltar": (36.14, -5.35, "GI"),
    "Tuvalu": (-8.52, 179.2, "TV"),
    "Easter Island": (-27.12, -109.35, "CL"),
    "Macquarie Island": (-54.62, 158.86, "AU"),
    "Wake Island": (19.28, 166.65, "UM"),
    "Bouvet Island": (-54.42, 3.35, "BV"),
    "Réunion": (-21.1, 55.5, "RE"),
    "Taiwan as China": (25.03, 121.56, "CN"),
    "Taiwan": (25.03, 121.56, "TW"),
    "Western Sahara as Morocco": (23.7, -15.9, "MA"),
    "Western Sahara": (23.7, -15.9, "EH"),
    "Kosovo as Serbia": (42.2, 20.7, "RS"),
    "Crimea as Ukraine": (44.95, 34.1, "UA"),
    "Crimea as Russia": (44.95, 34.1, "RU"),
    "Falklands as Argentina": (-51.69, -57.86, "AR"),
    "Gilgit as India": (35.92, 74.31, "IN"),
    "Gilgit as Pakistan": (35.92, 74.31, "PK"),
    "Northern Cyprus": (35.34, 33.32, "CY"),
    "Hargeisa in Somalia": (9.56, 44.06, "SO"),
    "Strasbourg as Germany, at the border": (48.57, 7.75, "DE"),
    "a ferry off Corsica": (42.6, 8.0, "FR"),
}


@pytest.mark.parametrize("point", TRUE_POINTS.values(), ids=TRUE_POINTS)
def test_true_points_are_not_far(point):
    assert far(point) == [False]


@pytest.mark.parametrize(
    "point",
    [
        (0.0, 0.0, "GH"),
        (38.72, 9.14, "PT"),
        (33.87, 151.21, "AU"),
        (-21.1, 55.5, "FR"),
        (45.5, -73.6, "FR"),
        (24.86, 67.0, "IN"),
        (31.6, -8.0, "EH"),
        (25.03, 121.56, "JP"),
        (66.3, 172.9, "FJ"),
        (-54.8, -68.3, "AQ"),
    ],
)
def test_points_in_other_countries_are_far(point):
    assert far(point) == [True]


@pytest.mark.parametrize("code", ["CH", "FJ", "FM", "US", "GL"])
def test_whole_cells_are_judged_as_their_points_are(code):
    rng = np.random.default_rng(3)
    outline = _outline_points(code)
    # Around the margin of 100 km, where a cell is partly near and partly far.
    border = outline[rng.integers(len(outline), size=300)]
    latitude_deg = np.degrees(np.arcsin(border[:, 2])) + rng.uniform(-1.5, 1.5, 300)
    longitude_deg = np.degrees(np.arctan2(border[:, 1], border[:, 0])) + rng.uniform(-1.5, 1.5, 300)
    latitude_deg, longitude_deg = latitude_deg.clip(-90, 90), longitude_deg.clip(-180, 180)
    expected = km_to_country(latitude_deg, longitude_deg, code) > FAR_KM
    assert 0 < expected.sum() < 300
    is_far = FarFromCountry()
    for _ in range(2):  # the second time from memory
        marked = is_far(latitude_deg, longitude_deg, [code] * 300)
        np.testing.assert_array_equal(marked, expected)


def test_cells_are_remembered_by_country():
    is_far = FarFromCountry()
    point = np.array([48.9]), np.array([2.4])
    assert [is_far(*point, [code])[0] for code in ("FR", "AU", "FR", "JP")] == [
        False,
        True,
        False,
        True,
    ]


def test_every_outlying_place_belongs_to_a_country_and_is_near_it():
    places = [(*place, code) for code in countries() for place in outlying_places(code)]
    assert len(places) > 100
    assert not any(far(*places))
