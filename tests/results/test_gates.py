"""Gates: what they read, what they measure, and how often they are right."""

import math

import numpy as np
import pytest

from streetclip.errors import ConfigError
from streetclip.metrics.intervals import mean_interval, newcombe_paired_interval, wilson_interval
from streetclip.results import check_gate, parse_gate
from streetclip.results.gates import GATE_METRICS, verdict
from streetclip.store import Flag
from tests.results.flagged_tables import make_table

NUM_ROWS = 20_000
EVERYTHING = int(Flag.READABLE | Flag.HAS_COORDINATES)


def table_of(correct, distance_km=None):
    """A run that has the country of some images correct."""
    n = len(correct)
    flags = np.where(correct, EVERYTHING | int(Flag.COUNTRY_CORRECT), EVERYTHING)
    km = np.full(n, 100.0) if distance_km is None else distance_km
    return make_table({"flags": flags.astype(np.uint8), "distance_km": km.astype(np.float32)})


def check(text, table, baseline=None, mask=None):
    chosen = np.ones(table.num_images, np.bool_) if mask is None else mask
    return check_gate(parse_gate(text), table, chosen, baseline)


@pytest.mark.parametrize(
    ("text", "images", "bound"),
    [
        ("country_accuracy>=0.6", "", 0.6),
        ("night:country_accuracy>=0.4", "night", 0.4),
        ("a:b=c : country_accuracy >= 4e-1", "a:b=c ", 0.4),
        ("country_accuracy>=baseline", "", 0.0),
        ("night:country_accuracy>=baseline - 0.02", "night", -0.02),
    ],
)
def test_a_gate_is_read(text, images, bound):
    gate = parse_gate(text)
    assert (gate.images, gate.bound, gate.is_relative) == (images, bound, "baseline" in text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("country_accuracy", "is no gate; expected"),
        ("country_accuracy>=", "is no gate; expected"),
        ("country_accuracy>0.6", "is no gate; expected"),
        ("country_accuracy>=60%", "is no gate; expected"),
        ("country_accuracy>=1.2.3", "ends with '1.2.3'; expected a number"),
        ("country_accuracy>=baseline0.02", "ends with '0.02'; expected a number"),
        ("accuracy>=0.6", "bounds 'accuracy'; expected one of country_accuracy"),
        ("country_accuracy<=60", "by 60, so that it decides nothing; expected 0 to 1: shares"),
        ("city_accuracy>=baseline-2", "by -2, so that it decides nothing; expected -1 to 1: sh"),
        ("geoscore>=6000", "by 6000, so that it decides nothing; expected 0 to 5000: shares"),
        ("median_km<=1e999", "by 1e999, so that it decides nothing; expected 0 to inf: shares"),
        ("median_km<=baseline+5", "two medians have no paired interval"),
    ],
)
def test_what_is_no_gate_is_refused_in_words(text, words):
    with pytest.raises(ConfigError, match=words.replace(".", r"\.")):
        parse_gate(text)


def test_the_interval_decides():
    cases = {(0.61, 0.7): "passed", (0.59, 0.7): "undecided", (0.5, 0.599): "failed"}
    assert {ends: verdict(">=", *ends, 0.6) for ends in cases} == cases
    turned = {(-high, -low): word for (low, high), word in cases.items()}
    assert {ends: verdict("<=", *ends, -0.6) for ends in turned} == turned
    assert verdict(">=", 0.6, 0.6, 0.6) == verdict("<=", 0.6, 0.6, 0.6) == "passed"
    assert verdict(">=", math.nan, math.nan, 0.0) == "failed"


def test_figures_and_their_intervals_are_those_of_the_formulas():
    rng = np.random.default_rng(3)
    now, then = rng.random((2, 400)) < 0.6
    km = rng.exponential(900, 400).astype(np.float32)
    table, baseline = table_of(now, km), table_of(then, km[::-1].copy())
    low, high = wilson_interval(now.sum(), 400)
    found = check("country_accuracy>=0.6", table)
    assert (found.value, found.low, found.high, found.n) == (now.mean(), low, high, 400)
    counts = [(a & b).sum() for a in (now, ~now) for b in (then, ~then)]
    found = check("country_accuracy>=baseline", table, baseline)
    assert (found.measured, found.low, found.high) == newcombe_paired_interval(*map(int, counts))
    assert (found.value, found.baseline) == (now.mean(), then.mean())
    scores = 5000 * np.exp(-km.astype(np.float64) / 1492.7)
    found = check("geoscore>=1", table)
    expected = mean_interval(scores.sum(), (scores**2).sum(), 400)
    assert (found.value, found.low, found.high) == pytest.approx(expected)
    assert check("share_within_750_km<=1", table).value == (km <= 750).mean()
    assert check("share_within_750_km>=baseline", table, baseline).measured == 0.0
    assert check("median_km<=1e3", table).value == pytest.approx(np.median(km), rel=1e-6)


def test_without_images_a_gate_fails():
    table, nothing = table_of(np.ones(9, np.bool_)), np.zeros(9, np.bool_)
    for metric in GATE_METRICS:
        found = check(f"{metric}>=0", table, mask=nothing)
        assert (found.verdict, found.n, found.to_dict()["value"]) == ("failed", 0, None)


def test_a_relative_gate_needs_a_baseline():
    with pytest.raises(ConfigError, match="names a baseline; give one with --baseline"):
        check("country_accuracy>=baseline", table_of(np.ones(9, np.bool_)))


@pytest.mark.parametrize("discordant", [0.06, 0.2, 0.48])  # the last: independent answers
def test_a_drop_of_2_points_in_20_000_rows_is_found_and_no_drop_seldom(discordant):
    """1,000 pairs of runs each, accuracy 60 %: drawn from the counts of their paired outcomes."""
    rng = np.random.default_rng(20)

    def share_failed(drop, bound):
        lost, gained = (discordant + drop) / 2, (discordant - drop) / 2
        both = 0.6 - gained
        shares = [both, gained, lost, 1 - both - gained - lost]
        drawn = rng.multinomial(NUM_ROWS, shares, size=1_000)
        ends = np.array([newcombe_paired_interval(*counts)[1:] for counts in drawn.tolist()])
        return np.mean([verdict(">=", low, high, bound) == "failed" for low, high in ends])

    assert share_failed(0.02, 0.0) >= 0.8
    assert share_failed(0.0, 0.0) <= 0.05
    assert share_failed(0.02, -0.02) <= 0.05  # a drop of just what is allowed


def test_a_planted_drop_of_20_000_rows_fails_the_gate():
    rng = np.random.default_rng(5)
    then = rng.random(NUM_ROWS) < 0.6
    now = then.copy()
    now[rng.choice(np.flatnonzero(then), NUM_ROWS // 50, replace=False)] = False
    table, baseline = table_of(now), table_of(then)
    found = check("country_accuracy>=baseline-0.01", table, baseline)
    assert (found.verdict, found.measured) == ("failed", pytest.approx(-0.02))
    assert check("country_accuracy>=baseline", baseline, table).verdict == "passed"
