"""Distances against hand numbers, a vector formula and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import haversine_distances

from streetclip.geo import (
    EARTH_RADIUS_KM,
    GEOSCORE_SCALE_KM,
    MAP_HEIGHT,
    MAP_WIDTH,
    THRESHOLDS_KM,
    equal_earth,
    geoscore,
    haversine_km,
    on_map,
)
from tests.random_search import examples

LATITUDES = st.floats(-90, 90)
LONGITUDES = st.floats(-180, 180)
POINTS = st.tuples(LATITUDES, LONGITUDES)
HALF_TURN_KM = math.pi * EARTH_RADIUS_KM
few = settings(deadline=None, max_examples=examples(100))


def plain_distance_km(latitude_a, longitude_a, latitude_b, longitude_b):
    """Angle between the two points as vectors, which shares no step with the haversine."""

    def vector(latitude, longitude):
        phi, theta = math.radians(latitude), math.radians(longitude)
        return (
            math.cos(phi) * math.cos(theta),
            math.cos(phi) * math.sin(theta),
            math.sin(phi),
        )

    a, b = vector(latitude_a, longitude_a), vector(latitude_b, longitude_b)
    cross = (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return EARTH_RADIUS_KM * math.atan2(math.hypot(*cross), dot)


def random_points(count, seed):
    generator = np.random.default_rng(seed)
    return generator.uniform(-90, 90, count), generator.uniform(-180, 180, count)


def test_one_degree_along_the_equator_is_111_km():
    assert haversine_km(0, 0, 0, 1) == pytest.approx(111.19508, abs=1e-5)


def test_one_degree_along_a_meridian_is_the_same_everywhere():
    assert haversine_km(60, 25, 61, 25) == pytest.approx(111.19508, abs=1e-5)


def test_one_degree_of_longitude_at_60_degrees_is_half_as_long():
    assert haversine_km(60, 0, 60, 1) == pytest.approx(111.19508 / 2, rel=1e-4)


@pytest.mark.parametrize(
    ("a", "b", "published_km"),
    [
        ((36.12, -86.67), (33.94, -118.40), 2886.4),  # BNA to LAX, Rosetta Code, R = 6371
        ((50.0664, -5.7147), (58.6439, -3.0700), 968.9),  # Land's End to John o' Groats
    ],
)
def test_published_distances(a, b, published_km):
    assert haversine_km(*a, *b) == pytest.approx(published_km, abs=0.1)


def test_equals_the_angle_between_vectors():
    latitude_a, longitude_a = random_points(200, 1)
    latitude_b, longitude_b = random_points(200, 2)
    expected = [
        plain_distance_km(*point)
        for point in zip(latitude_a, longitude_a, latitude_b, longitude_b, strict=True)
    ]
    found = haversine_km(latitude_a, longitude_a, latitude_b, longitude_b)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_equals_scikit_learn_on_a_table_of_unequal_sides():
    a, b = np.column_stack(random_points(7, 3)), np.column_stack(random_points(4, 4))
    expected = haversine_distances(np.radians(a), np.radians(b)) * EARTH_RADIUS_KM
    found = haversine_km(a[:, :1], a[:, 1:], b[:, 0], b[:, 1])
    assert found.shape == (7, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_points_a_metre_apart_keep_their_precision():
    step_deg = 0.001 / 111.19508
    assert haversine_km(48.0, 2.0, 48.0 + step_deg, 2.0) == pytest.approx(0.001, rel=1e-6)


def test_the_date_line_is_no_gap():
    assert haversine_km(0, 179.5, 0, -179.5) == pytest.approx(111.19508, abs=1e-5)
    assert haversine_km(10, 180, 10, -180) == pytest.approx(0, abs=1e-9)


def test_at_a_pole_longitude_means_nothing():
    assert haversine_km(90, 0, 90, 123) == pytest.approx(0, abs=1e-9)


def test_nan_in_any_coordinate_gives_nan_there_only():
    found = haversine_km([np.nan, 0, 0, 0, 0], [0, np.nan, 0, 0, 0], 0, [0, 0, np.nan, 0, 1])
    assert np.isnan(found).tolist() == [True, True, True, False, False]


def test_float32_coordinates_are_computed_in_float64():
    found = haversine_km(np.float32([48.5]), np.float32([2.25]), 48.5, 2.25)
    assert found.dtype == np.float64
    assert found.tolist() == [0.0]


def test_no_points_give_no_distances():
    assert haversine_km([], [], [], []).shape == (0,)


@pytest.mark.parametrize("latitude", [90.001, -151.2, math.inf])
def test_a_latitude_beyond_the_poles_is_refused(latitude):
    with pytest.raises(ValueError, match=r"latitude is .*swapped"):
        haversine_km([0.0, latitude], 0, 0, 0)
    with pytest.raises(ValueError, match="latitude is"):
        haversine_km(0, 0, latitude, 0)


def test_an_infinite_longitude_is_refused():
    with pytest.raises(ValueError, match="longitude is infinite"):
        haversine_km(0, math.inf, 0, 0)


@few
@given(POINTS, POINTS)
def test_distance_is_symmetric_and_between_zero_and_half_a_turn(a, b):
    there, back = haversine_km(*a, *b), haversine_km(*b, *a)
    assert there == back
    assert 0 <= there <= HALF_TURN_KM * (1 + 1e-12)


@few
@given(POINTS)
def test_distance_to_oneself_is_zero(a):
    assert haversine_km(*a, *a) == 0


@few
@given(POINTS)
def test_the_antipode_is_half_a_turn_away(a):
    latitude, longitude = a
    assert haversine_km(latitude, longitude, -latitude, longitude + 180) == pytest.approx(
        HALF_TURN_KM, abs=1e-3
    )


@few
@given(POINTS, POINTS, POINTS)
def test_a_detour_is_never_shorter(a, b, c):
    direct = haversine_km(*a, *c)
    assert direct <= haversine_km(*a, *b) + haversine_km(*b, *c) + 1e-3


@few
@given(POINTS, POINTS, st.floats(-360, 360))
def test_turning_the_globe_changes_nothing(a, b, turn):
    turned = haversine_km(a[0], a[1] + turn, b[0], b[1] + turn)
    assert turned == pytest.approx(float(haversine_km(*a, *b)), abs=1e-3)


def test_thresholds_are_those_of_the_field_in_order():
    assert list(THRESHOLDS_KM.items()) == [
        ("street", 1),
        ("city", 25),
        ("region", 200),
        ("country", 750),
        ("continent", 2500),
    ]


def test_geoscore_equals_the_formula_by_hand():
    distances = [0.0, 1.0, 25.0, 1492.7, 20015.0]
    expected = [5000 * math.exp(-d / 1492.7) for d in distances]
    np.testing.assert_allclose(geoscore(distances), expected, rtol=1e-12)
    assert geoscore(GEOSCORE_SCALE_KM) == pytest.approx(1839.397, abs=1e-3)


def test_geoscore_without_a_distance_is_zero():
    assert geoscore([np.nan, np.inf]).tolist() == [0.0, 0.0]


def test_geoscore_keeps_the_shape():
    assert geoscore(np.zeros((2, 3))).shape == (2, 3)
    assert geoscore([]).shape == (0,)


def test_a_negative_distance_is_refused():
    with pytest.raises(ValueError, match=r"-1\.0 km"):
        geoscore([3.0, -1.0, np.nan])


def test_the_map_keeps_areas():
    """The area of a small cell, by differences, is cos φ square degrees everywhere."""
    latitude, east = np.meshgrid(np.linspace(-85, 85, 35), np.linspace(-175, 175, 15))
    h = 1e-4
    (x_east, y_east), (x_west, y_west) = (equal_earth(latitude, east + s * h) for s in (1, -1))
    (x_north, y_north), (x_south, y_south) = (equal_earth(latitude + s * h, east) for s in (1, -1))
    across = (x_east - x_west) * (y_north - y_south) - (x_north - x_south) * (y_east - y_west)
    assert np.allclose(across / (2 * h) ** 2, np.cos(np.radians(latitude)), rtol=1e-5)


def test_the_map_ends_at_its_extent_and_its_parallels_are_straight():
    x, y = equal_earth(np.array([0.0, 0.0, 90.0, -90.0]), np.array([-180.0, 180.0, 0.0, 50.0]))
    assert x[:3] == pytest.approx([-MAP_WIDTH / 2, MAP_WIDTH / 2, 0.0], abs=1e-3)
    assert y[2:] == pytest.approx([MAP_HEIGHT / 2, -MAP_HEIGHT / 2], abs=1e-3)
    _, y = on_map(np.full(4, 49.0), np.array([-180.0, -95.0, 11.0, 180.0]))
    assert np.ptp(y) == 0


def test_the_bering_strait_parts_the_map():
    # Uelen in Chukotka and Wales in Alaska are 90 km apart, at opposite edges.
    (uelen, wales), _ = on_map(np.array([66.16, 65.61]), np.array([-169.81, -168.09]))
    edge, _ = on_map(66.0, -169.0)
    assert edge < 0
    assert (wales, uelen) == pytest.approx((edge, -edge), abs=1.5)
    assert np.isnan(on_map(np.array([np.nan]), np.array([5.0]))).all()
