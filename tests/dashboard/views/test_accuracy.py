"""The Accuracy page on a store of known predictions, against plain SQL."""

import math
import statistics

import numpy as np
import pandas as pd
import pytest

from dashboard.queries import group_ranking
from dashboard.shell import formats
from dashboard.shell.page_query import View
from dashboard.views.accuracy import page
from streetclip.results.filters import Selection
from tests.dashboard.pages import opener_of, text_of
from tests.dashboard.plain import wilson
from tests.dashboard.worlds import World

NUM_IMAGES = 331


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(
        tmp_path_factory.mktemp("world"), num_images=NUM_IMAGES, with_files=False
    ).with_two_runs()


@pytest.fixture
def open_page(monkeypatch, world):
    return opener_of(monkeypatch, world.path, "accuracy", run="2")


def counted(world, column, where="1", right="country_correct"):
    """By group: images, and how many are right."""
    rows = world.sql(
        f"SELECT {column}, count(*), sum({right}) FROM predictions "
        "JOIN runs ON runs.id = run_id JOIN dataset_images USING (dataset_id, image_id) "
        f"WHERE run_id = 2 AND {where} GROUP BY 1"
    )
    return {name: (n, k) for name, n, k in rows}


def by_weather(world):
    """By weather: images, and how many countries are right."""
    return counted(world, "attributes ->> 'weather'")


def crumbs(page):
    labels = [each.label for each in page.button if (each.key or "").startswith("crumb_")]
    return [label.removesuffix(" /") for label in labels]


def test_the_worst_countries_come_first_by_their_upper_bounds(open_page):
    highs = open_page().dataframe[0].value["high"].tolist()
    assert highs == sorted(highs)


def test_countries_stand_in_the_order_of_their_lower_bounds_with_all_their_figures(
    open_page, world
):
    page = open_page(rank="lower")
    assert not page.exception
    table = page.dataframe[0].value
    expected = counted(world, "true_country")
    lows = {name: wilson(k, n)[0] for name, (n, k) in expected.items()}
    assert len(table) == len(expected)
    assert table["low"].tolist() == pytest.approx([100 * x for x in sorted(lows.values())[::-1]])
    france = table.set_index("name").loc["France"]
    n, k = expected["FR"]
    assert (france["n"], france["value"]) == (n, pytest.approx(100 * k / n))
    assert france["high"] == pytest.approx(100 * wilson(k, n)[1])
    distances = [
        math.inf if km is None else km
        for (km,) in world.sql(
            "SELECT distance_km FROM predictions WHERE run_id = 2 AND true_country = 'FR'"
        )
    ]
    assert france["median_km"] == pytest.approx(statistics.median(distances), abs=0.06)


