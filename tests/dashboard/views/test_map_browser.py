"""The map in Chromium: what a click on it shows, what is seen of the world at which width."""

import time
from io import BytesIO
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from dashboard.charts import deck_map
from streetclip.geo import on_map
from tests.dashboard.map_world import WRONG, make_map_world, one_alone
from tests.dashboard.sites import DESK, PHONE, serve

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_map_world(tmp_path_factory.mktemp("map"))


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
        page.locator("[data-testid=stDeckGlJsonChart] canvas").wait_for()
        return page

    def click(self, name, right=0, down=0):
        """Click so many pixels from the middle of the map until the URL has a parameter."""
        page = self.visited.page
        chart = page.locator("[data-testid=stDeckGlJsonChart]")
        deadline, pause_ms = time.monotonic() + 180, 700
        while time.monotonic() < deadline:  # on a slow machine, WebGL still starts at first
            box = chart.bounding_box()  # anew: what is above may have grown
            x = box["x"] + box["width"] / 2 + right
            y = box["y"] + box["height"] / 2 + down
            page.mouse.move(x - 2, y - 2)
            page.mouse.move(x, y)
            page.wait_for_timeout(pause_ms)
            page.mouse.click(x, y)
            page.wait_for_timeout(2 * pause_ms)
            if name in self.parameters():
                self.visited.settle()
                return self.parameters()
            pause_ms = min(2 * pause_ms, 8000)
        pytest.fail(f"no click on the map set {name}: {page.url}")

    def parameters(self):
        return parse_qs(urlsplit(self.visited.page.url).query)

    def shown(self):
        """The images of the cards, by the addresses they link to."""
        page = self.visited.page
        page.locator("a.card").first.wait_for()
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


def test_a_click_on_a_point_shows_its_image(map_visit, world):
    image_id, pair = one_alone(world)
    opened = map_visit()
    opened.open(f"{urlencode(pair)}&layer=points")
    assert opened.click("image")["image"] == [str(image_id)]
    assert opened.shown() == [image_id]
    assert opened.visited.strangers() == []
    assert opened.visited.errors == []


def test_a_click_on_a_hexagon_shows_the_images_in_it(map_visit, world):
    image_id, pair = one_alone(world)
    opened = map_visit()
    opened.open(f"{urlencode(pair)}&layer=hexagons")
    opened.click("cell")
    opened.visited.page.get_by_text("In the hexagon").wait_for()
    assert opened.shown() == [image_id]


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
    box = page.locator("[data-testid=stDeckGlJsonChart] canvas").bounding_box()
    image = Image.open(BytesIO(page.screenshot(clip=box))).convert("RGB")
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


def test_the_map_fits_a_phone_and_asks_nobody(map_visit):
    opened = map_visit(viewport=PHONE)
    page = opened.open("layer=flows")
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    assert opened.visited.strangers() == []
    assert opened.visited.errors == []
