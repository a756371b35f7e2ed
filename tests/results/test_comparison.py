"""Two runs against plain Python over the rows of both."""

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from streetclip.geo import geoscore
from streetclip.metrics.intervals import bootstrap_ratio_difference, newcombe_paired_interval
from streetclip.results import (
    Selection,
    common_masks,
    compare,
    compare_by,
    compare_geoscore,
    compare_hierarchical,
    outcome_mask,
    regrouped,
    select,
)
from streetclip.results.comparison import OUTCOMES, align
from streetclip.results.run_table import CORRECT_AT
from streetclip.store import open_store
from tests.results import conftest


def make_pair(folder, *, same_dataset, num_done, num_missing=0):
    """A run and its baseline: over the same images, or over overlapping datasets."""
    manifest = conftest.make_manifest(400, seed=5)
    with open_store(folder / "streetclip.db") as store:
        dataset = conftest.register(store, folder, manifest)
        ids = [conftest.fill_run(store, manifest, dataset, "run", 6, num_done)]
        other, theirs = manifest, dataset
        if not same_dataset:
            other = manifest.sample(250, random_state=1).reset_index(drop=True)
            extra = conftest.make_manifest(30, seed=8)
            extra["image_filename"] = [f"extra{i}.jpg" for i in range(30)]
            other = conftest.pd.concat([extra, other], ignore_index=True)
            theirs = conftest.register(store, folder, other, name="other")
        done = len(other) - num_missing
        ids.append(conftest.fill_run(store, other, theirs, "baseline", 7, done))
        return [
            conftest.World(
                store.path,
                run_id,
                conftest.read_rows(store, run_id),
                sorted(each.image_ids.tolist()),
            )
            for run_id, each in zip(ids, (dataset, theirs), strict=True)
        ]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return {
        "same images": make_pair(tmp_path_factory.mktemp("a"), same_dataset=True, num_done=400),
        "partial runs": make_pair(
            tmp_path_factory.mktemp("b"), same_dataset=True, num_done=230, num_missing=70
        ),
        "other images": make_pair(
            tmp_path_factory.mktemp("c"), same_dataset=False, num_done=390, num_missing=60
        ),
    }


@pytest.fixture(params=["same images", "partial runs", "other images"])
def two(request, pairs):
    return pairs[request.param]


@pytest.fixture(params=["everything", "of France", "nothing"])
def mask(request, two):
    table = two[0].table
    return {
        "everything": np.ones(table.num_images, dtype=np.bool_),
        "of France": select(table, Selection(country=("FR",))),
        "nothing": np.zeros(table.num_images, dtype=np.bool_),
    }[request.param]


def common_rows(two, mask):
    """Pairs of rows of the same selected image, in the run and in the baseline."""
    theirs = {row["image_id"]: row for row in two[1].rows}
    ours = two[0].chosen(mask)
    return [(row, theirs[row["image_id"]]) for row in ours if row["image_id"] in theirs]


def judged_rows(two, mask, level):
    both = common_rows(two, mask)
    if level.startswith("within_"):
        return [each for each in both if all(row["coordinate_source"] != "none" for row in each)]
    return both


def is_right(row, level):
    if level.startswith("within_"):
        return row["distance_km"] is not None and row["distance_km"] <= int(level[7:])
    return bool(row[f"{level}_correct"])


def outcome(ours, theirs, level):
    names = {(0, 0): "both_wrong", (0, 1): "lost", (1, 0): "gained", (1, 1): "both_right"}
    return names[is_right(ours, level), is_right(theirs, level)]


@pytest.mark.parametrize("level", CORRECT_AT)
def test_a_comparison_is_that_of_a_plain_count(two, mask, level):
    found = compare(two[0].table, two[1].table, mask, level)
    both = judged_rows(two, mask, level)
    counts = Counter(outcome(*each, level) for each in both)
    assert found.outcomes == {name: counts[name] for name in OUTCOMES}
    assert found.n == len(both)
    expected = newcombe_paired_interval(*(counts[name] for name in reversed(OUTCOMES)))
    if both:
        assert (found.difference, found.low, found.high) == expected
        assert found.value == sum(is_right(ours, level) for ours, _ in both) / len(both)
        assert found.baseline_value == sum(is_right(b, level) for _, b in both) / len(both)
    else:
        assert math.isnan(found.difference)
        assert math.isnan(found.value)


