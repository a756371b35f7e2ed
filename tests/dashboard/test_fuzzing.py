"""Hostile links, forms and texts of a store: no traceback, and no request off this machine.

`make test` draws a few hundred inputs, `make test-random` fifty times as many.
"""

import json
import logging
import random
import socket
import sqlite3
import string
from contextlib import closing

import pytest
import streamlit as st

from dashboard.images import gallery_view
from dashboard.shell import filter_urls, url_state
from dashboard.views.jobs import form_fields
from dashboard.views.jobs.allowed_paths import Roots
from tests.dashboard.pages import PAGES, WORK_PAGES, Elements, open_page_of
from tests.dashboard.worlds import HOSTILE, World
from tests.random_search import examples

SEEDS = range(examples(8))
INPUTS = 10  # of a seed, of each kind

TEXTS = (
    HOSTILE,
    "<script>fetch('https://evil.example')</script>",
    "<svg onload=alert(1)><image href='https://evil.example/a.svg'/></svg>",
    "![x](https://evil.example/y.png) [a](javascript:alert(1)) <https://evil.example>",
    "javascript:alert(document.cookie)",
    "data:text/html,<script>alert(1)</script>",
    "//evil.example/a.js",
    "\u202e\u2066\u200f\u202degdirb",
    "a\u0301" * 3000,
    "x" * 100_000,
    "\ufeff\u2028\u2029\u0085 \xa0",
    "$\\frac{1}{0}$ :material/bolt: :red[a] `b` {{c}} {d} %s %n ${e} {0.__class__}",
    "'; DROP TABLE runs; --",
    "../../etc/passwd",
    "\x01\x02\x1b[31m\x7f\x9b",
    "🙈\U000e0001\U0010ffff",
    "=cmd|' /C calc'!A0",
)
NUMBERS = (
    "0", "-1", "1e309", "-1e309", "nan", "inf", "1" * 400, "0x10", "1_0", "9223372036854775808",
    "-9223372036854775809", "1e-400", "٣", "+5", " 7 ", "1.5", "0.." , "..", "-1..", "nan..inf",
    "1e308..1e309", "1..0",
)  # fmt: skip
WORDS = ("right", "wrong", "any", "none", "open", "FR", "Europe", "1", "2", "weather=rain", "=", "")
NESTED = ("[" * 500 + "]" * 500, '{"a":' * 300 + "1" + "}" * 300, "null", "[1, 2]", '"text"', "{}")


def drawn_text(draw):
    """A hostile text, a number out of range, a word that means something, or noise."""
    noise = "".join(draw.choices([*string.printable, "\u202e", "é", "🙈", "<", "&"], k=30))
    pool = draw.choice((TEXTS, NUMBERS, WORDS, (noise,)))
    return draw.choice(pool)


@pytest.fixture(autouse=True)
def quiet(monkeypatch, caplog):
    """Nothing is asked off this machine, and no error is logged."""

    def refuse(self, address):
        pytest.fail(f"asked {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *asked, **_: pytest.fail(f"asked {asked}"))
    with caplog.at_level(logging.ERROR):
        yield
    assert [record.getMessage() for record in caplog.records if record.levelno > 30] == []


@pytest.fixture
def open_page(monkeypatch):
    return open_page_of(monkeypatch)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("fuzzed"), num_images=40, with_files=False)
    made.add_run("older", seed=1)
    made.add_run("newer", num_done=30, state="interrupted", seed=2)
    return made


def check(page, what):
    """The page drew something, no traceback, and nothing that loads or runs what it was given."""
    assert not page.exception, f"{what!r}: {page.exception[0].message}"
    assert page.title, what
    for each in page.main:
        if each.type == "html":
            names = Elements(each.proto.body).names
            assert not names & {"script", "img", "iframe", "svg", "object", "link"}, what


PARAMETERS = (
    *url_state.SHARED, gallery_view.IMAGE, gallery_view.PAGE, gallery_view.SORT, "by", "metric",
    "level", "towards", "form", "cell", "colour", "where", "job", "again", "after", "training",
    "order", "outcome", "close_up", "layer", "unknown",
)  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_no_link_fails(world, open_page, seed):
    draw = random.Random(f"links {seed}")
    for _ in range(INPUTS):
        name = draw.choice((*PAGES, *WORK_PAGES))
        parameters = {
            draw.choice(PARAMETERS): [drawn_text(draw) for _ in range(draw.choice((1, 1, 1, 3)))]
            for _ in range(draw.randint(1, 4))
        }
        check(open_page(world.path, name, **parameters), (name, parameters))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_draft_of_a_form_fails(tmp_path, seed):
    """It becomes the arguments of a job, or problems with a line each."""
    draw = random.Random(f"forms {seed}")
    (tmp_path / "data").mkdir()
    roots = Roots((tmp_path / "data",), tmp_path)
    for _ in range(INPUTS):
        kind = draw.choice(list(form_fields.FORMS))
        draft = {
            each.name: value_for(each, draw)
            for each in form_fields.settings_of(kind)
            if draw.random() < 0.7
        }
        config, problems = form_fields.read_draft(kind, draft, roots, tmp_path / "a.db")
        assert (config is None) == bool(problems), draft
        for text in problems.values():
            assert text.isprintable(), (draft, text)


def value_for(setting, draw):
    """What a widget of a setting may hold."""
    if setting.widget == "flag":
        return draw.random() < 0.5
    if setting.widget == "choices":
        return draw.choices([*setting.choices, drawn_text(draw)], k=draw.randint(0, 2))
    return draw.choice((drawn_text(draw), None, "data", str(setting.default)))


def columns_of(connection):
    """Every column of texts that a store of somebody else may fill with anything."""
    tables = ("runs", "datasets", "dataset_images", "predictions", "annotations")
    tables += ("annotation_tags", "trainings", "jobs")
    for table in tables:
        for _, name, kind, *_ in connection.execute(f"PRAGMA table_info({table})"):
            if kind == "TEXT" and name not in ("uid", "revision"):
                yield table, name


@pytest.mark.parametrize("seed", SEEDS)
def test_no_text_of_a_store_fails(tmp_path, open_page, seed):
    """What the store's own checks refuse is not written; what they let pass is shown."""
    draw = random.Random(f"texts {seed}")
    made = World(tmp_path, num_images=20, with_files=False)
    made.add_run("older", seed=1)
    made.add_run("newer", num_done=12, state="failed", error="x", seed=2)
    written = []
    with closing(sqlite3.connect(made.path, isolation_level=None)) as connection:
        columns = list(columns_of(connection))
        while len(written) < INPUTS:
            table, name = draw.choice(columns)
            is_json = name in ("prompts", "config", "versions", "metrics", "attributes")
            is_json |= name in ("top_countries", "top_cities", "attribute_columns", "arguments")
            value = drawn_text(draw)
            if is_json:  # of any shape; damaged JSON is a damaged store
                value = draw.choice((*NESTED, json.dumps(value), json.dumps({"a": [value]})))
            try:
                connection.execute(f"UPDATE {table} SET {name} = ?", (value,))
            except sqlite3.IntegrityError:
                continue
            written.append((table, name, value))
    for name in draw.sample((*PAGES, *WORK_PAGES), 4):
        st.cache_data.clear()
        of_image = {"image": "3"} if name in ("failures", "triage") and draw.random() < 0.5 else {}
        check(open_page(made.path, name, **of_image), (name, json.dumps(written)[:2000]))


def test_the_parameters_are_those_of_the_pages():
    assert set(filter_urls.FILTERS) < set(PARAMETERS)
