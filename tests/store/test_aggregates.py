"""Aggregates against a GROUP BY of the predictions, however they were batched."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streetclip.geo import THRESHOLDS_KM, geoscore
from streetclip.store import (
    LEVELS,
    country_pairs,
    distance_bin_edges_km,
    distance_curve,
    place_accuracy,
    place_counters,
    read_predictions,
    run_totals,
    write_predictions,
)
from tests.random_search import examples

PLACE = ["true_continent", "true_country", "true_region", "true_city"]


def counted_by_pandas(frame):
    """What each counter should sum up, one row a prediction."""
    counters = pd.DataFrame(
        {
            "n": 1,
            "unreadable": (frame["status"] == "unreadable").astype(int),
            "with_coordinates": (frame["coordinate_source"] != "none").astype(int),
            "num_distances": frame["distance_km"].notna().astype(int),
            "country_correct": frame["country_correct"],
            "city_correct": frame["city_correct"],
            "country_reachable": frame["country_reachable"],
            "city_reachable": frame["city_reachable"],
            "country_correct_city_reachable": frame["country_correct"] & frame["city_reachable"],
            "geoscore_sum": geoscore(frame["distance_km"]),
            "distance_km_sum": frame["distance_km"].fillna(0),
        }
    )
    for km in THRESHOLDS_KM.values():
        counters[f"within_{km}"] = (frame["distance_km"] <= km).astype(int)
        counters[f"reachable_within_{km}"] = (frame["nearest_candidate_km"] <= km).astype(int)
    return counters[list(place_counters())]


def assert_aggregates_match(store, run_id):
    frame = read_predictions(store, run_id)
    counters = counted_by_pandas(frame)
    for depth, level in enumerate(LEVELS):
        found = place_accuracy(store, run_id, level)
        if depth == 0:
            expected = counters.sum().to_frame().T
        else:
            keys = [frame[name].rename(name.removeprefix("true_")) for name in PLACE[:depth]]
            expected = counters.groupby(keys).sum().reset_index()
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)

    pairs = (
        counters[["n", "city_correct", "num_distances", "distance_km_sum"]]
        .assign(country_probability_sum=frame["country_probability"].fillna(0))
        .groupby([frame["true_country"], frame["pred_country"].fillna("").rename("pred_country")])
        .sum()
        .reset_index()
    )
    pd.testing.assert_frame_equal(country_pairs(store, run_id), pairs, check_dtype=False)

    curve = distance_curve(store, run_id)
    expected = [(frame["distance_km"] <= edge).sum() for edge in curve["distance_km"]]
    assert curve["n"].tolist() == expected
    assert set(curve["total"]) == {(frame["coordinate_source"] != "none").sum()}


@settings(
    max_examples=examples(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    cuts=st.lists(st.integers(0, 157), max_size=6),
    overlap=st.integers(0, 40),
    seed=st.integers(0, 1000),
)
def test_aggregates_equal_a_group_by_after_any_batching(filled, cuts, overlap, seed):
    run_id = filled.start()
    predictions = filled.predictions(seed).sample(frac=1, random_state=seed)
    edges = sorted({0, *cuts, len(predictions)})
    for start, stop in itertools.pairwise(edges):
        batch = predictions[max(0, start - overlap) : stop]
        write_predictions(filled.store, {run_id: batch})
    assert_aggregates_match(filled.store, run_id)


def test_a_partial_run_has_its_figures(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()[:61]})
    assert_aggregates_match(filled.store, filled.run_id)
    assert run_totals(filled.store, filled.run_id)["n"] == 61


def test_same_names_in_two_countries_are_two_cities(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    cities = place_accuracy(filled.store, filled.run_id, "city")
    truth = filled.manifest.value_counts(["country_code", "city"])
    for country in ("GB", "CA"):
        row = cities[(cities["country"] == country) & (cities["city"] == "London")]
        assert row["n"].tolist() == [truth[country, "London"]]


def test_the_histogram_equals_numpys(filled):
    predictions = filled.predictions()
    write_predictions(filled.store, {filled.run_id: predictions})
    edges = distance_bin_edges_km()
    # numpy's bins hold their lower edge, these their upper one: so count from the other side.
    distance_km = predictions["distance_km"].dropna()
    reversed_counts, _ = np.histogram(-distance_km, bins=[-np.inf, *-edges[::-1], np.inf])
    stored = filled.store.rows("SELECT bin, n FROM distance_histogram ORDER BY bin")
    expected = reversed_counts[::-1]
    assert dict(stored) == {i: n for i, n in enumerate(expected.tolist()) if n}


def test_the_curve_is_exact_at_the_thresholds(filled):
    predictions = filled.predictions()
    write_predictions(filled.store, {filled.run_id: predictions})
    curve = distance_curve(filled.store, filled.run_id).set_index("distance_km")
    totals = run_totals(filled.store, filled.run_id)
    for km in THRESHOLDS_KM.values():
        assert curve.loc[km, "n"] == totals[f"within_{km}"]
        assert curve.loc[km, "n"] == (predictions["distance_km"] <= km).sum()


def test_a_distance_on_an_edge_lies_within_it(filled):
    distances = [0.0, 0.1, 1.0, 1.0000001, 20_015.1]
    batch = filled.predictions()[:5].assign(distance_km=distances, coordinate_source="image")
    write_predictions(filled.store, {filled.run_id: batch})
    curve = distance_curve(filled.store, filled.run_id)
    n_within = dict(zip(curve["distance_km"], curve["n"], strict=True))
    assert (n_within[0.1], n_within[1.0], n_within[25.0]) == (2, 3, 4)
    assert curve["n"].iloc[-1] == curve["total"].iloc[-1] == 5


def test_bins_are_ascending_about_forty_a_decade():
    edges = distance_bin_edges_km()
    ratios = edges[1:] / edges[:-1]
    assert edges[0] == 0.1
    assert edges[-1] == 20_040.0
    assert len(edges) == 213
    assert ratios.min() > 1.0
    assert ratios.max() < 1.07  # 10^(1/40) = 1.059, a little more beside a moved edge


def test_a_run_without_predictions_has_zeros(filled):
    totals = run_totals(filled.store, filled.run_id)
    assert set(totals) == set(place_counters())
    assert set(totals.values()) == {0}
    curve = distance_curve(filled.store, filled.run_id)
    assert curve["n"].sum() == curve["total"].sum() == 0
    assert place_accuracy(filled.store, filled.run_id, "country").empty
    assert country_pairs(filled.store, filled.run_id).empty


def test_an_unknown_level_is_refused(filled):
    with pytest.raises(ValueError, match="planet"):
        place_accuracy(filled.store, filled.run_id, "planet")
