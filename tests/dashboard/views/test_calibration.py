"""The Calibration page on a store of known predictions, against plain SQL and plain Python."""

import json
import math

import pandas as pd
import pytest

from dashboard.shell.page_query import View
from dashboard.views import frame
from streetclip.gazetteer import countries
from streetclip.results.filters import Selection
from tests.dashboard.pages import opener_of, text_of
from tests.dashboard.plain import one_decimal, wilson
from tests.dashboard.specs import assert_valid, words_of
from tests.dashboard.worlds import World

NUM_BINS = 15


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"), num_images=500, with_files=False).with_two_runs()


@pytest.fixture
def open_page(monkeypatch, world):
    return opener_of(monkeypatch, world.path, "calibration", run="2")


def judged(world, level="country", where="1"):
    """(confidence, whether right, true country) of the images that have a confidence."""
    inside = "country_correct" if level == "city" else "1"
    return world.sql(
        f"SELECT {level}_probability, {level}_correct, true_country FROM predictions "
        f"WHERE run_id = 2 AND {level}_probability IS NOT NULL AND {inside} AND {where}"
    )


def binned(rows):
    """(confidences, right answers) by bin of equal width, closed above."""
    bins = [([], []) for _ in range(NUM_BINS)]
    for sure, right, _ in rows:
        position = max(math.ceil(sure * NUM_BINS - 1e-12) - 1, 0)
        bins[position][0].append(sure)
        bins[position][1].append(right)
    return bins


def table_with(page, column):
    return next(each.value for each in page.dataframe if column in each.value)


@pytest.mark.parametrize("level", ["country", "city"])
def test_bins_hold_the_images_and_the_accuracy_of_sql(open_page, world, level):
    page = open_page(level=level)
    table = table_with(page, "bin")
    expected = binned(judged(world, level))
    assert table["n"].tolist() == [len(sure) for sure, _ in expected]
    assert sum(n > 0 for n in table["n"]) > 5
    for row, (sure, right) in zip(table.itertuples(), expected, strict=True):
        if not sure:
            assert pd.isna(row.value)
            continue
        assert one_decimal(row.value) == one_decimal(100 * sum(right) / len(right))
        assert row.confidence == pytest.approx(100 * sum(sure) / len(sure), abs=1e-4)
        low, high = wilson(sum(right), len(right))
        assert row.interval == f"{100 * low:.1f}–{100 * high:.1f}"


@pytest.mark.parametrize("level", ["country", "city"])
def test_the_headline_is_the_error_of_the_bins_with_its_n(open_page, world, level):
    rows = judged(world, level)
    gaps = [abs(sum(sure) - sum(right)) for sure, right in binned(rows) if sure]
    n, right = len(rows), sum(right for _, right, _ in rows)
    low, high = wilson(right, n)
    text = text_of(open_page(level=level))
    assert f"Expected calibration error {100 * sum(gaps) / n:.1f} % 15 bins n = {n}" in text
    assert f"Mean confidence {100 * sum(sure for sure, *_ in rows) / n:.1f} % n = {n}" in text
    assert f"Accuracy {100 * right / n:.1f} % {100 * low:.1f}–{100 * high:.1f} n = {n}" in text


def test_images_without_a_prediction_are_counted_beside(open_page):
    assert "n = 494, 6 more without a prediction" in text_of(open_page())


def test_the_curve_says_what_is_right_of_what_is_answered(open_page, world):
    rows = judged(world)
    table = table_with(open_page(), "threshold_label")
    assert len(table) >= 2
    for row in table.itertuples():
        threshold = float(row.threshold_label.strip("≥ %")) / 100
        answered = [right for sure, right, _ in rows if sure >= threshold]
        assert row.n == len(answered)
        assert row.coverage == pytest.approx(100 * len(answered) / 500)
        assert row.value == pytest.approx(100 * sum(answered) / len(answered))


def test_countries_stand_by_their_gap_and_a_chosen_one_filters_the_rest(open_page, world):
    table = table_with(open_page(), "gap")
    gaps = table["gap"].abs().tolist()
    assert gaps == sorted(gaps, reverse=True)
    france = [(sure, right) for sure, right, code in judged(world) if code == "FR"]
    row = table.set_index("name").loc["France"]
    assert row["n"] == len(france)
    assert row["confidence"] == pytest.approx(100 * sum(s for s, _ in france) / len(france))
    assert row["value"] == pytest.approx(100 * sum(r for _, r in france) / len(france))

    page = open_page(country="FR")
    assert f"n = {len(france)}" in text_of(page)
    assert len(table_with(page, "gap")) == len(table)  # the others can still be chosen
    assert "Wrong images of France" in json.dumps([each.proto.label for each in links(page)])


def links(page):
    return [each for each in page.get("page_link") if each in list(page.main)]


def test_a_click_sets_the_country_and_leaves_the_rest(monkeypatch, tmp_path):
    view = View(
        path=tmp_path / "s.db",
        run_id=1,
        run_key="",
        selection=Selection(continent="Europe", country=("FR",), city="Paris", tags=("x",)),
    )
    changed = []
    monkeypatch.setattr(frame.url_state, "change_filters", lambda s, _: changed.append(s))
    frame.filter_country(view, "ES")
    frame.filter_country(view, None)
    assert changed == [
        Selection(continent="Europe", country=("ES",), tags=("x",)),
        Selection(continent="Europe", tags=("x",)),
    ]


def test_without_any_confidence_it_says_why(open_page):
    page = open_page(predicted="none")
    assert not page.exception
    assert "Nothing was predicted for these images." in text_of(page)
    page = open_page(level="city", country_is="wrong")
    assert not page.exception
    assert "cities are judged within it" in text_of(page)


def test_every_chart_is_valid_and_says_what_it_shows(open_page):
    for parameters in ({}, {"level": "city", "country": "FR"}):
        charts = open_page(**parameters).get("vega_lite_chart")
        assert len(charts) == 4
        for chart in charts:
            assert_valid(json.loads(chart.proto.spec))
            assert len(words_of(chart.proto)) > 30


def test_names_of_countries_are_those_of_the_gazetteer(open_page, world):
    known = {countries()[code].name for _, _, code in judged(world)}
    assert set(table_with(open_page(), "gap")["name"]) == known
