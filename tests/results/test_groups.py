"""Groups against a count in plain Python over the rows, and against the store's aggregates."""

import importlib
import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from streetclip import store as stored
from streetclip.geo import THRESHOLDS_KM, geoscore
from streetclip.metrics.intervals import median_with_interval
from streetclip.results import (
    DatasetTable,
    RunTable,
    distance_counts,
    group_accuracy,
    macro_of_countries,
    mean_geoscore,
)

groups_module = importlib.import_module("streetclip.results.groups")

KEYS = {
    "overall": [],
    "continent": ["continent"],
    "country": ["continent", "true_country"],
    "country_code": ["true_country"],
    "region": ["continent", "true_country", "region"],
    "city": ["continent", "true_country", "region", "city"],
    "predicted": ["pred_country"],
    "attribute:weather": ["weather"],
}


def plain_groups(rows, by):
    """One dict a group, by key, in order."""
    grouped = {}
    for row in rows:
        flat = {**row, **row["attributes"], "pred_country": row["pred_country"] or ""}
        grouped.setdefault(tuple(flat[name] for name in KEYS[by]), []).append(row)
    return {key: plain_counters(grouped[key], by) for key in sorted(grouped)}


def plain_counters(rows, by):
    judged = [row for row in rows if row["coordinate_source"] != "none"]
    known = [row["distance_km"] for row in rows if row["distance_km"] is not None]
    wrong = [row for row in rows if not row["country_correct"]]
    named = Counter(row["true_country" if by == "predicted" else "pred_country"] for row in wrong)
    del named[None]
    top_n = max(named.values(), default=0)
    median = median_with_interval(
        [math.inf if row["distance_km"] is None else row["distance_km"] for row in judged]
    )
    near = [row["nearest_candidate_km"] for row in rows]
    counters = {
        "n": len(rows),
        "unreadable": sum(row["status"] == "unreadable" for row in rows),
        "with_coordinates": len(judged),
        "num_distances": len(known),
        "geoscore_sum": math.fsum(geoscore(known).tolist()),
        "distance_km_sum": math.fsum(known),
        "nearest_known": sum(km is not None for km in near),
        "median_km": median.value,
        "median_low_km": median.low,
        "median_high_km": median.high,
        "top_mistake": min((code for code, n in named.items() if n == top_n), default=""),
        "top_mistake_n": top_n,
        "country_correct_city_reachable": sum(
            row["country_correct"] and row["city_reachable"] for row in rows
        ),
    }
    for name in ("country_correct", "city_correct", "country_reachable", "city_reachable"):
        counters[name] = sum(row[name] for row in rows)
    for km in THRESHOLDS_KM.values():
        counters[f"within_{km}"] = sum(x <= km for x in known)
        counters[f"reachable_within_{km}"] = sum(x is not None and x <= km for x in near)
    return counters


def check(world, mask, by):
    found = group_accuracy(world.table, mask, by)
    expected = plain_groups(world.chosen(mask), by)
    keys = [name for name in found.columns if name in {"continent", "country", "region", "city"}]
    keys += [name for name in ("predicted", "value") if name in found]
    assert len(keys) == len(KEYS[by])
    assert list(found[keys].itertuples(index=False, name=None)) == list(expected)
    for name in set(found.columns) - set(keys):
        values = [each[name] for each in expected.values()]
        if name.endswith("_sum"):
            np.testing.assert_allclose(found[name], values, rtol=1e-11, err_msg=name)
        elif name.startswith("median"):
            np.testing.assert_array_equal(found[name], values)
        else:
            assert found[name].tolist() == values, name


@pytest.mark.parametrize("by", KEYS)
def test_groups_are_those_of_a_plain_count(world, chosen, by):
    check(world, chosen, by)


@pytest.mark.parametrize("by", ["city", "country", "predicted"])
def test_many_groups_are_counted_part_by_part(world, chosen, by, monkeypatch):
    monkeypatch.setattr(groups_module, "_FEW_GROUPS", 0)
    monkeypatch.setattr(groups_module, "_MOST_CELLS", 2 * 256)
    check(world, chosen, by)


@pytest.mark.parametrize("by", ["country", "country_code", "city"])
def test_macro_is_over_true_countries_whatever_the_groups(world, chosen, by):
    found = group_accuracy(world.table, chosen, by)
    rows = world.chosen(chosen)
    for counted, of in (("country_correct", "n"), ("city_correct", "country_correct")):
        shares = {}
        for row in rows:
            if of == "n" or row[of]:
                shares.setdefault(row["true_country"], []).append(row[counted])
        means = [sum(each) / len(each) for each in shares.values()]
        expected = math.fsum(means) / len(means) if means else None
        assert macro_of_countries(found, counted, of) == expected


def test_a_mean_score_is_over_all_images_with_coordinates(world, chosen):
    judged = [row for row in world.chosen(chosen) if row["coordinate_source"] != "none"]
    known = [row["distance_km"] for row in judged if row["distance_km"] is not None]
    found = mean_geoscore(world.table, chosen)
    if judged:
        expected = math.fsum(geoscore(known).tolist()) / len(judged)
        assert found == pytest.approx(expected, rel=1e-14)
    else:
        assert found is None


@pytest.mark.parametrize("level", stored.LEVELS)
def test_all_images_give_what_the_store_has_counted(world, level):
    with stored.open_store(world.path, read_only=True) as opened:
        expected = stored.place_accuracy(opened, world.run_id, level)
    found = group_accuracy(world.table, world.table.done, level)[expected.columns]
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-11)


def test_places_need_not_be_in_order(world):
    table = world.table
    backwards = DatasetTable.from_arrays(
        image_ids=table.image_ids,
        place=np.int32(len(table.places) - 1) - table.place,
        places=table.places[::-1].reset_index(drop=True),
    )
    names = ["flags", "pred_place", "distance_km", "distance_bin", "nearest_bin"]
    same = RunTable.from_arrays(
        backwards,
        columns=dict(zip(names, table.load(*names), strict=True)),
        predicted_places=table.predicted_places,
        done=table.done,
    )
    expected = group_accuracy(table, table.done, "region")
    pd.testing.assert_frame_equal(group_accuracy(same, same.done, "region"), expected)


def test_every_counter_of_the_store_is_there(world):
    found = group_accuracy(world.table, world.table.done, "country")
    assert set(stored.place_counters()) <= set(found.columns)


def test_a_grouping_that_there_is_not_is_refused(world):
    with pytest.raises(ValueError, match="cannot group by 'planet'; expected overall"):
        group_accuracy(world.table, world.table.done, "planet")
    with pytest.raises(ValueError, match="'moon' is no attribute"):
        group_accuracy(world.table, world.table.done, "attribute:moon")


def test_a_mask_of_another_length_is_refused(world):
    with pytest.raises(ValueError, match=r"expected [0-9]+ bool"):
        group_accuracy(world.table, np.ones(3, dtype=np.bool_), "country")


def test_distance_counts_are_those_of_a_plain_count(world, chosen):
    rows = world.chosen(chosen)
    found = distance_counts(world.table, chosen)
    known = [row["distance_km"] for row in rows if row["distance_km"] is not None]
    assert found["n"].tolist() == [sum(x <= km for x in known) for km in found["distance_km"]]
    judged = sum(row["coordinate_source"] != "none" for row in rows)
    assert set(found["total"]) == {judged}


def test_distance_counts_of_all_images_are_the_curve_of_the_store(world):
    with stored.open_store(world.path, read_only=True) as opened:
        expected = stored.distance_curve(opened, world.run_id)
    pd.testing.assert_frame_equal(distance_counts(world.table, world.table.done), expected)
