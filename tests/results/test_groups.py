"""Groups against a count in plain Python over the rows."""

import importlib
import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetclip.geo import THRESHOLDS_KM, geoscore
from streetclip.metrics.intervals import Proportion
from streetclip.results import (
    DatasetTable,
    RunTable,
    attribute_counts,
    distance_shares,
    group_counts,
    macro_of_countries,
    median_distance,
)
from streetclip.results.run_table import RunState
from streetclip.store import DatasetColumns, Flag, distance_bin_edges_km
from tests.metrics.medians import median_with_interval
from tests.random_search import examples
from tests.results.conftest import make_table

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
    found = group_counts(world.table, mask, by)
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
    monkeypatch.setattr(groups_module, "_MOST_GROUPS", 2)
    check(world, chosen, by)


@pytest.mark.parametrize("by", ["country", "country_code", "city"])
def test_macro_is_over_true_countries_whatever_the_groups(world, chosen, by):
    found = group_counts(world.table, chosen, by)
    rows = world.chosen(chosen)
    for counted, of in (("country_correct", "n"), ("city_correct", "country_correct")):
        shares = {}
        for row in rows:
            if of == "n" or row[of]:
                shares.setdefault(row["true_country"], []).append(row[counted])
        means = [sum(each) / len(each) for each in shares.values()]
        expected = math.fsum(means) / len(means) if means else None
        assert macro_of_countries(found, counted, of) == expected


def test_places_need_not_be_in_order(world):
    table = world.table
    columns = DatasetColumns(
        table.image_ids,
        np.int32(len(table.places) - 1) - table.place,
        table.places[::-1].reset_index(drop=True),
    )
    names = ["flags", "pred_place", "distance_km", "distance_bin", "nearest_bin"]
    values = dict(zip(names, table.load(*names), strict=True)) | {"done": table.done}
    same = RunTable(
        1,
        DatasetTable(1, columns, {}, None, None),
        lambda names: RunState(values, table.predicted_places),
    )
    expected = group_counts(table, table.done, "region")
    pd.testing.assert_frame_equal(group_counts(same, same.done, "region"), expected)


def test_the_values_of_all_attributes_are_counted_as_those_of_each(world, chosen):
    found = attribute_counts(world.table, chosen)
    assert set(found["attribute"]) <= set(world.table.dataset.attributes)
    for name in world.table.dataset.attributes:
        expected = group_counts(world.table, chosen, f"attribute:{name}")
        rows = found[found["attribute"] == name]
        columns = ["value", "n", "country_correct"]
        assert rows[columns].to_numpy().tolist() == expected[columns].to_numpy().tolist()


def test_counts_are_the_same_without_medians(world, chosen):
    whole = group_counts(world.table, chosen, "country")
    found = group_counts(world.table, chosen, "country", with_medians=False)
    medians = ["median_km", "median_low_km", "median_high_km"]
    pd.testing.assert_frame_equal(found, whole.drop(columns=medians), check_exact=True)


def test_all_but_a_few_images_are_counted_as_those_one_by_one(world):
    mask = np.ones(world.table.num_images, np.bool_)
    mask[::17] = False  # few enough for the block to be counted whole
    one_by_one = np.zeros_like(mask), np.zeros_like(mask)
    for side, of in enumerate(one_by_one):
        of[np.flatnonzero(mask)[side::2]] = True
    for by in ("overall", "country", "predicted"):
        whole = group_counts(world.table, mask, by, with_medians=False)
        halves = [group_counts(world.table, each, by, with_medians=False) for each in one_by_one]
        keys = list(whole.columns[: list(whole.columns).index("n")])
        counters = [*whole.columns[len(keys) :].drop(["top_mistake", "top_mistake_n"])]
        added = pd.concat(halves)
        if keys:
            added = added.groupby(keys).sum(numeric_only=True).reset_index()
            assert whole[keys].to_numpy().tolist() == added[keys].to_numpy().tolist()
        else:
            added = added[counters].sum().to_frame().T
        np.testing.assert_allclose(
            whole[counters].to_numpy(float), added[counters].to_numpy(float), rtol=1e-12
        )


def test_a_grouping_that_there_is_not_is_refused(world):
    with pytest.raises(ValueError, match="cannot group by 'planet'; expected overall"):
        group_counts(world.table, world.table.done, "planet")
    with pytest.raises(ValueError, match="'moon' is no attribute"):
        group_counts(world.table, world.table.done, "attribute:moon")


def test_a_mask_of_another_length_is_refused(world):
    with pytest.raises(ValueError, match=r"expected [0-9]+ bool"):
        group_counts(world.table, np.ones(3, dtype=np.bool_), "country")


def test_distance_shares_are_those_of_a_plain_count(world, chosen):
    rows = world.chosen(chosen)
    found = distance_shares(world.table, chosen)
    known = [row["distance_km"] for row in rows if row["distance_km"] is not None]
    judged = sum(row["coordinate_source"] != "none" for row in rows)
    shares = [Proportion(sum(x <= km for x in known), judged) for km in found["distance_km"]]
    assert len(found) == (len(distance_bin_edges_km()) if judged else 0)
    for name in ("value", "low", "high"):
        assert found[name].tolist() == [getattr(share, name) for share in shares]


def test_the_median_is_that_of_a_single_group(world, chosen):
    overall = group_counts(world.table, chosen, "overall")
    found = median_distance(world.table, chosen)
    names = ["median_km", "median_low_km", "median_high_km"]
    expected = overall.loc[0, names].tolist() if len(overall) else [math.nan] * 3
    assert [found.value, found.low, found.high] == pytest.approx(expected, nan_ok=True, rel=0)


def test_the_median_takes_missing_distances_as_infinitely_far(world, chosen):
    judged = [row for row in world.chosen(chosen) if row["coordinate_source"] != "none"]
    known = [math.inf if row["distance_km"] is None else row["distance_km"] for row in judged]
    found, expected = median_distance(world.table, chosen), median_with_interval(known)
    ends = (found.value, found.low, found.high)
    assert ends == pytest.approx((expected.value, expected.low, expected.high), nan_ok=True, rel=0)


VALUE = st.one_of(st.floats(0, 20_040), st.sampled_from([0.0, 0.1, 25.0, 25.0]), st.none())


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.lists(VALUE, max_size=40), min_size=1, max_size=6))
def test_medians_of_any_groups_are_those_of_all_their_values(groups):
    distance_km = np.array([math.nan if x is None else x for each in groups for x in each])
    group = np.array([i for i, each in enumerate(groups) for _ in each], np.int64)
    table = make_table(
        {"distance_km": distance_km, "flags": np.full(len(group), Flag.HAS_COORDINATES, np.uint8)},
        place=group,
        places=[("", "", "", str(i)) for i in range(len(groups))],
    )
    found = group_counts(table, table.done, "city")
    expected = [
        median_with_interval([math.inf if x is None else x for x in each])
        for each in groups
        if each
    ]
    assert found["median_km"].tolist() == [each.value for each in expected]
    assert found["median_low_km"].tolist() == [each.low for each in expected]
    assert found["median_high_km"].tolist() == [each.high for each in expected]
