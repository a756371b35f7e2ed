"""The dashboard run by AppTest: any of its pages, with any URL, and the text that it draws."""

import html.parser
import sys
from pathlib import Path

import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

HOME = Path(__file__).parents[2] / "dashboard" / "Home.py"
PAGES = (
    "overview",
    "accuracy",
    "confusion",
    "map",
    "leaderboard",
    "failures",
    "triage",
    "data",
    "calibration",
    "compare",
)
"""Pages about a run."""

WORK_PAGES = ("jobs", "training", "predict")
"""Pages about what is done: they need no run."""

NBSP = "\u00a0"


def open_page_of(monkeypatch):
    """A function that opens a page of a store, by name, with URL parameters."""

    def run(store_path, name="overview", arguments=(), **parameters):
        monkeypatch.setenv("STREETCLIP_DB", str(store_path))
        monkeypatch.setattr(sys, "argv", ["Home.py", *arguments])
        st.cache_data.clear()
        st.cache_resource.clear()
        page = AppTest.from_file(HOME, default_timeout=120)
        # AppTest.switch_page knows pages that are files only.
        page._page_hash = calc_hash("" if name == "overview" else name)
        page.query_params.update(parameters)
        return page.run()

    return run


def opener_of(monkeypatch, store_path, name, **fixed):
    """A function that opens one page of a store, with further URL parameters."""
    run = open_page_of(monkeypatch)
    return lambda **parameters: run(store_path, name, **(fixed | parameters))


class Elements(html.parser.HTMLParser):
    """Which elements a page's HTML has, and its text."""

    def __init__(self, markup):
        super().__init__()
        self.names, self.text = set(), []
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)

    def handle_data(self, data):
        self.text.append(data)


def text_of(page):
    """Everything that is drawn as text, from top to bottom, spaces made plain."""
    words = []
    for each in page.main:
        if each.type == "html" and "<style>" not in each.proto.body:
            words += Elements(each.proto.body).text
        elif each.type in {"markdown", "title", "header", "code", "caption"}:
            words.append(each.value)
    return " ".join(" ".join(words).replace(NBSP, " ").split())
