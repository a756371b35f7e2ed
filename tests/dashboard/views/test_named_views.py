"""Views are named, opened, renamed and deleted by those who may; the browser is not trusted."""

import functools
import sqlite3
from contextlib import closing

import pytest

from dashboard.queries.named_views import listed
from dashboard.shell import links, rights
from dashboard.views import named_views
from streetclip.errors import StoreError
from streetclip.store import NamedView, add_view, list_views, open_store

HERE = NamedView("", "map", "continent=Asia&run=1")
ASIA = HERE._replace(name="Asia")


@pytest.fixture
def path(tmp_path):
    with open_store(tmp_path / "streetclip.db") as store:
        add_view(store, ASIA)
    return tmp_path / "streetclip.db"


@pytest.fixture
def send(path, monkeypatch):
    """Hand a message of the browser to the component's callback; give the session."""
    session = {}
    monkeypatch.setattr(named_views.st, "session_state", session)
    monkeypatch.setattr(links, "_PAGES", {"": None, "map": None})

    def sent(message, *views):
        session[named_views._KEY] = {"act": message}
        by_name = {view.name: view for view in views or kept(path)}
        named_views._act(path, HERE, by_name)
        return session

    return sent


def kept(path):
    with open_store(path, read_only=True) as store:
        return list_views(store)


def message(kind, name="", value=""):
    return {"kind": kind, "name": name, "value": value}


def outcome(session):
    return session[named_views._OUTCOME]


def test_a_view_is_named_renamed_deleted_and_brought_back(send, path):
    assert outcome(send(message("add", value=" b "))).words == "Named: b."
    assert kept(path) == [ASIA, HERE._replace(name="b")]
    send(message("rename", "Asia", "c"))
    assert outcome(send(message("delete", "c"))).deleted == HERE._replace(name="c")
    assert [view.name for view in kept(path)] == ["b"]
    assert outcome(send(message("undo"))).deleted is None
    assert [view.name for view in kept(path)] == ["b", "c"]
    assert outcome(send(message("undo"))).number == 5


def test_a_view_whose_name_was_taken_meanwhile_can_be_brought_back_later(send, path):
    send(message("delete", "Asia"))
    with open_store(path) as store:
        add_view(store, NamedView("Asia", "", ""))
    found = outcome(send(message("undo"), ASIA))
    assert "a view is named 'Asia' already" in found.problem
    assert found.deleted == ASIA


def test_a_problem_is_shown_and_changes_nothing(send, path):
    assert "is blank" in outcome(send(message("add"))).problem
    # Another visitor has deleted it since the page was drawn.
    found = outcome(send(message("rename", "gone", "new"), ASIA._replace(name="gone")))
    assert "has no view 'gone'" in found.problem
    assert kept(path) == [ASIA]


def test_damage_of_the_views_is_one_line(send, path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE views")
    with pytest.raises(StoreError, match="the table views is missing"):
        listed(path)
    assert "the table views is missing" in outcome(send(message("add", value="b"), ASIA)).problem


@pytest.mark.parametrize("kind", ["add", "rename", "delete"])
def test_without_the_right_nothing_is_changed(send, path, monkeypatch, kind):
    monkeypatch.setattr(rights, "right_of_visitor", lambda: rights.Right.LOOK)
    assert "does not allow" in outcome(send(message(kind, "Asia", "new"))).problem
    assert kept(path) == [ASIA]


def test_a_view_opens_with_all_its_parameters_whatever_their_names(send):
    query = "path=x&tag=a%26b&tag=c%3D&continent=&Embed=true"
    session = send(message("open", "v"), NamedView("v", "", query))
    wanted = {"path": ["x"], "tag": ["a&b", "c="], "continent": [""]}
    assert session["page_asked_for"] == ("", wanted)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        [],
        {},
        {"kind": 7, "name": ["x"]},
        message("drop", "Asia"),
        message("open", "unknown"),
        message("open", "elsewhere"),
        message("undo"),
    ],
)
def test_what_the_page_never_sends_does_nothing(send, path, sent):
    session = send(sent, ASIA, NamedView("elsewhere", "//example.org", ""))
    assert "page_asked_for" not in session
    assert kept(path) == [ASIA]


@pytest.mark.parametrize(
    ("page", "query", "href"),
    [("map", "run=1", "map?run=1"), ("", "run=1", ".?run=1"), ("", "", "."), ("//x", "run=1", "")],
)
def test_a_link_stays_below_the_address_of_the_dashboard(send, page, query, href):
    row = functools.partial(named_views._row, here=HERE)
    assert row(NamedView("v", page, query))["href"] == href
    assert row(ASIA)["is_shown"]
    assert not row(NamedView("v", page, query))["is_shown"]
