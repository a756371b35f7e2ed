"""Clicks, Back and scrolling, in a real browser."""

import pytest

from tests.dashboard.sites import serve
from tests.dashboard.worlds import World

pytestmark = pytest.mark.browser

SHORT = {"width": 1440, "height": 700}
LONGEST_NAME = 30


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("history"), with_files=False).with_two_runs()
    with serve(world.path, tmp_path_factory.mktemp("server")) as found:
        yield found


def scrolled(page):
    return page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")


def wait_until_scrolled(page, at):
    main = "document.querySelector('[data-testid=stMain]')"
    page.wait_for_function(f"Math.abs({main}.scrollTop - {at}) <= 2")


def entries(page):
    return page.evaluate("history.length")


def click_row(page, key, number, x=0.6):
    """Click a row of a table right of its boxes; 0 is the header."""
    table = page.locator(f"[class*=st-key-{key}] canvas").first
    table.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    box = table.bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + (number + 0.5) * 33)


def test_a_click_on_a_row_is_one_step_and_back_returns_to_where_one_was(address, visit):
    visited = visit(viewport=SHORT)
    page = visited.go(f"{address}/accuracy?run=2")
    page.wait_for_function("window.streetclipPage")
    click_row(page, "places", 0, x=0.08)  # sorts
    page.wait_for_timeout(500)
    before, at = entries(page), scrolled(page)
    assert at > 100
    assert "country=" not in page.url
    click_row(page, "places", 2)
    page.wait_for_url("**country=**")
    visited.settle()
    assert "continent=" in page.url
    assert entries(page) == before + 1
    page.go_back()
    page.wait_for_function("!location.search.includes('country=')")
    wait_until_scrolled(page, at)
    assert visited.errors == []


def test_two_filters_of_a_cell_are_one_step_and_a_page_is_left_where_one_was(address, visit):
    visited = visit(viewport=SHORT)
    page = visited.go(f"{address}/confusion?run=2")
    page.wait_for_function("window.streetclipPage")
    before = entries(page)
    click_row(page, "confused_most", 1)
    page.wait_for_url("**predicted=**")
    visited.settle()
    assert "country=" in page.url
    assert entries(page) == before + 1
    last = page.get_by_role("heading", name="One-sided confusions")
    last.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    at = scrolled(page)
    page.locator("[data-testid=stSidebar] a[href*=accuracy]").click()
    page.wait_for_url("**/accuracy**")
    visited.settle()
    page.go_back()
    page.wait_for_url("**/confusion**")
    wait_until_scrolled(page, at)


def test_buttons_of_charts_and_tables_have_short_names(address, visit):
    page = visit(viewport=SHORT).go(f"{address}/confusion?run=2")
    names = page.eval_on_selector_all(
        "[data-testid=stElementToolbar] button", "all => all.map((one) => one.ariaLabel)"
    )
    assert len(names) > 5
    assert max(map(len, names)) <= LONGEST_NAME
    described = page.eval_on_selector_all(
        "[data-testid=stVegaLiteChart]", "all => all.map((one) => one.ariaLabel)"
    )
    assert described[0].startswith("Confusion matrix, ")
