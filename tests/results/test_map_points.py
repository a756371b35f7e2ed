import math

import numpy as np
import pytest

from streetclip.results import error_arcs, hexagon_counts, images_in_hexagon, num_error_arcs

COORDINATES = [
    f"{end}_{axis}_deg" for end in ("true", "pred") for axis in ("latitude", "longitude")
]


def rows_with_ends(world, mask):
    """The chosen rows that have four coordinates, by image id, in plain Python."""
    rows = [
        row
        for row in world.chosen(mask)
        if all(row[name] is not None and not math.isnan(row[name]) for name in COORDINATES)
    ]
    return sorted(rows, key=lambda row: row["image_id"])


def test_every_image_with_both_places_is_given_as_its_row_says(world, chosen):
    expected = rows_with_ends(world, chosen)
    found = error_arcs(world.table, chosen, 10_000)
    assert num_error_arcs(world.table, chosen) == len(expected)
    assert found["image_id"].tolist() == [row["image_id"] for row in expected]
    for name in ("true_country", "pred_country"):
        assert found[name].tolist() == [row[name] for row in expected]
    for name in (*COORDINATES, "country_probability"):
        values = np.array([row[name] for row in expected], dtype=np.float64)
        np.testing.assert_allclose(found[name], values, atol=1e-5)
    distances = [math.nan if row["distance_km"] is None else row["distance_km"] for row in expected]
    np.testing.assert_array_equal(found["distance_km"], np.array(distances, dtype=np.float64))


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_of_more_images_so_many_are_taken_evenly(world, limit):
    everything = np.ones(len(world.image_ids), dtype=np.bool_)
    ids = [row["image_id"] for row in rows_with_ends(world, everything)]
    found = error_arcs(world.table, everything, limit)["image_id"].tolist()
    assert found == [ids[i * len(ids) // limit] for i in range(limit)]
    ranks = [ids.index(each) for each in found]
    steps = np.diff([*ranks, len(ids)])
    assert steps.max() - steps.min() <= 1


def test_a_limit_below_one_is_refused(world, chosen):
    with pytest.raises(ValueError, match="limit is 0"):
        error_arcs(world.table, chosen, 0)


@pytest.mark.parametrize("where", ["true", "predicted"])
def test_each_image_is_in_the_hexagon_that_counts_it(world, chosen, where):
    size_deg = 30.0
    bins = hexagon_counts(world.table, chosen, where=where, size_deg=size_deg)
    seen = np.zeros(len(chosen), dtype=np.int64)
    for cell, n in zip(bins["cell"].tolist(), bins["n"], strict=True):
        inside = images_in_hexagon(world.table, chosen, cell, where=where, size_deg=size_deg)
        assert inside.sum() == n
        seen += inside
    assert seen.max(initial=0) <= 1
    assert not (seen & ~chosen).any()


def test_a_hexagon_that_is_not_on_the_map_holds_no_image(world, chosen):
    for cell in (10**9, -1):
        assert not images_in_hexagon(world.table, chosen, cell).any()
