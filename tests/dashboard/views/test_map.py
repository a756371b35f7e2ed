"""The map page: what it says and which images it draws."""

import json

import numpy as np
import pytest
import streamlit as st

from dashboard.charts import deck_map
from dashboard.queries import run_queries
from dashboard.views.map import country_flows
from tests.dashboard.map_world import PLACED, WRONG, make_map_world, one_alone
from tests.dashboard.pages import open_page_of, text_of


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_map_world(tmp_path_factory.mktemp("map"))


@pytest.fixture
def open_map(monkeypatch, world):
    """Open the page, and give its text, its map and the rows of its table."""
    maps, tables = [], []
    monkeypatch.setattr(st, "pydeck_chart", lambda drawn, **_: maps.append(drawn.to_json()))
    plain = st.dataframe
    monkeypatch.setattr(
        st, "dataframe", lambda rows, **rest: (tables.append(rows), plain(rows, **rest))[1]
    )
    run = open_page_of(monkeypatch)

    def opened(**parameters):
        maps.clear()
        tables.clear()
        page = run(world.path, "map", **parameters)
        assert not page.exception
        return text_of(page), json.loads(maps[-1]) if maps else None, tables

    return opened


def marks(drawn, name):
    """The rows of a layer; of ways, the first piece of each."""
    (found,) = (each for each in drawn["layers"] if each["id"] == name)
    seen = {json.dumps({**row, "path": 0} | dict.fromkeys("rgb", 0)): row for row in found["data"]}
    return [*seen.values()]


def ids_of(world, *conditions):
    where = " AND ".join(conditions)
    return [i for (i,) in world.sql(f"SELECT image_id FROM predictions WHERE {where} ORDER BY 1")]


def test_it_starts_with_the_images_whose_country_is_wrong(open_map, world):
    text, drawn, _ = open_map()
    expected = ids_of(world, WRONG, PLACED)
    assert sorted(each["id"] for each in marks(drawn, "arcs")) == expected
    assert f"{len(expected)} images, each an arc from its true to its predicted place." in text


def test_images_without_a_place_are_counted(open_map, world):
    text, *_ = open_map()
    without = len(ids_of(world, WRONG)) - len(ids_of(world, WRONG, PLACED))
    assert without > 1
    assert f"{without} images have no place on the map" in text


def test_right_images_are_drawn_when_they_are_asked_for(open_map, world):
    _, drawn, _ = open_map(country_is="any", layer="points")
    assert sorted(each["id"] for each in marks(drawn, "points")) == ids_of(world, PLACED)


def test_flows_are_the_pairs_that_sql_counts(open_map, world):
    text, drawn, tables = open_map(layer="flows")
    rows = world.sql(
        f"SELECT true_country, pred_country, COUNT(*) FROM predictions WHERE {WRONG} "
        "AND pred_country IS NOT NULL GROUP BY 1, 2"
    )
    pairs = {(true, predicted): n for true, predicted, n in rows}
    found = {(each["true"], each["predicted"]): each["detail"] for each in marks(drawn, "flows")}
    assert found.keys() == pairs.keys()
    for pair, n in pairs.items():
        assert found[pair].split(" · ")[0] == f"{n} image{'' if n == 1 else 's'}"
    assert f"in {len(pairs)} flows between countries." in text
    (table,) = (each for each in tables if "predicted" in each)
    assert sorted(table["n"].tolist()) == sorted(pairs.values())


def test_hexagons_hold_every_image_once(open_map, world):
    for place, column in (("true", "true_latitude_deg"), ("predicted", "pred_latitude_deg")):
        _, drawn, _ = open_map(layer="hexagons", at=place)
        numbers = [int(each["title"].split()[0]) for each in marks(drawn, "hexagons")]
        on_the_map = ids_of(world, WRONG, f"{column} IS NOT NULL")
        assert sum(numbers) == len(on_the_map)


def test_hexagons_show_the_accuracy_of_correct_and_wrong_images(open_map, world):
    text, drawn, _ = open_map(layer="hexagons", colour="accuracy", country="NZ")
    n, correct = world.sql(
        "SELECT COUNT(*), SUM(country_correct) FROM predictions WHERE true_country = 'NZ'"
    )[0]
    assert 0 < correct < n
    numbers = [int(each["title"].split()[0]) for each in marks(drawn, "hexagons")]
    accuracies = [float(each["detail"].split()[2]) for each in marks(drawn, "hexagons")]
    assert sum(numbers) == n
    assert np.dot(numbers, accuracies) / 100 == pytest.approx(correct, abs=0.1)
    assert "the filters of the outcome do not apply" in text
    text, drawn, _ = open_map(layer="hexagons", colour="n", country="NZ")
    assert sum(int(each["title"].split()[0]) for each in marks(drawn, "hexagons")) == n - correct
    assert "do not apply" not in text