def test_the_most_frequent_mistake_is_that_of_sql(open_page, world):
    table = open_page().dataframe[0].value.set_index("name")
    wrong = world.sql(
        "SELECT pred_country, count(*) FROM predictions WHERE run_id = 2 AND true_country = 'JP' "
        "AND pred_country != 'JP' GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    n = counted(world, "true_country")["JP"][0]
    name, share = formats.country(wrong[0][0]), formats.share(wrong[0][1] / n)
    assert table.loc["Japan", "mistake"] == f"{name}, {share}"


def test_micro_and_macro_stand_side_by_side(open_page, world):
    text = text_of(open_page())
    groups = counted(world, "true_country").values()
    right = sum(k for _, k in groups)
    macro = sum(k / n for n, k in groups) / len(groups)
    assert f"Country accuracy, micro {100 * right / NUM_IMAGES:.1f} %" in text
    assert f"n = {NUM_IMAGES}" in text
    under = f"mean of {len(groups)} true countries · ceiling 100.0 %"
    assert f"Country accuracy, macro {100 * macro:.1f} % {under}" in text
    # It is the mean over countries whatever the page groups by.
    assert f"Country accuracy, macro {100 * macro:.1f} % {under}" in text_of(open_page(by="city"))


def test_groups_of_few_images_are_marked_and_stay(open_page, world):
    page = open_page()
    table = page.dataframe[0].value
    few = {name for name, (n, _) in counted(world, "true_country").items() if n < 30}
    assert (table["few"] == "n < 30").sum() == len(few) > 0
    assert f"Fewer than 30 images {len(few)}" in text_of(page)


@pytest.mark.parametrize(
    ("parameters", "column", "where", "way"),
    [
        ({}, "true_country", "1", []),
        ({"continent": "Europe"}, "true_country", "continent = 'Europe'", ["World"]),
        ({"country": "FR"}, "region", "true_country = 'FR'", ["World", "Europe"]),
        ({"country": "JP"}, "city", "true_country = 'JP'", ["World", "Asia"]),
        (
            {"country": "FR", "region": "Bretagne"},
            "city",
            "region = 'Bretagne'",
            ["World", "Europe", "France"],
        ),
        ({"by": "continent"}, "continent", "1", []),
        ({"by": "city"}, "city", "1", []),
        ({"by": "predicted"}, "coalesce(pred_country, '')", "1", []),
    ],
)
def test_what_is_chosen_decides_what_is_compared_and_the_way_back(
    open_page, world, parameters, column, where, way
):
    page = open_page(**parameters)
    assert not page.exception
    table = page.dataframe[0].value
    expected = counted(world, column, where)
    assert sorted(zip(table["n"], table["value"].round(6), strict=True)) == sorted(
        (n, round(100 * k / n, 6)) for n, k in expected.values()
    )
    assert crumbs(page) == way


def test_attributes_are_groups_too(open_page, world):
    table = open_page(by="attribute:weather").dataframe[0].value.set_index("name")
    expected = by_weather(world)
    assert {name: row["n"] for name, row in table.iterrows()} == {
        name: n for name, (n, _) in expected.items()
    }
    rain = expected["rain"]
    assert table.loc["rain", "value"] == pytest.approx(100 * rain[1] / rain[0])


def test_a_step_of_the_way_back_changes_the_filter(open_page):
    page = open_page(country="FR", region="Bretagne", by="city")
    page.button(key="crumb_1").click().run()
    assert page.query_params["continent"] == "Europe"
    assert "country" not in page.query_params
    assert "region" not in page.query_params
    assert "by" not in page.query_params
    page.button(key="crumb_0").click().run()
    assert "continent" not in page.query_params


@pytest.mark.parametrize(
    ("by", "row", "expected"),
    [
        ("continent", {"continent": "Asia"}, {"continent": "Asia"}),
        ("country", {"continent": "Asia", "country": "JP"}, {"continent": "Asia", "country": "JP"}),
        ("country", {"country": "JP"}, {"country": "JP"}),
        ("predicted", {"predicted": ""}, {"predicted": ""}),
        (
            "city",
            {"continent": "Asia", "country": "JP", "region": "", "city": "Tokyo"},
            {"continent": "Asia", "country": "JP", "region": "", "city": "Tokyo"},
        ),
    ],
)
def test_a_click_goes_down_to_the_group_and_keeps_the_other_filters(
    monkeypatch, by, row, expected, tmp_path
):
    gone = []
    monkeypatch.setattr(page, "_go", lambda view, selection: gone.append(selection))
    before = Selection(
        country_correct=False, attributes=(("sky", "old"), ("road", "dirt")), city=None
    )
    page._pick(View(path=tmp_path, run_id=1, run_key="", selection=before), by, row)
    wanted = {"country_correct": False, "attributes": before.attributes} | expected
    assert gone == [Selection().but(**wanted)]


@pytest.mark.parametrize("rank", ["n", "errors"])
def test_the_url_chooses_the_order(open_page, world, rank):
    table = open_page(rank=rank).dataframe[0].value
    groups = counted(world, "true_country").values()
    column, expected = {
        "n": ("n", sorted((n for n, _ in groups), reverse=True)),
        "errors": (None, sorted((n - k for n, k in groups), reverse=True)),
    }[rank]
    found = table["n"] * (1 - table["value"] / 100) if column is None else table[column]
    assert found.tolist() == pytest.approx(expected)


def test_the_url_chooses_the_figure(open_page, world):
    table = open_page(metric="city").dataframe[0].value.set_index("name")
    n, k = counted(world, "true_country", right="city_correct")["FR"]
    assert table.loc["France", "value"] == pytest.approx(100 * k / n)
    page = open_page(metric="median", rank="lower")
    assert not page.exception
    text = text_of(page)
    assert "Median distance" in text
    assert "macro" not in text
    assert "ceiling" not in page.dataframe[0].value
    table = page.dataframe[0].value
    assert table["high"].dropna().is_monotonic_increasing
    assert (table["low"] <= table["value"]).all()


@pytest.mark.parametrize(
    "parameters",
    [
        {"by": "planet"},
        {"by": "attribute:none"},
        {"by": "attribute:"},
        {"metric": "luck"},
        {"rank": "<img src=x>"},
    ],
)
def test_a_parameter_that_makes_no_sense_gives_the_default(open_page, parameters):
    page = open_page(**parameters)
    assert not page.exception
    assert page.dataframe[0].value["name"].isin(["France"]).any()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"country_is": "wrong"}, "the outcome"),
        ({"km": "25..750", "confidence": "0.5.."}, "the distance and the confidence"),
        ({"predicted": "FR"}, "the predicted country"),
    ],
)
def test_images_chosen_by_the_answers_are_said_to_be(open_page, parameters, words):
    assert f"These images are chosen by {words}" in text_of(open_page(**parameters))


