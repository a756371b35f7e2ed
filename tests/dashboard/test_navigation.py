"""The sidebar's links, and the titles of the browser's tab."""

import itertools

import pytest

from tests.dashboard.pages import PAGES, WORK_PAGES
from tests.dashboard.sites import DESK, PHONE

pytestmark = pytest.mark.browser

LINKS = "[data-testid=stSidebar] [data-testid=stPageLink-NavLink]"
SECTIONS = ["Results", "Images", "Evaluation", "Training and jobs"]


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_links_are_below_one_another_and_named(site, visit, viewport):
    site.written.add_run()
    visited = visit(viewport=viewport)
    page = visited.go(f"{site.address}/accuracy")
    if viewport is PHONE:
        page.get_by_test_id("stExpandSidebarButton").click()
    page.locator(LINKS).last.wait_for()
    # At one moment: the drawer of a phone slides in.
    boxes = page.locator(LINKS).evaluate_all("all => all.map(e => e.getBoundingClientRect())")
    assert len(boxes) == len((*PAGES, *WORK_PAGES))
    assert all(box["height"] >= 24 for box in boxes)
    for upper, lower in itertools.pairwise(boxes):
        assert upper["y"] + upper["height"] <= lower["y"]
    sidebar = page.get_by_test_id("stSidebar").inner_text()
    assert sidebar.index("StreetCLIP") < min(map(sidebar.index, SECTIONS))
    assert visited.violations() == []


def test_the_tab_names_the_page_and_the_run(site, visit):
    run_id = site.written.add_run(name="trained *twice* :smile:")
    page = visit().go(f"{site.address}/map?run={run_id}")
    page.wait_for_function("document.title === 'Map · trained *twice* :smile: · StreetCLIP'")
    page = visit().go(f"{site.address}/jobs")
    page.wait_for_function("document.title === 'Jobs · StreetCLIP'")
