"""Ways on the map against distances on the sphere."""

import numpy as np
import pandas as pd
import pytest

from streetclip.geo import MAP_HEIGHT, MAP_WIDTH, haversine_km, on_map
from streetclip.results import great_circles

NAMES = [f"{end}_{axis}_deg" for end in ("true", "pred") for axis in ("latitude", "longitude")]


def ways(*rows, halves=False):
    """Pieces as arrays of [x, y], with their arcs and halves."""
    found = great_circles(pd.DataFrame(rows, columns=NAMES, dtype=np.float64), halves=halves)
    paths = [np.array(path).reshape(-1, 2) for path in found["path"]]
    return found["arc"].tolist(), found["half"].tolist(), paths


def random_ends(n=300):
    rng = np.random.default_rng(3)
    latitudes, longitudes = rng.uniform(-89, 89, (2, n)), rng.uniform(-180, 180, (2, n))
    return [*zip(latitudes[0], longitudes[0], latitudes[1], longitudes[1], strict=True)]


def place_of(point):
    """Latitude and longitude of a point of the map, by bisection along and across it."""
    low, high = -90.0, 90.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if on_map(middle, 0.0)[1] < point[1] else (low, middle)
    scale = on_map(low, 12.0)[0]  # of a degree, along the parallel
    return low, (point[0] / scale + 11 + 180) % 360 - 180


@pytest.mark.parametrize("halves", [False, True])
def test_a_way_goes_from_end_to_end_on_the_map_without_a_leap(halves):
    ends = random_ends()
    arcs, _, paths = ways(*ends, halves=halves)
    assert sorted(set(arcs)) == [*range(len(ends))]
    for arc, end in enumerate(ends):
        pieces = [path for each, path in zip(arcs, paths, strict=True) if each == arc]
        assert pieces[0][0] == pytest.approx(on_map(*end[:2]), abs=0.01)
        assert pieces[-1][-1] == pytest.approx(on_map(*end[2:]), abs=0.01)
        for path in pieces:
            assert np.abs(path[:, 0]).max() <= MAP_WIDTH / 2 + 0.01
            assert np.abs(path[:, 1]).max() <= MAP_HEIGHT / 2 + 0.01
        # Not across the map; along a pole, points of one degree may be far apart.
        inside = [path[np.abs(path[:, 1]) < 72] for path in pieces]
        steps = [np.hypot(*np.diff(path, axis=0).T).max(initial=0.0) for path in pieces]
        assert max(steps) < 120
        if sum(map(len, inside)) == sum(map(len, pieces)):
            assert max(steps) < 12


def test_points_of_a_way_lie_on_the_shortest_one():
    ends = random_ends(40)
    arcs, _, paths = ways(*ends)
    for arc, path in zip(arcs, paths, strict=True):
        end = ends[arc]
        total = haversine_km(*end)
        for point in path[1:-1]:
            place = place_of(point)
            detour = haversine_km(*end[:2], *place) + haversine_km(*place, *end[2:]) - total
            assert detour < 20  # the map's positions are rounded to 1 km


def test_a_way_across_the_edge_goes_on_at_the_other_edge():
    arcs, halves, (tokyo, seattle) = ways((35.7, 139.7, 47.6, -122.3))
    assert (arcs, halves) == ([0, 0], [0, 0])
    assert tokyo[-1][0] > 100 > -100 > seattle[0][0]
    assert tokyo[-1] == pytest.approx(seattle[0] * [-1, 1], abs=0.02)


def test_halves_meet_in_the_middle_of_the_way():
    arcs, halves, paths = ways((0.0, 0.0, 0.0, 90.0), (48.9, 2.4, 40.4, -3.7), halves=True)
    assert (arcs, halves) == ([0, 0, 1, 1], [0, 1, 0, 1])
    assert paths[0][-1] == pytest.approx(on_map(0.0, 45.0), abs=0.01)
    for first, second in (paths[:2], paths[2:]):
        assert (first[-1] == second[0]).all()


@pytest.mark.parametrize("end", [(0.0, 180.0), (-10.0, -160.0), (10.0, 20.0)])
def test_opposite_and_equal_places_have_a_way(end):
    start = (0.0, 0.0) if end[0] == 0 else (10.0, 20.0)
    _, _, paths = ways((*start, *end))
    assert all(np.isfinite(path).all() for path in paths)
    assert paths[0][0] == pytest.approx(on_map(*start), abs=0.01)
    assert np.abs(paths[-1][-1]) == pytest.approx(np.abs(on_map(*end)), abs=0.01)


def test_without_arcs_there_are_no_pieces():
    assert great_circles(pd.DataFrame(columns=NAMES, dtype=np.float64), halves=True).empty