@pytest.mark.parametrize("level", ["country", "city", "within_200"])
@pytest.mark.parametrize("by", ["overall", "continent", "country", "predicted"])
def test_groups_are_those_of_a_plain_count(two, mask, level, by):
    keys = {
        "overall": lambda row: (),
        "continent": lambda row: (row["continent"],),
        "country": lambda row: (row["continent"], row["true_country"]),
        "predicted": lambda row: (row["pred_country"] or "",),
    }[by]
    grouped = {}
    for ours, theirs in judged_rows(two, mask, level):
        grouped.setdefault(keys(ours), Counter())[outcome(ours, theirs, level)] += 1
    found = compare_by(two[0].table, two[1].table, mask, level, by)
    named = found.columns[: list(found.columns).index("n")]
    assert [tuple(each) for each in found[named].to_numpy()] == sorted(grouped)
    for row, key in zip(found.to_dict("records"), sorted(grouped), strict=True):
        counts = grouped[key]
        assert {name: row[name] for name in OUTCOMES} == {name: counts[name] for name in OUTCOMES}
        assert row["n"] == counts.total()
        expected = newcombe_paired_interval(*(counts[name] for name in reversed(OUTCOMES)))
        assert (row["difference"], row["low"], row["high"]) == expected
        assert row["value"] == (counts["both_right"] + counts["gained"]) / row["n"]
        assert row["baseline_value"] == (counts["both_right"] + counts["lost"]) / row["n"]


@pytest.mark.parametrize(("by", "key"), [("continent", "continent"), ("country_code", "country")])
def test_countries_add_up_to_continents_and_to_codes(two, mask, by, key):
    runs = [each.table for each in two]
    found = regrouped(compare_by(*runs, mask, "country", "country"), key)
    expected = compare_by(*runs, mask, "country", by)
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_dtype=False)


@pytest.mark.parametrize("level", CORRECT_AT)
def test_the_images_of_an_outcome_are_those_counted(two, mask, level):
    both = judged_rows(two, mask, level)
    for name in OUTCOMES:
        found = outcome_mask(two[0].table, two[1].table, mask, name, level)
        expected = {
            ours["image_id"] for ours, theirs in both if outcome(ours, theirs, level) == name
        }
        assert set(two[0].table.image_ids[found].tolist()) == expected


def test_city_among_right_countries_is_that_of_a_plain_count(two, mask):
    made = Counter(
        tuple(row["country_correct"] + row["city_correct"] for row in each)
        for each in common_rows(two, mask)
    )
    counts = [[made[a, b] for b in range(3)] for a in range(3)]
    found = compare_hierarchical(two[0].table, two[1].table, mask, seed=5)
    assert found.n == sum(n for key, n in made.items() if key != (0, 0))
    expected = bootstrap_ratio_difference(counts, seed=5)
    if not made:
        assert math.isnan(found.difference)
        return
    assert (found.difference, found.low, found.high) == expected
    right, judged = (sum(n for (a, _), n in made.items() if a >= least) for least in (2, 1))
    assert found.value == right / judged
    assert found.value - found.baseline_value == pytest.approx(found.difference)


def test_geoscores_are_those_of_a_plain_count(two, mask):
    both = judged_rows(two, mask, "within_1")
    scores = [
        [
            float(geoscore(math.nan if row["distance_km"] is None else row["distance_km"]))
            for row in each
        ]
        for each in both
    ]
    found = compare_geoscore(two[0].table, two[1].table, mask)
    assert found.n == len(both)
    if not both:
        assert math.isnan(found.difference)
        return
    differences = np.array([ours - theirs for ours, theirs in scores])
    half_width = 1.959963985 * differences.std(ddof=1) / math.sqrt(len(differences))
    assert found.value == pytest.approx(np.mean([ours for ours, _ in scores]))
    assert found.baseline_value == pytest.approx(np.mean([theirs for _, theirs in scores]))
    assert found.difference == pytest.approx(differences.mean())
    assert found.low == pytest.approx(differences.mean() - half_width)
    assert found.high == pytest.approx(differences.mean() + half_width)


def test_a_run_against_itself_gains_and_loses_nothing(two, mask):
    table = two[0].table
    found = compare(table, table, mask, "city")
    assert (found.outcomes["gained"], found.outcomes["lost"]) == (0, 0)
    assert compare_geoscore(table, table, mask).n == compare(table, table, mask, "within_25").n


def test_images_are_aligned_by_their_ids(two):
    table, baseline = two[0].table, two[1].table
    positions = align(table, baseline)
    if positions is None:
        assert table.image_ids.tolist() == baseline.image_ids.tolist()
        return
    theirs = {image_id: i for i, image_id in enumerate(baseline.image_ids.tolist())}
    assert positions.tolist() == [theirs.get(i, -1) for i in table.image_ids.tolist()]
    assert -1 in positions


def test_common_images_are_those_that_both_have_predicted(two, mask):
    mine, theirs = common_masks(two[0].table, two[1].table, mask)
    expected = {ours["image_id"] for ours, _ in common_rows(two, mask)}
    for run, found in zip(two, (mine, theirs), strict=True):
        assert set(run.table.image_ids[found].tolist()) == expected


def test_a_baseline_without_images_compares_nothing(pairs):
    table = pairs["same images"][0].table
    empty = conftest.make_table({"distance_km": np.empty(0)})
    mask = np.ones(table.num_images, dtype=np.bool_)
    assert compare(table, empty, mask).n == 0


def test_what_there_is_not_is_refused(pairs):
    table = pairs["same images"][0].table
    with pytest.raises(ValueError, match="level is 'planet'"):
        compare(table, table, table.done, "planet")
    with pytest.raises(ValueError, match="outcome is 'won'"):
        outcome_mask(table, table, table.done, "won")
