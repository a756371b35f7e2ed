"""Confusion of neighbours against hand numbers, a plain loop and drawn chance."""

import json
from collections import Counter

import numpy as np
import pytest
from scipy.stats import binomtest

from streetclip.metrics.neighbours import neighbour_confusion

BORDERS = {
    "FR": {"ES", "DE", "CH"},
    "ES": {"FR", "PT"},
    "DE": {"FR", "CH"},
    "CH": {"FR", "DE"},
    "PT": {"ES"},
    "JP": set(),
}
CANDIDATES = ["FR", "ES", "DE", "PT", "JP"]


def confuse(pairs, candidates=CANDIDATES, borders=BORDERS):
    return neighbour_confusion(Counter(pairs), candidates, borders)


def test_six_errors_by_hand():
    pairs = [("FR", "ES")] * 2 + [("FR", "JP"), ("PT", "ES"), ("PT", "FR"), ("JP", "FR")]
    found = confuse(pairs + [("FR", "FR")] * 5)
    assert (found["errors"], found["to_neighbours"]) == (6, 3)
    assert found["share"] == 0.5
    # France borders on 2 of 4 other candidates (Switzerland is none), Portugal on 1, Japan on 0.
    assert found["expected_share"] == pytest.approx((3 * 2 / 4 + 2 * 1 / 4 + 0) / 6)
    assert found["ratio"] == pytest.approx(1.5)
    wilson = binomtest(3, 6).proportion_ci(method="wilson")
    assert found["low"] == pytest.approx(wilson.low * 3)
    assert found["high"] == pytest.approx(wilson.high * 3)


def test_a_true_country_that_is_no_candidate_can_err_to_all_candidates():
    found = confuse([("CH", "FR"), ("CH", "JP")])
    assert found["to_neighbours"] == 1
    assert found["expected_share"] == pytest.approx(2 / 5)


def test_equals_a_plain_loop():
    generator = np.random.default_rng(4)
    true = generator.choice([*CANDIDATES, "CH"], 400)
    predicted = generator.choice([*CANDIDATES, ""], 400)
    errors = hits = 0
    chance = 0.0
    for a, b in zip(true.tolist(), predicted.tolist(), strict=True):
        if b in ("", a):
            continue
        others = [c for c in CANDIDATES if c != a]
        errors += 1
        hits += b in BORDERS[a]
        chance += len([c for c in others if c in BORDERS[a]]) / len(others)
    found = confuse(zip(true.tolist(), predicted.tolist(), strict=True))
    assert (found["errors"], found["to_neighbours"]) == (errors, hits)
    assert found["ratio"] == pytest.approx(hits / chance)


def test_errors_spread_by_chance_have_ratio_1():
    generator = np.random.default_rng(0)
    true = generator.choice(CANDIDATES, 40_000, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    predicted = generator.choice(CANDIDATES, 40_000)
    found = confuse(zip(true.tolist(), predicted.tolist(), strict=True))
    assert found["ratio"] == pytest.approx(1, abs=0.02)
    assert found["low"] < 1 < found["high"]


def test_errors_to_neighbours_only_are_above_chance():
    found = confuse([("PT", "ES")] * 20)
    assert found["share"] == 1
    assert found["ratio"] == 4
    assert 3 < found["low"] < 4
    assert found["high"] == 4


def test_unreadable_images_are_no_confusions():
    assert confuse([("FR", ""), ("FR", "ES")])["errors"] == 1


def test_a_border_named_on_one_side_only_counts_on_both():
    one_sided = {"ES": {"PT"}}
    assert confuse([("PT", "ES")], borders=one_sided)["to_neighbours"] == 1
    assert confuse([("ES", "PT")], borders=one_sided)["to_neighbours"] == 1


@pytest.mark.parametrize("pairs", [[], [("FR", "FR")], [("FR", "")]])
def test_without_errors_there_is_no_ratio(pairs):
    found = confuse(pairs)
    assert found == {
        "errors": 0,
        "to_neighbours": 0,
        "share": None,
        "expected_share": None,
        "ratio": None,
        "low": None,
        "high": None,
    }


def test_where_chance_would_give_none_there_is_no_ratio():
    found = confuse([("JP", "FR"), ("JP", "ES")])
    assert (found["share"], found["expected_share"]) == (0, 0)
    assert found["ratio"] is found["low"] is found["high"] is None
    json.dumps(found, allow_nan=False)


def test_a_prediction_that_was_no_candidate_is_refused():
    with pytest.raises(ValueError, match="CH"):
        confuse([("FR", "CH")])


def test_the_order_of_the_pairs_changes_nothing_to_the_last_bit():
    generator = np.random.default_rng(6)
    true = generator.choice([*CANDIDATES, "CH"], 300)
    predicted = generator.choice([*CANDIDATES, ""], 300)
    pairs = list(zip(true.tolist(), predicted.tolist(), strict=True))
    found = confuse(pairs)
    assert found["errors"] > 100
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(pairs))
        assert confuse([pairs[i] for i in order]) == found
