"""Behind a prefix or a proxy, every page works as it does at the root."""

import contextlib

import pytest

from tests.dashboard.conftest import Written
from tests.dashboard.proxies import proxy
from tests.dashboard.sites import DESK, Visit, serve

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PREFIX = "/tool/x"
TOKEN = "a-token-of-the-tests-only"
PATHS = {
    "overview": "Overview",
    "accuracy": "Accuracy",
    "map": "Map",
    "failures": "Images",
    "jobs": "Jobs",
}


@contextlib.contextmanager
def at_prefix(store, folder):
    with serve(store, folder, prefix=PREFIX, STREETCLIP_TOKEN=TOKEN) as address:
        yield address


@contextlib.contextmanager
def behind(store, folder, **options):
    prefix = "" if options["strips"] else PREFIX
    with (
        serve(store, folder, prefix=prefix, STREETCLIP_TOKEN=TOKEN) as address,
        proxy(address.removesuffix(prefix), PREFIX, **options) as outside,
    ):
        yield outside


CASES = {
    "a prefix of its own": at_prefix,
    "a proxy that strips it": lambda *paths: behind(*paths, strips=True),
    "a proxy that keeps it": lambda *paths: behind(*paths, strips=False),
    "TLS in front": lambda *paths: behind(*paths, strips=True, has_tls=True),
}


@pytest.mark.parametrize("case", CASES)
def test_links_pages_and_pictures_stay_below_the_prefix(case, tmp_path, browser):
    store = Written(tmp_path / "streetclip.db")
    store.add_run()
    with CASES[case](store.path, tmp_path) as address:
        visit = Visit(browser, viewport=DESK, ignore_https_errors=True)
        page = visit.go(f"{address}/?token={TOKEN}")
        assert page.url.startswith(f"{address}/?run=")
        (cookie,) = [each for each in visit.context.cookies() if "token" in each["name"]]
        assert cookie["path"] == PREFIX  # programs at the same host do not get it
        assert cookie["secure"] == address.startswith("https")
        for path, heading in PATHS.items():
            visit.go(f"{address}/{path}")
            assert page.get_by_role("heading", name=heading, level=1).is_visible()
            assert page.get_by_role("dialog").count() == 0
        page.get_by_role("link", name="Images").click()
        visit.settle()
        page.locator("[data-testid=stMain] a[href*='image=']").first.click()
        visit.settle()
        assert page.url.startswith(f"{address}/failures?")
        assert "image=" in page.url
        page.reload()
        visit.settle()
        assert page.locator("[data-testid=stMain]").get_by_text("True place").is_visible()
        on_the_wire = [each for each in visit.asked if not each.startswith(("data:", "blob:"))]
        assert [each for each in on_the_wire if PREFIX not in each] == []
        # Under load Chromium gives up a connection whose certificate nobody signed.
        assert [each for each in visit.errors if "TOO_MANY_RETRIES" not in each] == []
        visit.context.close()
