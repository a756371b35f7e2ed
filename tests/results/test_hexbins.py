"""Hexagons against the nearest centre, found by trying all of them."""

import importlib
import math

import numpy as np
import pytest

from streetclip.results import error_hexbins

module = importlib.import_module("streetclip.results.hexbins")


def hexbins(latitude, longitude, values, *, size_deg):
    """Gather points; those without a place are left out."""
    lattice = module.Lattice.of_size(size_deg)
    cells = lattice.cells(latitude, longitude)
    is_known = cells >= 0
    return module.hexbins(lattice, cells[is_known], values[is_known])


def mercator(latitude_deg):
    """Mercator's y in degrees (Snyder 1987, Map Projections, eq. 7-2), cut off as the map is."""
    latitude = np.radians(np.clip(latitude_deg, -85.0511, 85.0511))
    return np.degrees(np.log(np.tan(math.pi / 4 + latitude / 2)))


def distances_to(latitude_deg, longitude_deg, centre_latitude_deg, centre_longitude_deg):
    """On the flat map, around the date line if that is shorter."""
    across = np.abs(np.asarray(longitude_deg)[:, None] - centre_longitude_deg)
    across = np.minimum(across, 360 - across)
    along = mercator(np.asarray(latitude_deg))[:, None] - mercator(centre_latitude_deg)
    return np.hypot(across, along)


def make_points(n, seed=0):
    rng = np.random.default_rng(seed)
    latitude, longitude = rng.uniform(-84, 84, n), rng.uniform(-180, 180, n)
    values = rng.uniform(0, 5000, n)
    latitude[::17], longitude[5::19], values[::7] = np.nan, np.nan, np.nan
    return latitude, longitude, values


@pytest.mark.parametrize("size_deg", [0.5, 3.0, 11.0, 90.0])
def test_every_point_is_in_the_hexagon_of_the_nearest_centre(size_deg):
    latitude, longitude, _ = make_points(500)
    known = ~(np.isnan(latitude) | np.isnan(longitude))
    latitude, longitude = latitude[known], longitude[known]
    lattice = module.Lattice.of_size(size_deg)
    cells = lattice.cells(latitude, longitude)
    occupied = np.unique(cells)
    found = distances_to(latitude, longitude, *lattice.centres(cells)).diagonal()
    everywhere = distances_to(latitude, longitude, *lattice.centres(occupied))
    np.testing.assert_allclose(found, everywhere.min(axis=1), atol=1e-3)
    assert (found <= lattice.width_deg / math.sqrt(3) + 1e-3).all()


def test_hexagons_hold_what_a_plain_count_finds():
    latitude, longitude, values = make_points(3000)
    found = hexbins(latitude, longitude, values, size_deg=20.0)
    centres = found["latitude_deg"].to_numpy(), found["longitude_deg"].to_numpy()
    known = np.flatnonzero(~(np.isnan(latitude) | np.isnan(longitude)))
    far = distances_to(latitude[known], longitude[known], *centres)
    ordered = np.sort(far, axis=1)
    assert ((ordered[:, 1] - ordered[:, 0]) > 1e-4).all()  # no point lies on an edge
    nearest = far.argmin(axis=1)
    for i, row in enumerate(found.itertuples()):
        inside = values[known][nearest == i]
        assert row.n == len(inside)
        assert row.num_values == np.count_nonzero(~np.isnan(inside))
        assert row.mean == pytest.approx(
            np.nanmean(inside) if row.num_values else math.nan, nan_ok=True
        )
    assert found["n"].sum() == len(known)


def test_corners_are_as_far_as_two_hexagons_touch():
    lattice = module.Lattice.of_size(10.0)
    found = hexbins(np.array([48.0, -20.0]), np.array([2.0, 120.0]), np.zeros(2), size_deg=10.0)
    for row in found.itertuples():
        corners = np.array(row.outline)
        assert corners.shape == (6, 2)
        far = np.hypot(
            corners[:, 0] - row.longitude_deg, mercator(corners[:, 1]) - mercator(row.latitude_deg)
        )
        assert far == pytest.approx(np.full(6, lattice.width_deg / math.sqrt(3)))


def test_hexagons_meet_at_the_date_line():
    longitude = np.array([-180.0, 180.0, 179.99, -179.99])
    found = hexbins(np.full(4, 0.1), longitude, np.ones(4), size_deg=7.0)
    assert found["n"].tolist() == [4]
    assert found["longitude_deg"].between(-180, 180).all()


def test_the_poles_are_drawn_at_the_ends_of_the_map():
    found = hexbins(np.array([90.0, 89.0, -90.0]), np.zeros(3), np.ones(3), size_deg=30.0)
    assert sorted(found["n"]) == [1, 2]


def test_no_points_make_no_hexagons():
    nothing = np.array([np.nan])
    for array in (nothing, nothing[:0]):
        found = hexbins(array, array, array, size_deg=3.0)
        assert found.empty
        assert list(found) == [
            "latitude_deg",
            "longitude_deg",
            "outline",
            "n",
            "num_values",
            "mean",
        ]


@pytest.mark.parametrize("size_deg", [0.0, -1.0, 0.01, 91.0, math.nan])
def test_a_size_that_cannot_be_is_refused(size_deg):
    with pytest.raises(ValueError, match="size_deg is"):
        hexbins(np.zeros(1), np.zeros(1), np.zeros(1), size_deg=size_deg)


def plain_points(world, mask, where, measure):
    """Latitude, longitude and value of every image whose place is known."""
    name = {"true": "true", "predicted": "pred"}[where]
    for row in world.chosen(mask):
        place = row[f"{name}_latitude_deg"], row[f"{name}_longitude_deg"]
        value = math.nan if row[measure] is None else row[measure]
        if None not in place:
            yield *place, value


@pytest.mark.parametrize("measure", ["distance_km", "country_probability"])
@pytest.mark.parametrize("where", ["true", "predicted"])
def test_images_of_a_run_are_gathered_as_their_points(world, chosen, where, measure):
    found = error_hexbins(world.table, chosen, where=where, measure=measure, size_deg=40.0)
    points = np.array([*plain_points(world, chosen, where, measure)]).reshape(-1, 3)
    if where == "true":  # as the columns hold them
        points[:, :2] = points[:, :2].astype(np.float32)
    expected = hexbins(*points.T, size_deg=40.0)
    assert found["n"].tolist() == expected["n"].tolist()
    assert found["num_values"].tolist() == expected["num_values"].tolist()
    np.testing.assert_allclose(found["mean"], expected["mean"])


@pytest.mark.parametrize("wrong", [{"where": "here"}, {"measure": "colour"}])
def test_what_there_is_not_is_refused(world, wrong):
    with pytest.raises(ValueError, match=r"expected one of true, predicted|no column 'colour'"):
        error_hexbins(world.table, world.table.done, **wrong)
