"""The map page: what it says, which images it draws, and what a click on it shows."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
import streamlit as st

from dashboard.queries import run_queries
from dashboard.views.map import country_flows
from tests.dashboard.pages import open_page_of, text_of
from tests.dashboard.sites import DESK, PHONE, serve
from tests.dashboard.worlds import World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("map"))
    made.add_run("first", skill=0.6, seed=3)
    return made


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
    (found,) = (each for each in drawn["layers"] if each["id"] == name)
    return found["data"]


WRONG = "country_correct = 0"
PLACED = "pred_latitude_deg IS NOT NULL AND true_latitude_deg IS NOT NULL"


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


# In a real browser


@pytest.fixture(scope="module")
def served(world, tmp_path_factory):
    with serve(world.path, tmp_path_factory.mktemp("served")) as address:
        yield address


class MapVisit:
    """The map page in a browser; a click waits until the page has taken it."""

    def __init__(self, visit, address, **options):
        self.visited = visit(**options)
        self.address = address

    def open(self, query):
        page = self.visited.go(f"{self.address}/map?run=1&{query}")
        page.locator("[data-testid=stDeckGlJsonChart] canvas").wait_for(timeout=60_000)
        return page

    def click(self, name, right=0, down=0):
        """Click so many pixels from the middle of the map until the URL has a parameter."""
        page = self.visited.page
        box = page.locator("[data-testid=stDeckGlJsonChart]").bounding_box()
        x = box["x"] + box["width"] / 2 + right
        y = box["y"] + box["height"] / 2 + down
        for _ in range(10):  # the first ones find WebGL still starting, on a slow machine
            page.mouse.move(x - 2, y - 2)
            page.mouse.move(x, y)
            page.wait_for_timeout(700)
            page.mouse.click(x, y)
            page.wait_for_timeout(1500)
            if name in self.parameters():
                self.visited.settle()
                return self.parameters()
        pytest.fail(f"no click on the map set {name}: {page.url}")

    def parameters(self):
        return parse_qs(urlsplit(self.visited.page.url).query)

    def shown(self):
        """The images of the cards, by the addresses they link to."""
        page = self.visited.page
        page.locator("a.card").first.wait_for(timeout=30_000)
        links = page.locator("a.card").evaluate_all("all => all.map(each => each.href)")
        return sorted(int(parse_qs(urlsplit(each).query)["image"][0]) for each in links)


@pytest.fixture
def map_visit(visit, served):
    return lambda **options: MapVisit(visit, served, **({"viewport": DESK} | options))


def one_alone(world):
    """A wrong image, and parameters that leave it alone on the map."""
    rows = world.sql(
        "SELECT image_id, true_country, pred_country FROM predictions AS p "
        f"WHERE {WRONG} AND {PLACED} AND true_country <> 'ZA' AND 1 = (SELECT COUNT(*) "
        "FROM predictions AS q WHERE q.run_id = p.run_id AND q.true_country = p.true_country "
        "AND q.pred_country = p.pred_country) ORDER BY image_id"
    )
    image_id, true, predicted = rows[0]
    return image_id, f"country={true}&predicted={predicted}"


@pytest.mark.browser
def test_a_click_on_a_point_shows_its_image(map_visit, world):
    image_id, query = one_alone(world)
    opened = map_visit()
    opened.open(f"{query}&layer=points")
    assert opened.click("image")["image"] == [str(image_id)]
    assert opened.shown() == [image_id]
    assert opened.visited.strangers() == []
    assert opened.visited.errors == []


@pytest.mark.browser
def test_a_click_on_a_hexagon_shows_the_images_in_it(map_visit, world):
    image_id, query = one_alone(world)
    opened = map_visit()
    opened.open(f"{query}&layer=hexagons")
    opened.click("cell")
    opened.visited.page.get_by_text("In the hexagon").wait_for()
    assert opened.shown() == [image_id]


@pytest.mark.browser
def test_a_click_on_a_country_filters_by_it(map_visit, world):
    opened = map_visit()
    opened.open("city=São Paulo&layer=points")
    # North-west of São Paulo there is Brazil all around.
    parameters = opened.click("country", right=-60, down=-60)
    assert parameters["country"] == ["BR"]
    assert "city" not in parameters
    farthest = world.sql(
        f"SELECT image_id FROM predictions WHERE {WRONG} AND true_country = 'BR' "
        "ORDER BY distance_km DESC NULLS LAST, image_id LIMIT 12"
    )
    assert opened.shown() == sorted(image_id for (image_id,) in farthest)


@pytest.mark.browser
def test_the_map_fits_a_phone_and_asks_nobody(map_visit):
    opened = map_visit(viewport=PHONE)
    page = opened.open("layer=flows")
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    assert opened.visited.strangers() == []
    assert opened.visited.errors == []
