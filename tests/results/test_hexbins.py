"""Hexagons against the nearest centre, found by trying all of them."""

import math

import numpy as np
import pandas as pd
import pytest

from streetclip.geo import on_map
from streetclip.results import Lattice, hexagon_counts
from tests.results.conftest import make_table


def distances_to(latitude_deg, longitude_deg, centres):
    x, y = on_map(np.asarray(latitude_deg, np.float64), np.asarray(longitude_deg, np.float64))
    return np.hypot(x[:, None] - centres[0], y[:, None] - centres[1])


def make_points(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-90, 90, n), rng.uniform(-180, 180, n)


@pytest.mark.parametrize("size_deg", [0.5, 3.0, 11.0, 90.0])
def test_every_point_is_in_the_hexagon_of_the_nearest_centre(size_deg):
    latitude, longitude = make_points(500)
    lattice = Lattice.of_size(size_deg)
    cells = lattice.cells(latitude, longitude)
    assert cells.min() >= 0
    assert cells.max() < lattice.num_rows * lattice.num_columns
    found = distances_to(latitude, longitude, lattice.centres(cells)).diagonal()
    everywhere = distances_to(latitude, longitude, lattice.centres(np.unique(cells)))
    np.testing.assert_allclose(found, everywhere.min(axis=1), atol=1e-3)
    assert (found <= size_deg / math.sqrt(3) + 1e-3).all()


def test_the_ends_of_the_map_are_in_hexagons():
    latitude, longitude = np.array([90.0, -90.0, 0.0, 0.0, 90.0]), np.array([0, 0, -169, -169.1, 5])
    for size_deg in (0.2, 4.0, 90.0):
        lattice = Lattice.of_size(size_deg)
        cells = lattice.cells(latitude, longitude)
        assert cells.min() >= 0
        assert cells.max() < lattice.num_rows * lattice.num_columns


def test_a_place_without_a_coordinate_is_in_no_hexagon():
    cells = Lattice.of_size(3.0).cells(np.array([np.nan, 4.0, 5.0]), np.array([1.0, np.nan, 6.0]))
    assert (cells >= 0).tolist() == [False, False, True]


def test_corners_are_as_far_as_two_hexagons_touch():
    lattice = Lattice.of_size(10.0)
    cells = lattice.cells(np.array([48.0, -20.0]), np.array([2.0, 120.0]))
    corners = np.array(lattice.outlines(cells))
    assert corners.shape == (2, 6, 2)
    for outline, centre in zip(corners, np.array(lattice.centres(cells)).T, strict=True):
        assert np.hypot(*(outline - centre).T) == pytest.approx(np.full(6, 10 / 3**0.5), abs=1e-3)


@pytest.mark.parametrize("size_deg", [0.0, -1.0, 0.01, 91.0, math.nan])
def test_a_size_that_cannot_be_is_refused(size_deg):
    with pytest.raises(ValueError, match="size_deg is"):
        Lattice.of_size(size_deg)


def plain_hexagons(world, mask, where, lattice):
    """The rows of a run by the hexagon of their place, where it is known."""
    name = {"true": "true", "predicted": "pred"}[where]
    found = {}
    for row in world.chosen(mask):
        place = [row[f"{name}_{axis}_deg"] for axis in ("latitude", "longitude")]
        if None not in place:
            latitude, longitude = (np.array([each]) for each in place)
            if where == "true":  # as the columns hold them
                latitude, longitude = latitude.astype(np.float32), longitude.astype(np.float32)
            found.setdefault(int(lattice.cells(latitude, longitude)[0]), []).append(row)
    return found


@pytest.mark.parametrize("where", ["true", "predicted"])
def test_hexagons_hold_what_a_plain_count_finds(world, chosen, where):
    lattice = Lattice.of_size(40.0)
    found = hexagon_counts(world.table, chosen, where=where, size_deg=40.0).set_index("cell")
    expected = plain_hexagons(world, chosen, where, lattice)
    assert sorted(found.index) == sorted(expected)
    for cell, rows in expected.items():
        assert found["n"][cell] == len(rows)
        assert found["country_correct"][cell] == sum(row["country_correct"] for row in rows)
        located = [row for row in rows if row["true_latitude_deg"] is not None]
        km = [math.inf if row["distance_km"] is None else row["distance_km"] for row in located]
        median = float(np.median(np.float32(km))) if km else math.nan
        assert found["median_km"][cell] == pytest.approx(median, nan_ok=True)
        assert (found["x"][cell], found["y"][cell]) == tuple(lattice.centres(cell))


def test_no_place_makes_no_hexagons():
    found = hexagon_counts(make_table({"flags": np.zeros(3, np.uint8)}), np.ones(3, np.bool_))
    assert found.empty
    assert {"cell", "x", "y", "outline", "n", "country_correct", "median_km"} <= {*found}


def test_a_place_that_there_is_not_is_refused(world):
    with pytest.raises(ValueError, match="expected one of true, predicted"):
        hexagon_counts(world.table, world.table.done, where="here")


def test_the_hexagon_of_an_image_is_found_once_for_each_size_of_the_map(world, chosen, monkeypatch):
    sizes = (4.0, 1.0, 0.3)
    first = [hexagon_counts(world.table, chosen, size_deg=size) for size in sizes]
    asked, cells = [], Lattice.cells
    monkeypatch.setattr(
        Lattice, "cells", lambda self, *places: (asked.append(self.width), cells(self, *places))[1]
    )
    for size, before in zip(sizes * 2, first * 2, strict=True):  # as with each change of a filter
        pd.testing.assert_frame_equal(
            hexagon_counts(world.table, chosen, size_deg=size), before, check_exact=True
        )
    assert asked == []
    hexagon_counts(world.table, chosen, size_deg=20.0)
    assert set(asked) == {20.0}
