"""Several values, "not", file names and numbers of the filter bar, in a real browser."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.dashboard.sites import DESK

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def query(page):
    return parse_qs(urlsplit(page.url).query)


def wait_for_images(page, number):
    page.locator(".st-key-chips").get_by_text(f"{number} images match").wait_for()


def choose(page, key, option):
    box = page.locator(f".st-key-{key} input")
    box.scroll_into_view_if_needed()  # an open list closes when the page scrolls
    box.click()
    page.get_by_role("option", name=option, exact=True).click()


def test_filters_take_several_values_turn_them_around_and_find_file_names(site, visit):
    run_id = site.written.add_run()  # France 60, Japan 40 and New Zealand 20, in this order
    visited = visit(viewport=DESK)
    page = visited.go(f"{site.address}/accuracy?run={run_id}")
    page.get_by_text("70 correct, 50 wrong").wait_for()
    choose(page, "filter_country", "Japan (40)")
    wait_for_images(page, 40)
    page.locator(".st-key-filter_city").wait_for()
    choose(page, "filter_country", "New Zealand (20)")
    wait_for_images(page, 60)
    assert query(page)["country"] == ["JP", "NZ"]
    page.get_by_text("25 correct, 35 wrong").wait_for()
    page.locator(".st-key-filter_city").wait_for(state="detached")
    page.get_by_text("Not these").click()
    page.get_by_role("button", name="true country not Japan").wait_for()
    wait_for_images(page, 60)
    assert query(page)["not_country"] == ["JP", "NZ"]
    assert "country" not in query(page)
    assert visited.violations() == []

    page.get_by_role("textbox", name="File name contains").fill("1.J")
    page.keyboard.press("Enter")
    wait_for_images(page, 6)  # 1.jpg, 11.jpg … 51.jpg
    page.get_by_role("button", name="true country not Japan").click()
    wait_for_images(page, 10)
    assert query(page)["not_country"] == ["NZ"]
    page = visited.go(page.url)
    wait_for_images(page, 10)
    assert page.get_by_role("checkbox", name="Not these").is_checked()
    page.locator(".st-key-chip_clear button").click()
    page.locator(".st-key-chips").wait_for(state="detached")
    assert query(page) == {"run": [str(run_id)]}
    assert visited.errors == []
