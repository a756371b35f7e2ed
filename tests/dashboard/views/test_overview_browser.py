"""The overview leads on: its charts, its line of links and its report, in a real browser."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboard.shell import formats
from tests.dashboard.plain import wilson
from tests.dashboard.sites import DESK, PHONE, serve
from tests.dashboard.worlds import World

pytestmark = pytest.mark.browser

A4_PAGE = re.compile(rb"/Type\s*/Page\b")
MARK = "[data-testid=stVegaLiteChart] path[aria-label*='{}']"


def parameters(address):
    return {name: values[-1] for name, values in parse_qs(urlsplit(address).query).items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("leads"), num_images=120).with_two_runs()


@pytest.fixture(scope="module")
def address(world, tmp_path_factory):
    with serve(world.path, tmp_path_factory.mktemp("server")) as address:
        yield address


def expected_leads(world):
    """The worst country, the worst value of an attribute, the most frequent confusion, by SQL."""

    def worst(*keys):
        rows = world.sql(
            f"SELECT {', '.join(keys)}, count(*), sum(country_correct) FROM predictions "
            "JOIN runs ON runs.id = run_id JOIN dataset_images USING (dataset_id, image_id) "
            f"WHERE run_id = 2 GROUP BY {', '.join(keys)}"
        )
        return min((wilson(row[-1], row[-2])[1], *row[:-2]) for row in rows)[1:]

    (country,) = worst("true_country")
    of_attribute = {
        name: worst(f"'{name}'", f"attributes ->> '{name}'") for name in ("weather", "camera")
    }
    return country, of_attribute


def test_bars_and_ranges_are_clickable_and_a_line_names_what_is_worst(world, address, visit):
    visited = visit(viewport=DESK)
    page = visited.go(f"{address}/?run=2")
    page.wait_for_function("window.streetclipPage")

    # What to look at next.
    leads = page.locator(".st-key-leads a")
    hrefs = [parameters(each.get_attribute("href")) for each in leads.all()]
    country, of_attribute = expected_leads(world)
    assert hrefs[0] == {"run": "2", "country": country}
    name, _, value = hrefs[1]["attr"].partition("=")
    assert (name, value) == of_attribute[name]
    assert hrefs[1]["by"] == f"attribute:{name}"
    assert {"country", "predicted"} < set(hrefs[2])
    assert formats.country(country) in leads.first.inner_text()

    # A range of the curve shows its images, in one step of the history.
    before = page.evaluate("history.length")
    page.locator(MARK.format("images 200–750 km off")).first.click(force=True)
    page.wait_for_url("**/failures**", timeout=20_000)
    visited.settle()
    assert parameters(page.url)["km"] == "200..750"
    page.go_back()
    page.wait_for_function("!location.pathname.includes('failures')")
    visited.settle()
    assert parameters(page.url) == {"run": "2"}

    # A bar filters by its continent.
    page.locator(MARK.format("continent: Asia")).first.click(force=True)
    page.wait_for_url("**continent=Asia**", timeout=20_000)
    visited.settle()
    assert page.evaluate("history.length") == before + 1
    assert visited.errors == []


def test_the_button_makes_a_report_that_opens_without_a_request(address, tmp_path, visit):
    visited = visit(viewport=DESK, accept_downloads=True)
    page = visited.go(f"{address}/?run=2&baseline=1&continent=Europe")
    button = page.get_by_role("button", name="Report")
    button.wait_for(timeout=30_000)
    shown = visited.text()
    with page.expect_download(timeout=60_000) as started:
        button.click()
    assert started.value.suggested_filename == "streetclip_run_2_report.html"
    file = tmp_path / "report.html"
    started.value.save_as(file)
    assert visited.errors == []
    assert file.stat().st_size < 5e6

    read = visit(viewport=DESK)
    read.page.goto(file.as_uri())
    text = read.page.inner_text("body").replace("\u00a0", " ")
    for label in ("Country accuracy", "City accuracy", "City given country"):
        share, interval = re.search(rf"{label}\s+([\d.]+ %)\s*([\d.]+–[\d.]+)", shown).groups()
        assert re.search(rf"{label}\s+{share}\s+{interval}", text)
    assert read.page.locator(".card img").count() > 0
    assert read.page.evaluate("[...document.images].every((each) => each.naturalWidth > 0)")
    printed = read.page.pdf(prefer_css_page_size=True, print_background=True)
    assert 3 <= len(A4_PAGE.findall(printed)) <= 8
    read.page.set_viewport_size(PHONE)
    assert read.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert {each for each in read.asked if not each.startswith("data:")} == {file.as_uri()}
    assert read.errors == []
