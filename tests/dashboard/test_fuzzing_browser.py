"""Hostile links and form values in a real browser: no traceback, no script, no stranger asked."""

import random
import re
from urllib.parse import urlencode

import pytest

from tests.dashboard.pages import PAGES, WORK_PAGES
from tests.dashboard.test_fuzzing import PARAMETERS, TEXTS, drawn_text

pytestmark = [pytest.mark.slow, pytest.mark.browser]

LONGEST = 1_500  # characters of a parameter: servers bound the length of a line
FAULT = re.compile(r'Traceback|File "|has run into an error|Error:')


def opened(site, visit, page_name, parameters):
    """The page of a link, once it is drawn; a dialog of a script would fail it."""
    visited = visit()
    visited.page.on("dialog", lambda dialog: visited.errors.append(dialog.message))
    query = urlencode([(name, text[:LONGEST]) for name, text in parameters], errors="replace")
    visited.go(f"{site.address}/{page_name}?{query}")
    return visited


def check(visited):
    assert visited.page.get_by_test_id("stException").count() == 0
    assert not FAULT.search(visited.page.locator("body").inner_text())
    assert visited.strangers() == []
    assert visited.errors == []


@pytest.mark.parametrize("seed", range(8))
def test_no_link_fails(site, visit, seed):
    draw = random.Random(f"browser {seed}")
    site.written.add_run()
    parameters = [(draw.choice(PARAMETERS), drawn_text(draw)) for _ in range(4)]
    page_name = draw.choice((*PAGES[1:], *WORK_PAGES))
    check(opened(site, visit, page_name, parameters))


@pytest.mark.parametrize("seed", range(2))
def test_no_form_fails(site, visit, seed):
    draw = random.Random(f"forms {seed}")
    visited = opened(site, visit, "jobs", [("form", "train")])
    for field in visited.page.locator("input[type=text]").all()[:5]:
        if field.is_visible() and field.is_editable():
            field.fill(draw.choice(TEXTS)[:LONGEST])
            field.press("Tab")
    visited.page.get_by_role("button", name=re.compile("^Start")).first.click()
    visited.page.get_by_text("Not started").wait_for()
    check(visited)