def test_images_chosen_by_the_truth_need_no_such_remark(open_page):
    assert "These images are chosen by" not in text_of(
        open_page(continent="Europe", attr="weather=rain")
    )


def test_a_long_ranking_is_cut_and_said_to_be(open_page, monkeypatch):
    from dashboard.views.accuracy import group_bars

    monkeypatch.setattr(group_bars, "MOST_ROWS", 5)
    page = open_page()
    assert len(page.dataframe[0].value) == 5
    assert "5 of 14 in this order, the worst included" in text_of(page)


def test_the_bars_keep_the_worst_whatever_the_order():
    shown = pd.DataFrame({"high": np.linspace(0.3, 0.9, 40), "low": 0.1, "n": 50})
    best_first = group_ranking.ranked(shown.assign(low=shown["high"] - 0.2), "lower", "country")
    kept = group_ranking.with_worst(best_first, 20, "country")
    assert len(kept) == 20
    assert kept["high"].tolist()[-5:] == shown["high"].tolist()[:5][::-1]
    assert kept["high"].tolist()[:15] == shown["high"].tolist()[25:][::-1]
    worst_first = group_ranking.ranked(shown, "upper", "country")
    kept = group_ranking.with_worst(worst_first, 20, "country")
    assert kept["high"].tolist() == shown["high"].tolist()[:20]


def test_a_value_of_an_attribute_is_compared_with_the_rest(open_page, world):
    page = open_page(by="attribute:weather", attr="weather=rain")
    assert not page.exception
    rows = by_weather(world)
    n, k = rows.pop("rain")
    rest_n, rest_k = (sum(each) for each in zip(*rows.values(), strict=True))
    p, q = k / n, rest_k / rest_n
    (low, high), (rest_low, rest_high) = wilson(k, n), wilson(rest_k, rest_n)
    bounds = (
        p - q - math.hypot(p - low, rest_high - q),
        p - q + math.hypot(high - p, q - rest_low),
    )
    text = text_of(page)
    assert f"The rest {100 * q:.1f} %" in text
    assert f"n = {rest_n}" in text
    assert f"{formats.points(p - q)} pp {formats.points_interval(*bounds)}" in text
    # All values stay in the table, the chosen one marked, and the page at the attribute.
    table = next(each for each in page.dataframe if (each.key or "").startswith("places"))
    assert set(table.value["name"]) == {"rain", *rows}


def test_a_click_on_a_value_keeps_the_attribute_and_a_second_one_clears_it(monkeypatch, tmp_path):
    written = []
    monkeypatch.setattr(page.url_state, "change_filters", lambda s, _: written.append(s))
    before = Selection(country=("FR",), attributes=(("sky", "old"), ("road", "dirt")))
    view = View(path=tmp_path, run_id=1, run_key="", selection=before)
    page._compare(view, "attribute:sky", "a=b")
    page._compare(view, "attribute:sky", None)
    assert [each.attributes for each in written] == [
        (("road", "dirt"), ("sky", "a=b")),
        (("road", "dirt"),),
    ]