def test_the_error_of_a_hexagon_is_that_of_its_image(open_map, world):
    image_id, pair = one_alone(world)
    _, drawn, _ = open_map(layer="hexagons", **pair)
    ((km,),) = world.sql("SELECT distance_km FROM predictions WHERE image_id = ?", image_id)
    (mark,) = marks(drawn, "hexagons")
    assert mark["detail"].replace("\u00a0", " ") == f"median error {km:,.0f} km"


def test_the_world_can_be_shown_around_the_filtered_images(open_map):
    widths = []
    for extent in ("data", "world"):
        _, drawn, _ = open_map(continent="Europe", layer="points", extent=extent)
        (west, _), (east, _) = drawn["views"][0]["controller"]["maxBounds"]
        widths.append(east - west)
    assert widths[0] < 60
    assert widths[1] > 300


def test_above_the_limits_the_form_changes_and_the_page_says_why(open_map, world, monkeypatch):
    monkeypatch.setattr(run_queries, "LIMITS", {"arcs": 20, "points": 50})
    monkeypatch.setattr("dashboard.views.map.country_flows.LIMITS", {"arcs": 20, "points": 50})
    text, drawn, _ = open_map()
    assert [each["id"] for each in drawn["layers"]][2:] == ["flows"]
    assert "More than 50 are too many for points." in text
    text, drawn, _ = open_map(layer="arcs")
    assert len(marks(drawn, "arcs")) == 20
    total = len(ids_of(world, WRONG, PLACED))
    assert f"20 of {total} images, each an arc" in text
    assert "spread evenly over all: more than 20" in text


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (
            {"form": "flows", "num_marks": 300, "num_pairs": 26_518, "num_drawn": 64_213},
            (
                "64,213 of 336,226 images in the 300 most frequent of 26,518 flows between "
                "countries. More than 10,000 are too many for points."
            ),
        ),
        (
            {"form": "points", "num_marks": 10_000, "num_pairs": 5, "num_drawn": 10_000},
            (
                "10,000 of 336,226 images, each a point. They are spread evenly over all: more "
                "than 10,000 are unreadable."
            ),
        ),
        (
            {"form": "hexagons", "num_marks": 1, "num_pairs": 5, "num_drawn": 336_226},
            "336,226 images in 1 hexagon.",
        ),
    ],
)
def test_the_page_says_what_is_drawn_of_how_many_and_why(numbers, words):
    shown = {"is_by_scale": True, "num_selected": 336_226, "num_placed": 336_226}
    assert country_flows.words(**numbers, **shown) == words


def test_a_picked_image_is_drawn_above_all_and_shown_beside(open_map, world):
    image_id = ids_of(world, WRONG, PLACED)[4]
    text, drawn, _ = open_map(image=str(image_id))
    assert [each["id"] for each in marks(drawn, "picked")] == [image_id]
    assert [each["id"] for each in drawn["layers"]][-1] == "picked_predictions"
    assert "The image" in text


@pytest.mark.parametrize("image", ["999999", "-1", "x", "0"])
def test_an_image_that_the_run_has_not_is_not_drawn(open_map, image):
    text, drawn, _ = open_map(image=image)
    assert "picked" not in [each["id"] for each in drawn["layers"]]
    assert "Largest error" in text


@pytest.mark.parametrize("parameters", [{"layer": "x", "colour": "y", "at": "z"}, {"cell": "7"}])
def test_parameters_that_fit_nothing_are_survived(open_map, parameters):
    assert "Largest error" in open_map(**parameters)[0]


def test_an_empty_hexagon_says_so(open_map):
    text, *_ = open_map(layer="hexagons", cell="1")
    assert "No images" in text


def test_a_hexagon_is_of_the_filters_that_it_was_clicked_under(monkeypatch, world):
    page = open_page_of(monkeypatch)(world.path, "map", layer="hexagons", cell="1")
    page.selectbox(key="filter_continent").select("Asia").run()
    assert page.query_params["continent"] == "Asia"
    assert "cell" not in page.query_params


def test_what_was_clicked_stays_when_the_world_is_shown(monkeypatch, world):
    monkeypatch.setattr(deck_map, "draw", lambda *_, on_world, **rest: on_world(True))
    page = open_page_of(monkeypatch)(world.path, "map", layer="hexagons", cell="1", image="2")
    found = [page.query_params[name] for name in ("extent", "cell", "image")]
    assert found == ["world", "1", "2"]


# In a real browser
