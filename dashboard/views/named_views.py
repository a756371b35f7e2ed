"""Draw the named views in the sidebar: open, copy, rename and delete them, name the one shown."""

import functools
from collections.abc import Callable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlencode

import streamlit as st

from dashboard.queries import named_views
from dashboard.shell import formats, html, links, url_state
from streetclip.errors import StreetClipError
from streetclip.store import NamedView

_KEY: Final = "named_views"
_OUTCOME: Final = "named_views_outcome"
_OPEN, _UNDO = "open", "undo"
_PAST = {named_views.ADD: "Named", named_views.RENAME: "Renamed", named_views.DELETE: "Deleted"}
_RESERVED = ("embed", "embed_options")  # Streamlit lets no page set them
_LONGEST_SHOWN = 40  # of a name in a message
_PARTS = ("html", "css", "js")


class _Outcome(NamedTuple):
    """What the last action did; its number tells the browser that it was handled."""

    number: int = 0
    words: str = ""
    problem: str = ""
    deleted: NamedView | None = None


def draw(page: str) -> None:
    """Draw the named views, and what names the one shown: the URL of a page, given by its path."""
    with st.sidebar:
        try:
            path = url_state.store_path()
            views, may_change = named_views.listed(path), named_views.may_change(path)
        except StreetClipError as error:
            html.notice("No views", str(error), css="sc-alert")
            return
        # In one order, so that the same view has the same query.
        parameters = sorted(url_state.pairs(url_state.parameters()), key=itemgetter(0))
        here = NamedView("", page, urlencode(parameters))
        outcome: _Outcome = st.session_state.get(_OUTCOME, _Outcome())
        data = outcome._asdict() | {
            "views": [_row(view, here) for view in views],
            "deleted": outcome.deleted is not None,
            "may_change": may_change,
        }
        by_name = {view.name: view for view in views}
        act = functools.partial(_act, path, here, by_name)
        with st.container(gap="xsmall"):
            st.caption("Views")
            _component()(key=_KEY, data=data, on_act_change=act)


def _row(view: NamedView, here: NamedView) -> dict[str, Any]:
    # A page that this program lacks, as of a newer one, has no link.
    href = f"{view.page or '.'}?{view.query}".rstrip("?") if links.leads_to(view.page) else ""
    return {"name": view.name, "href": href, "is_shown": view._replace(name="") == here}


def _act(path: Path, here: NamedView, by_name: Mapping[str, NamedView]) -> None:
    """Do what the browser asks for in the component's callback, and keep what came of it."""
    sent = st.session_state[_KEY].get("act")
    if not isinstance(sent, dict):
        return
    kind, name, value = (str(sent.get(each, "")) for each in ("kind", "name", "value"))
    before: _Outcome = st.session_state.get(_OUTCOME, _Outcome())
    after = _Outcome(before.number + 1)
    view = by_name.get(name)
    if kind == _OPEN and view is not None and links.leads_to(view.page):
        wanted = parse_qs(view.query, keep_blank_values=True)
        settable = {name: each for name, each in wanted.items() if name.lower() not in _RESERVED}
        links.ask(view.page, **settable)
    elif kind == _UNDO and before.deleted is not None:
        after = after._replace(deleted=before.deleted)  # stays where it cannot be brought back
        after = _changed(path, named_views.ADD, before.deleted, "", after)
    elif kind == named_views.ADD:
        after = _changed(path, kind, here._replace(name=value), "", after)
    elif kind in _PAST and view is not None:
        after = _changed(path, kind, view, value, after)
    st.session_state[_OUTCOME] = after


def _changed(path: Path, kind: str, view: NamedView, name: str, after: _Outcome) -> _Outcome:
    try:
        named_views.change(path, kind, view, name)
    except StreetClipError as error:
        return after._replace(problem=str(error))
    words = f"{_PAST[kind]}: {formats.plain(name or view.name, _LONGEST_SHOWN)}."
    return after._replace(words=words, deleted=view if kind == named_views.DELETE else None)


@functools.cache
def _component() -> Callable[..., object]:
    markup, css, js = (Path(__file__).with_suffix(f".{kind}").read_text("utf-8") for kind in _PARTS)
    return st.components.v2.component("streetclip_named_views", html=markup, css=css, js=js)
