"""The Confusion page on a store of known predictions, against plain SQL; a click in a browser."""

import json
import math
import sqlite3
import tomllib
from collections import Counter

import pytest
import streamlit as st

from dashboard.queries import comparisons, run_queries
from dashboard.shell import theme
from dashboard.shell.page_query import View
from dashboard.views.confusion import page
from streetclip.gazetteer import countries
from streetclip.results.filters import Selection
from tests.dashboard.galleries import cards_of
from tests.dashboard.pages import opener_of, text_of
from tests.dashboard.plain import wilson
from tests.dashboard.sites import ROOT
from tests.dashboard.specs import assert_valid, layers_of, words_of
from tests.dashboard.worlds import CANDIDATES, World

NAMES = {code: country.name for code, country in countries().items()} | {None: "no prediction"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"), num_images=900, with_files=False).with_two_runs()


@pytest.fixture
def open_page(monkeypatch, world):
    return opener_of(monkeypatch, world.path, "confusion", run="2")


def pairs_of(world):
    """(true, predicted) → images, by plain SQL; None where nothing was predicted."""
    rows = world.sql(
        "SELECT true_country, pred_country, count(*) FROM predictions WHERE run_id = 2 "
        "GROUP BY 1, 2"
    )
    return {(true, predicted): n for true, predicted, n in rows}


def table(page, key):
    return next(each.value for each in page.dataframe if (each.key or "").startswith(key))


def cells_of(page, key="confusion_cells"):
    rows = table(page, key).itertuples()
    return {(row.true, row.predicted): row for row in rows}


def specs(page):
    return [json.loads(each.proto.spec) for each in page.get("vega_lite_chart")]


def cells_encoding(page):
    """How the matrix draws its cells."""
    (layer,) = (each for each in specs(page)[0]["layer"] if "params" in each)
    return layer["encoding"]


def choose(page, name, value):
    """What a click on an option of a view's own parameter does."""
    control = next(each for each in page.get("button_group") if each.key == f"own_{name}")
    return control.set_value(value).run()


def test_every_cell_has_the_count_the_share_and_the_interval_of_sql(open_page, world):
    cells = cells_of(open_page(top="40"))
    expected = pairs_of(world)
    assert len(cells) == len(expected)
    totals = Counter()
    for (true, _), n in expected.items():
        totals[true] += n
    for (true, predicted), n in expected.items():
        cell = cells[NAMES[true], NAMES[predicted]]
        assert cell.n == n
        low, high = wilson(n, totals[true])
        interval = f"{100 * low:.1f}–{100 * high:.1f}"
        assert cell.share == f"{100 * n / totals[true]:.1f} ({interval})"


def test_the_most_confused_have_rows_of_their_own_and_the_rest_is_other(open_page, world):
    expected = pairs_of(world)
    wrong = Counter()
    for (true, predicted), n in expected.items():
        if true != predicted:
            wrong[true] += n
            wrong[predicted] += n
    del wrong[None]
    own = {code for code, _ in wrong.most_common(10)}
    edge = sorted(wrong.values(), reverse=True)[9:11]
    assert edge[0] > edge[1]  # no tie where the line is drawn
    folded = Counter()
    for (true, predicted), n in expected.items():
        labels = (NAMES[c] if c in own or c is None else "(other)" for c in (true, predicted))
        folded[tuple(labels)] += n
    cells = cells_of(open_page(top="10"))
    assert {key: cell.n for key, cell in cells.items()} == dict(folded)
    assert sum(cell.n for cell in cells.values()) == 900


def test_rows_are_the_truth_and_columns_the_prediction_by_continent_and_name(open_page):
    (x, y) = (cells_encoding(open_page())[each] for each in "xy")
    assert (x["title"], y["title"]) == ("predicted country", "true country")
    codes = y["scale"]["domain"]
    known = countries()
    assert codes == sorted(codes, key=lambda c: (known[c].continent, known[c].name))
    assert x["scale"]["domain"] == [*codes, ""]  # what was not predicted stands last


def test_the_chosen_cell_is_outlined_and_the_matrix_is_not_filtered_by_it(open_page):
    free = open_page()
    chosen = open_page(country="FR", predicted="DE")
    before, after = cells_of(free), cells_of(chosen)
    assert {key: cell.n for key, cell in before.items()} == {
        key: cell.n for key, cell in after.items()
    }
    rects = [len(layers_of(specs(page)[0], "rect")) for page in (free, chosen)]
    assert rects[1] == rects[0] + 1
    frame = layers_of(specs(chosen)[0], "rect")[-1]
    assert "wrong" in json.dumps(frame)
    assert frame["mark"]["filled"] is False
    assert "France → Germany" in text_of(chosen).replace("\\", "")


def test_a_link_to_an_empty_cell_says_so(open_page, world):
    absent = next(
        (a, b) for a in ("FR", "SK") for b in ("US", "AR", "IT") if (a, b) not in pairs_of(world)
    )
    page = open_page(country=absent[0], predicted=absent[1])
    assert not page.exception
    assert "No image matches" in text_of(page)


def test_continents_are_rolled_up(open_page, world):
    continent = {code: country.continent for code, country in countries().items()}
    expected = Counter()
    for (true, predicted), n in pairs_of(world).items():
        expected[continent[true], continent.get(predicted, "no prediction")] += n
    cells = cells_of(open_page(level="continent"), "continent_cells")
    assert {key: cell.n for key, cell in cells.items()} == dict(expected)


def test_below_a_continent_cell_stand_its_countries_alone(open_page, world):
    page = open_page(continent="Europe", to="Asia")
    columns = cells_encoding(page)["x"]["scale"]["domain"]
    assert columns == ["JP", "KR", "(other)", ""]
    cells = cells_of(page)
    counted = {
        pair: n for pair, n in pairs_of(world).items() if countries()[pair[0]].continent == "Europe"
    }
    asian = {(t, p): n for (t, p), n in counted.items() if p in {"JP", "KR"}}
    assert asian
    for (true, predicted), n in asian.items():
        assert cells[NAMES[true], NAMES[predicted]].n == n
    assert sum(cell.n for cell in cells.values()) == sum(counted.values())
    back = next(each for each in page.button if "Asia" in each.label).click().run()
    assert "to" not in back.query_params
    assert back.query_params["continent"] == "Europe"


@pytest.mark.parametrize(
    ("norm", "scale", "most"), [("row", None, 100), ("column", None, 100), ("count", "symlog", 900)]
)
def test_colours_begin_at_zero_and_counts_are_logarithmic(open_page, norm, scale, most):
    fill = cells_encoding(open_page(norm=norm))["fill"]
    assert fill["scale"].get("type") == scale
    low, high = fill["scale"]["domain"]
    assert low == 0
    assert 0 < high < most


def test_right_answers_share_the_colours_only_where_asked(open_page):
    highest = [
        cells_encoding(open_page(**each))["fill"]["scale"]["domain"][1]
        for each in ({}, {"diagonal": "coloured"})
    ]
    assert highest[0] < 30 < highest[1]  # the runs know 70 % and scatter the rest


def test_bad_parameters_of_the_page_fall_back(open_page):
    page = open_page(level="town", top="7", norm="<b>", order="", diagonal="x", to="Atlantis")
    assert not page.exception
    assert {key: cell.n for key, cell in cells_of(page).items()} == {
        key: cell.n for key, cell in cells_of(open_page()).items()
    }


def test_choices_are_written_into_the_url_and_defaults_out_of_it(open_page):
    page = choose(open_page(), "top", "30")
    assert page.query_params["top"] == "30"
    page = choose(page, "order", "similarity")
    assert page.query_params["order"] == "similarity"
    assert "top" not in choose(page, "top", "20").query_params


def test_one_sided_pairs_are_those_whose_interval_leaves_zero_out(open_page, world):
    found = table(open_page(), "asymmetric_pairs")
    counted = pairs_of(world)
    totals = Counter()
    for (true, _), n in counted.items():
        totals[true] += n
    expected = set()
    for a in totals:
        for b in totals:
            k, j = counted.get((a, b), 0), counted.get((b, a), 0)
            if a == b or k + j == 0 or min(totals[a], totals[b]) < 30:
                continue
            p, q = k / totals[a], j / totals[b]
            low = p - q - math.hypot(p - wilson(k, totals[a])[0], wilson(j, totals[b])[1] - q)
            if low > 0:
                expected.add((NAMES[a], NAMES[b], k, j))
    assert expected
    rows = {(r.country, r.other, r.taken, r.other_taken) for r in found.itertuples()}
    assert rows == expected


def test_near_and_far_mistakes_are_counted_against_chance(open_page, world):
    page = open_page()
    known, near = countries(), Counter()
    chance, errors = 0.0, 0
    candidates = set(CANDIDATES)
    assert candidates > {p for _, p in pairs_of(world)} - {None}
    for (true, predicted), n in pairs_of(world).items():
        if predicted in (None, true):
            continue
        borders = known[true].neighbours
        same = known[true].continent == known[predicted].continent
        kind = "same continent" if same else "other continent"
        near["neighbour" if predicted in borders else kind] += n
        errors += n
        chance += n * len(candidates & borders) / len(candidates - {true})
    rows = next(e.value for e in page.dataframe if "nearness" in e.value).itertuples()
    assert {row.nearness: row.n for row in rows} == dict(near)
    share, expected = near["neighbour"] / errors, chance / errors
    words = f"{100 * share:.1f} % of {errors} mistakes go to a country that borders on the true one"
    assert words in text_of(page)
    assert (
        f"Chance would send {100 * expected:.1f} % there: it is {share / expected:.1f} times"
        in (text_of(page))
    )


def test_chance_is_unknown_where_the_run_does_not_hold_its_candidates(
    open_page, world, monkeypatch
):
    """As of runs of older versions: those that it predicts are not all that it could."""
    monkeypatch.setattr(comparisons, "candidate_countries", lambda view: None)
    st.cache_data.clear()
    text = text_of(open_page())
    st.cache_data.clear()
    wrong = {pair: n for pair, n in pairs_of(world).items() if pair[1] not in (None, pair[0])}
    known, errors = countries(), sum(wrong.values())
    near = sum(n for (true, predicted), n in wrong.items() if predicted in known[true].neighbours)
    assert f"{100 * near / errors:.1f} % of {errors} mistakes go to a country that borders" in text
    assert "by chance is unknown" in text
    assert "Chance would send" not in text


def test_a_run_without_a_list_of_candidates_has_none(world):
    with sqlite3.connect(world.path) as connection:
        kept = connection.execute("SELECT config FROM runs WHERE id = 1").fetchone()
        connection.execute("UPDATE runs SET config = '{}' WHERE id = 1")
    view = run_queries.make_view(world.path, 1, None, Selection(), Selection())
    assert comparisons.candidate_countries(view) is None
    with sqlite3.connect(world.path) as connection:
        connection.execute("UPDATE runs SET config = ? WHERE id = 1", kept)


def test_without_mistakes_each_part_says_so(open_page):
    page = open_page(country_is="right")
    assert not page.exception
    assert text_of(page).count("There is no mistake among these images.") == 2
    assert "None is significant" in text_of(page)


def test_every_chart_is_valid_and_says_what_it_shows(open_page):
    for parameters in ({}, {"level": "continent", "norm": "count"}, {"order": "similarity"}):
        page = open_page(country="FR", predicted="DE", **parameters)
        for chart in page.get("vega_lite_chart"):
            assert_valid(json.loads(chart.proto.spec))
            assert len(words_of(chart.proto)) > 30
    most = max((n, p) for p, n in pairs_of_wrong(open_page).items())
    assert f"{most[1][0]} taken for {most[1][1]} {most[0]} times" in (
        words_of(open_page().get("vega_lite_chart")[0].proto)
    )


def pairs_of_wrong(open_page):
    cells = cells_of(open_page())
    return {key: cell.n for key, cell in cells.items() if key[0] != key[1] and "no" not in key[1]}


def clicks(monkeypatch, tmp_path, pick, selection, *cells):
    """What clicks on cells write into the URL."""
    view = View(path=tmp_path / "s.db", run_id=1, run_key="", selection=selection)
    filters, own = [], []

    def change_filters(selection, defaults, **others):
        filters.append(selection)
        own.append(others)

    monkeypatch.setattr(page.url_state, "change_filters", change_filters)
    for cell in cells:
        pick(view, *cell)
    return filters, own


def test_a_click_sets_both_countries_and_a_second_one_takes_them_back(monkeypatch, tmp_path):
    chosen = Selection(country=("FR",), predicted=("DE",), city="Paris", tags=("x",))
    cells = [("ES", "PT"), ("FR", ""), ("FR", "DE")]
    found, _ = clicks(monkeypatch, tmp_path, page._pick_countries, chosen, *cells)
    assert found == [
        Selection(country=("ES",), predicted=("PT",), tags=("x",)),
        Selection(country=("FR",), predicted=("",), tags=("x",)),
        Selection(tags=("x",)),
    ]


def test_a_click_on_continents_goes_down_to_their_countries(monkeypatch, tmp_path):
    chosen = Selection(country=("FR",), predicted=("DE",), country_correct=False)
    cells = [("Asia", "Europe"), ("Asia", "")]
    found, own = clicks(monkeypatch, tmp_path, page._pick_continents, chosen, *cells)
    assert found == [
        Selection(continent="Asia", country_correct=False),
        Selection(continent="Asia", predicted=("",), country_correct=False),
    ]
    assert own == [{"level": None, "to": "Europe"}, {"level": None, "to": None}]


def test_a_chosen_cell_keeps_the_list_of_mistakes_above_its_images(open_page, world):
    (true, predicted), *_ = [pair for pair in pairs_of(world) if None not in pair]
    page = open_page(country=true, predicted=predicted)
    assert len(table(page, "confused_most")) > 1
    headings = [each.value for each in page.header]
    assert headings[0] == "Most frequent mistakes"
    assert " → " in headings[1].replace("\\", "")
    assert cards_of(page)


def test_zero_has_the_colour_of_the_background_in_both_themes(open_page):
    settings = tomllib.loads((ROOT / "dashboard/.streamlit/config.toml").read_text())["theme"]
    for name, colours in theme.FROM_ZERO.items():
        assert settings[name]["chartSequentialColors"] == list(colours)
        assert settings[name]["backgroundColor"] == colours[0]
    scale = cells_encoding(open_page())["fill"]["scale"]
    assert (scale["range"], scale["domain"][0]) == ("heatmap", 0)
