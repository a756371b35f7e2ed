"""The dashboard in a real browser: what it draws, and that it asks nobody but itself."""

from urllib.parse import quote

import pytest

from tests.dashboard.sites import PHONE

pytestmark = pytest.mark.browser

HOSTILE = '![a](https://evil.example/y.png) <img src="https://evil.example/z.png">'


def open_overview(visited, address):
    """Go there and wait until the last part of the page stands."""
    visited.page.goto(address)
    visited.page.get_by_text("Run details").wait_for()
    visited.page.locator("[data-testid=stVegaLiteChart] svg, canvas").first.wait_for()
    return visited.settle()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_full_store_is_drawn_without_asking_anyone(site, visit, colours):
    run_id = site.written.add_run(name="b32-lora-3")
    visited = visit(color_scheme=colours)
    page = open_overview(visited, site.address)
    text = visited.text()
    assert "58.3 %" in text
    assert "49.4–66.8" in text
    assert "n = 120 · ceiling 100.0 % · macro 50.0 %" in text
    assert page.url == f"{site.address}/?run={run_id}"
    assert visited.strangers() == []
    assert visited.errors == []


def test_hostile_names_are_text_and_fetch_nothing(site, visit):
    names = {"name": HOSTILE, "dataset_name": HOSTILE, "strategy": HOSTILE, "commit": HOSTILE}
    failed = site.written.add_run(**names, state="failed", error=HOSTILE, num_done=5)
    site.written.add_run(**names)
    visited = visit()
    for run in (failed, HOSTILE):
        page = open_overview(visited, f"{site.address}/?run={quote(str(run))}")
        page.get_by_text("Run details").click()
        page.get_by_text("Output folder").wait_for()
        assert HOSTILE in page.inner_text("[data-testid=stMain]")
        assert page.locator("[data-testid=stMain] img").count() == 0
    assert visited.strangers() == []
    assert visited.errors == []


def test_a_click_on_a_row_of_the_runs_shows_that_run(site, visit):
    older = site.written.add_run(name="older")
    site.written.add_run(name="newer")
    page = open_overview(visit(viewport={"width": 1440, "height": 1800}), site.address)
    box = page.locator("[data-testid=stDataFrame]").last.bounding_box()
    # The tick column of the second row; a row of a dataframe is 33 px high at our font size.
    page.mouse.click(box["x"] + 16, box["y"] + 2.5 * 33)
    page.wait_for_url(f"**/?run={older}")
    page.locator("strong", has_text="older").wait_for()


def test_a_phone_shows_everything_in_one_column(site, visit):
    run_id = site.written.add_run()
    visited = visit(viewport=PHONE)
    open_overview(visited, f"{site.address}/?run={run_id}")
    assert visited.width() <= PHONE["width"]


def test_a_running_job_is_followed_without_a_click(site, visit):
    run_id = site.written.add_run(num_done=20, state="running")
    page = open_overview(visit(), f"{site.address}/?run={run_id}")
    site.written.add_predictions(run_id, 20, 60)
    page.get_by_text("running, partial, 60 of 120").first.wait_for()
