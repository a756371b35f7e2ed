"""The nearest candidate against every candidate, by the haversine that measures predictions."""

import tracemalloc

import numpy as np
import pytest

from streetclip.evaluation import true_places
from streetclip.evaluation.true_places import nearest_km
from streetclip.geo import haversine_km


def plain_nearest(places, candidates):
    """Each place against each candidate."""
    return [
        float(haversine_km(*np.transpose(candidates), *np.array(place, float)).min())
        for place in places
    ]


def around_the_globe(rng, count):
    latitude = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    return np.stack([latitude, rng.uniform(-180, 180, count)], axis=1)


def find(places, candidates):
    return nearest_km(*np.array(places, float).T, *np.array(candidates, float).T)


@pytest.mark.parametrize("block", [1, 7, 512])
@pytest.mark.parametrize(("num_places", "num_candidates"), [(60, 1), (60, 37), (1, 60)])
def test_it_is_that_of_every_candidate_to_the_last_bit(
    num_places, num_candidates, block, monkeypatch
):
    monkeypatch.setattr(true_places, "_BLOCK", block)
    rng = np.random.default_rng(num_candidates)
    places = around_the_globe(rng, num_places)
    candidates = around_the_globe(rng, num_candidates)
    assert find(places, candidates).tolist() == plain_nearest(places, candidates)


def test_places_near_candidates_near_one_another_are_exact():
    # Within metres of one another, cosines do not tell candidates apart.
    rng = np.random.default_rng(4)
    candidates = np.array([48.85, 2.35]) + rng.normal(0, 1e-6, (40, 2))
    places = np.concatenate([candidates[:9], candidates + rng.normal(0, 1e-6, (40, 2))])
    found = find(places, candidates)
    assert found.tolist() == plain_nearest(places, candidates)
    assert found[:9].tolist() == [0.0] * 9


def test_poles_the_date_line_and_the_far_side_are_on_the_sphere():
    candidates = [(90.0, 12.0), (-90.0, 0.0), (10.0, 179.9)]
    places = [(89.0, -170.0), (-89.5, 100.0), (10.0, -179.9), (-10.0, 0.0), (0.0, 0.0)]
    found = find(places, candidates)
    assert found.tolist() == plain_nearest(places, candidates)
    assert found[2] == pytest.approx(21.9, abs=0.1)


def test_a_place_without_coordinates_has_none_and_neither_has_any_without_candidates():
    found = find([(1.0, np.nan), (1.0, 2.0)], [(np.nan, np.nan), (1.0, 3.0)])
    assert np.isnan(found[0])
    assert found[1] == float(haversine_km(1.0, 3.0, 1.0, 2.0))
    assert np.isnan(find([(1.0, 2.0)], [(np.nan, np.nan)])).all()
    assert len(nearest_km(*np.empty((4, 0)))) == 0


def test_memory_does_not_grow_with_places_times_candidates():
    rng = np.random.default_rng(1)
    places, candidates = around_the_globe(rng, 20_000), around_the_globe(rng, 3_000)
    tracemalloc.start()
    find(places, candidates)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6  # the table of all pairs would take 480 MB
