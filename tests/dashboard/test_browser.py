"""The dashboard in a real browser: what it draws, and that it asks nobody but itself."""

from urllib.parse import quote, urlsplit

import pytest

pytestmark = pytest.mark.browser

HOSTILE = '![a](https://evil.example/y.png) <img src="https://evil.example/z.png">'
PHONE = {"width": 390, "height": 844}


class Visit:
    """A page of the browser that keeps every address it asked and every error it logged."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.asked, self.errors = [], []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._keep_error)

    def _keep_error(self, message):
        if message.type == "error":
            self.errors.append(message.text)

    def open(self, address):
        """Go there and wait until the last part of the page stands."""
        self.page.goto(address)
        self.page.get_by_text("Run details").wait_for(timeout=60_000)
        self.page.locator("[data-testid=stVegaLiteChart] svg, canvas").first.wait_for()
        return self.page

    def strangers(self):
        """Addresses outside this machine that the page asked."""
        parts = [urlsplit(address) for address in self.asked]
        return [
            part.geturl()
            for part in parts
            if part.scheme not in {"data", "blob"} and part.hostname != "127.0.0.1"
        ]


@pytest.fixture
def visit(browser):
    """Open pages that are closed again at the end."""
    made = []

    def make(**options):
        made.append(Visit(browser, **options))
        return made[-1]

    yield make
    for each in made:
        each.context.close()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_full_store_is_drawn_without_asking_anyone(site, visit, colours):
    run_id = site.written.add_run(name="b32-lora-3")
    visited = visit(color_scheme=colours)
    page = visited.open(site.address)
    text = page.inner_text("[data-testid=stMain]").replace("\u00a0", " ")
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
        page = visited.open(f"{site.address}/?run={quote(str(run))}")
        page.get_by_text("Run details").click()
        page.get_by_text("Output folder").wait_for()
        assert HOSTILE in page.inner_text("[data-testid=stMain]")
        assert page.locator("[data-testid=stMain] img").count() == 0
    assert visited.strangers() == []
    assert visited.errors == []


def test_a_click_on_a_row_of_the_runs_shows_that_run(site, visit):
    older = site.written.add_run(name="older")
    site.written.add_run(name="newer")
    page = visit(viewport={"width": 1440, "height": 1800}).open(site.address)
    box = page.locator("[data-testid=stDataFrame]").last.bounding_box()
    # The tick column of the second row; a row of a dataframe is 33 px high at our font size.
    page.mouse.click(box["x"] + 16, box["y"] + 2.5 * 33)
    page.wait_for_url(f"**/?run={older}", timeout=10_000)
    page.locator("strong", has_text="older").wait_for(timeout=10_000)


def test_a_phone_shows_everything_in_one_column(site, visit):
    run_id = site.written.add_run()
    page = visit(viewport=PHONE).open(f"{site.address}/?run={run_id}")
    widest = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    assert widest <= PHONE["width"]


def test_a_running_job_is_followed_without_a_click(site, visit):
    run_id = site.written.add_run(num_done=20, state="running")
    page = visit().open(f"{site.address}/?run={run_id}")
    site.written.add_predictions(run_id, 20, 60)
    page.get_by_text("running, partial, 60 of 120").first.wait_for(timeout=20_000)
