"""The map page: what it says, which images it draws, and what a click on it shows."""

import json
import time
from io import BytesIO
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from scipy import ndimage

from dashboard.charts import deck_map
from dashboard.queries import run_queries
from dashboard.views.map import country_flows
from streetclip.geo import on_map
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
    """The rows of a layer; of ways, the first piece of each."""
    (found,) = (each for each in drawn["layers"] if each["id"] == name)
    seen = {json.dumps({**row, "path": 0} | dict.fromkeys("rgb", 0)): row for row in found["data"]}
    return [*seen.values()]


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
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:  # on a slow machine, WebGL still starts at first
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


@pytest.fixture(scope="module")
def browser(launch):
    """A Chromium whose WebGL answers clicks at once."""
    with launch() as started:
        yield started


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
    return image_id, {"country": true, "predicted": predicted}


@pytest.mark.browser
def test_a_click_on_a_point_shows_its_image(map_visit, world):
    image_id, pair = one_alone(world)
    opened = map_visit()
    opened.open(f"{urlencode(pair)}&layer=points")
    assert opened.click("image")["image"] == [str(image_id)]
    assert opened.shown() == [image_id]
    assert opened.visited.strangers() == []
    assert opened.visited.errors == []


@pytest.mark.browser
def test_a_click_on_a_hexagon_shows_the_images_in_it(map_visit, world):
    image_id, pair = one_alone(world)
    opened = map_visit()
    opened.open(f"{urlencode(pair)}&layer=hexagons")
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


def marked(page):
    """Pixels of the canvas that have a colour, [y, x]; land, borders and buttons are grey."""
    box = page.locator("[data-testid=stDeckGlJsonChart] canvas").bounding_box(timeout=90_000)
    image = Image.open(BytesIO(page.screenshot(clip=box, timeout=90_000))).convert("RGB")
    pixels = np.asarray(image).astype(np.int64)
    return np.ptp(pixels, axis=2) > 60


def spots(page):
    """Centres of the coloured spots as shares of the canvas: [n, (x, y)], from left to right."""
    pixels = marked(page)
    labels, count = ndimage.label(ndimage.binary_dilation(pixels, iterations=2))
    centres = ndimage.center_of_mass(pixels, labels, range(1, count + 1))
    return np.array(sorted((x, y) for y, x in centres)) / pixels.shape[::-1]


def expected_spots(*places, fitted):
    """Where places are, as shares of the canvas, if the view is fitted to some."""
    view, _ = deck_map.view_of(*fitted)
    (west, _), (east, _) = view.controller["maxBounds"]
    middle = view.controller["maxBounds"][0][1] + view.controller["maxBounds"][1][1]
    x, y = on_map(*np.array(places).T)
    return np.stack(
        [(x - west) / (east - west), 0.5 - (y - middle / 2) / (east - west) * 2], axis=1
    )


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1920, "light"), (2560, "dark")])
def test_one_world_with_all_its_places_is_seen_at_every_width(map_visit, world, width, scheme):
    opened = map_visit(viewport={"width": width, "height": 1200}, color_scheme=scheme)
    # One New Zealand, where it belongs.
    page = opened.open("city=Auckland&layer=points&country_is=any&extent=world")
    auckland = expected_spots((-36.85, 174.76), fitted=deck_map.NOWHERE)
    await_spots(page, auckland)
    # Every place and every arc inside the canvas, which they fill.
    page = opened.open("layer=arcs")
    pixels = marked(page)
    assert not any(edge.any() for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    columns = np.flatnonzero(pixels.any(axis=0)) / pixels.shape[1]
    assert columns[0] < 0.1
    assert columns[-1] > 0.9
    assert opened.visited.errors == []


def await_spots(page, expected):
    """Wait until the coloured spots are where they should be: a zoom takes some frames."""
    deadline = time.monotonic() + 60
    while True:
        found = spots(page)
        if found.shape == expected.shape and np.abs(found - expected).max() < 0.02:
            return
        assert time.monotonic() < deadline, f"{found}; expected {expected}"
        page.wait_for_timeout(300)


@pytest.mark.browser
@pytest.mark.slow
def test_the_map_zooms_by_buttons_and_names_countries(map_visit):
    opened = map_visit()
    page = opened.open("country=BR&country_is=any&layer=points&extent=world")
    paulo = expected_spots((-23.55, -46.63), fitted=deck_map.NOWHERE)
    await_spots(page, paulo)
    box = page.locator("[data-testid=stDeckGlJsonChart]").bounding_box()
    sudan = expected_spots((14.0, 30.0), fitted=deck_map.NOWHERE)[0]
    page.mouse.move(box["x"] + sudan[0] * box["width"] - 2, box["y"] + sudan[1] * box["height"])
    page.mouse.move(box["x"] + sudan[0] * box["width"], box["y"] + sudan[1] * box["height"])
    page.locator(".deck-tooltip", has_text="Sudan").wait_for()

    page.get_by_role("button", name="Zoom in").click()
    await_spots(page, 0.5 + 2 * (paulo - 0.5))
    page.get_by_role("button", name="Zoom out").press("Enter")
    await_spots(page, paulo)
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Reset the view").click()
    opened.visited.settle()
    await_spots(page, paulo)

    # A narrower window shows as much.
    page.set_viewport_size({"width": 900, "height": 1000})
    await_spots(page, paulo)

    world = page.get_by_role("button", name="Show the world")
    assert world.get_attribute("aria-pressed") == "true"
    world.click()
    opened.visited.settle()
    assert "extent" not in opened.parameters()
    assert (
        page.get_by_role("button", name="Show the world").get_attribute("aria-pressed") == "false"
    )
    assert opened.visited.errors == []


@pytest.mark.browser
def test_the_map_fits_a_phone_and_asks_nobody(map_visit):
    opened = map_visit(viewport=PHONE)
    page = opened.open("layer=flows")
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    assert opened.visited.strangers() == []
    assert opened.visited.errors == []
