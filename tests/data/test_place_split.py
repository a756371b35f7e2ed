import time

import numpy as np
import pytest
from scipy.spatial import cKDTree

from streetclip.data.place_split import are_near, split_by_place
from streetclip.geo import EARTH_RADIUS_KM, haversine_km

SHARES = (0.8, 0.1, 0.1)


def towns(num_towns, num_images, spread_deg, seed=0):
    random = np.random.default_rng(seed)
    middle = np.column_stack(
        [random.uniform(-60, 70, num_towns), random.uniform(-180, 180, num_towns)]
    )
    return (middle[random.integers(num_towns, size=num_images)]
            + random.normal(0, spread_deg, (num_images, 2))).T  # fmt: skip


def nearest_km(points, number, one, other):
    """The least distance between two parts, by the straight line through the Earth."""
    latitude, longitude = np.radians(points)
    xyz = np.column_stack([np.cos(latitude) * np.cos(longitude),
                           np.cos(latitude) * np.sin(longitude), np.sin(latitude)])  # fmt: skip
    chord, _ = cKDTree(xyz[number == one]).query(xyz[number == other])
    return 2 * EARTH_RADIUS_KM * np.arcsin(chord.min() / 2)


@pytest.mark.parametrize("min_km", [0.2, 1, 30])
def test_parts_are_as_far_apart_as_asked_in_dense_towns_and_across_the_antimeridian(min_km):
    points = np.hstack([towns(150, 2000, 0.05), [[10.0, 10.0], [179.9999, -179.9999]]])
    number = split_by_place(*points, SHARES, min_km=min_km, seed=4).number_N
    assert set(number) == {0, 1, 2}
    for one, other in ((0, 1), (0, 2), (1, 2)):
        km = haversine_km(
            *points[:, number == one][:, :, None], *points[:, number == other][:, None]
        )
        assert km.min() > min_km
    assert number[-1] == number[-2]


def test_places_farther_apart_than_twice_the_distance_are_groups_of_their_own():
    latitude = np.arange(50) * 0.02  # 2.2 km
    split = split_by_place(latitude, np.zeros(50), SHARES, min_km=1, seed=0)
    assert (split.num_groups, split.largest_group) == (50, 1)
    assert np.bincount(split.number_N).tolist() == [40, 5, 5]


def test_the_seed_alone_decides():
    points = towns(100, 500, 0.01)
    first, again, other = (
        split_by_place(*points, SHARES, min_km=1, seed=seed).number_N for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_group_too_large_for_a_part_goes_to_the_largest_and_a_share_of_none_gets_none():
    points = np.hstack([np.zeros((2, 90)), np.full((2, 10), 40.0)])
    number = split_by_place(*points, (0.0, 0.9, 0.1), min_km=1, seed=0).number_N
    assert np.bincount(number, minlength=3).tolist() == [0, 90, 10]


def test_a_hundred_thousand_images_split_in_seconds_with_the_shares_asked():
    points = towns(4000, 100_000, 0.02)
    start = time.perf_counter()
    number = split_by_place(*points, SHARES, min_km=1, seed=0).number_N
    assert time.perf_counter() - start < 20  # measured: 0.5
    assert np.bincount(number) / 1e5 == pytest.approx(SHARES, abs=0.01)
    assert min(nearest_km(points, number, 0, k) for k in (1, 2)) > 1


@pytest.mark.parametrize("km", [1, 40, 9000])
def test_points_near_others_are_those_that_haversine_finds(km):
    own, others = towns(40, 300, 0.2, seed=2), towns(40, 170, 0.2, seed=2)
    own[:, 0], others[:, 0] = (10, 179.999), (10, -179.999)
    own[:, 7] = others[1, 3] = np.nan
    found = are_near(tuple(own), tuple(others), km)
    distances = haversine_km(*own[:, :, None], *others[:, None])
    expected = (distances <= km).any(axis=1)
    np.testing.assert_array_equal(found, expected)
    assert found[0]
    assert not found[7]
    assert expected.sum() > 0
