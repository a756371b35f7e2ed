"""Named views in a real browser, behind a prefix and for each right."""

import pytest
from playwright.sync_api import expect

from dashboard.access import Access
from dashboard.shell.rights import Right
from streetclip.store import (
    NamedView,
    add_view,
    delete_run,
    get_run,
    list_views,
    open_store,
)
from tests.dashboard.conftest import Written
from tests.dashboard.sites import DESK, PHONE, serve

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PREFIX = "/tool/x"
TOKEN = "a-token-of-the-tests-only"
MARKUP = "**bold** <img src=x onerror=alert(1)> :smile:"
LONG = "🦘" * 10 + "n" * 490


FITS = """each => new Promise((done, fail) => {
    setTimeout(() => fail("it scrolls sideways"), 30000);
    const look = () => (each.scrollWidth > each.clientWidth ? requestAnimationFrame(look) : done());
    look();
})"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    made = Written(tmp_path_factory.mktemp("views") / "streetclip.db")
    made.add_run(name="older")
    made.add_run(name="newer")
    return made


@pytest.fixture(scope="module")
def address(written):
    folder = written.path.parent
    with serve(written.path, folder, prefix=PREFIX, STREETCLIP_TOKEN=TOKEN) as found:
        yield found


def views_of(page):
    """The section of the views in the sidebar."""
    return page.get_by_test_id("stSidebar").locator(".st-key-named_views")


def name_view(section, name):
    section.get_by_label("Name of this view").fill(name)
    section.get_by_role("button", name="Add").click()


def expect_words(section, words):
    expect(section.get_by_role("status")).to_have_text(words)


def names(written):
    with open_store(written.path) as store:
        return [view.name for view in list_views(store)]


def test_any_name_is_text_and_the_link_is_that_of_the_browser(address, written, visit):
    visited = visit(viewport=DESK)
    visited.context.grant_permissions(["clipboard-read", "clipboard-write"])
    # The first page answers to its name, too.
    page = visited.go(f"{address}/overview?run=1&continent=Asia&token={TOKEN}")
    assert page.url.startswith(f"{address}/?")
    assert page.get_by_role("dialog").count() == 0
    page = visited.go(f"{address}/map?run=1&color=distance")
    section = views_of(page)
    for name in (MARKUP, LONG):
        name_view(section, name)
        expect(section.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")
        expect(section.get_by_label("Name of this view")).to_have_value("")
    assert names(written) == [MARKUP, LONG]
    assert section.locator("img").count() == 0
    section.locator(".views").evaluate(FITS)
    name_view(section, "  ")
    expect(section.get_by_role("alert")).to_contain_text("the name of a view is blank")
    assert visited.violations() == []
    section.get_by_role("button", name="Copy link to this view").click()
    expect_words(section, "Link copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    # Plain http has no clipboard: the link can be copied by hand.
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    section.locator("summary").first.click()
    section.get_by_role("button", name="Copy link", exact=True).click()
    expect_words(section, "Copy the selected link.")
    expect(section.get_by_label("Link to copy")).to_be_focused()
    copied = section.get_by_label("Link to copy").input_value()
    assert copied == f"{address}/map?color=distance&run=1"
    assert visited.errors == []


def test_a_view_is_opened_renamed_deleted_and_brought_back(address, written, visit):
    with open_store(written.path) as store:
        add_view(store, NamedView("Asia", "", "continent=Asia&run=1"))
    visited = visit(viewport=DESK)
    # A page without filters lists it, too; a click opens it without a reload.
    page = visited.go(f"{address}/jobs?token={TOKEN}")
    page.evaluate("window.isSame = true")
    section = views_of(page)
    section.get_by_role("link", name="Asia").click()
    page.wait_for_url(f"{address}/?continent=Asia&run=1")
    page.get_by_role("heading", name="Overview", level=1).wait_for()
    assert page.evaluate("window.isSame")
    row = section.get_by_role("listitem").filter(has=page.locator("[aria-current]"))
    row.locator("summary").click()
    row.get_by_label("New name").fill("Asie")
    row.get_by_label("New name").press("Enter")
    expect_words(section, "Renamed: Asie.")
    row.locator("summary").click()
    row.get_by_role("button", name="Delete").click()
    expect_words(section, "Deleted: Asie.")
    assert "Asie" not in names(written)
    section.get_by_role("button", name="Undo").click()
    expect(section.get_by_role("link", name="Asie")).to_be_visible()
    assert "Asie" in names(written)
    assert visited.errors == []


def test_who_may_only_look_opens_views_also_that_of_a_deleted_run(address, written, visit):
    run_id = written.add_run(name="newest")
    with open_store(written.path) as store:
        add_view(store, NamedView("gone", "map", f"run={run_id}"))
        delete_run(store, run_id, get_run(store, run_id)["uid"])
    visited = visit(viewport=PHONE)
    page = visited.go(f"{address}/jobs?token={Access(TOKEN).tokens()[Right.LOOK]}")
    page.get_by_test_id("stExpandSidebarButton").click()
    section = views_of(page)
    section.locator("summary").last.click()
    expect(section.get_by_role("button", name="Copy link", exact=True)).to_be_visible()
    for name in ("Add", "Rename", "Delete"):
        expect(section.get_by_role("button", name=name)).to_have_count(0)
    section.locator(".views").evaluate(FITS)
    section.get_by_role("link", name="gone").click()
    page.get_by_text(f"asks for run {run_id}, which this store does not hold (any more)").wait_for()
    assert visited.errors == []
