"""Link pages to one another; each link keeps the run and the filters."""

from collections.abc import Iterable
from typing import Any

import streamlit as st

from dashboard.shell import url_state

_ASKED = "page_asked_for"
_PAGES: dict[str, Any] = {}  # st.Page by its path in the URL


def register(pages: Iterable[Any]) -> None:
    """Register pages for `link` and `go`; the navigation does it first."""
    _PAGES.update({page.url_path: page for page in pages})


def link(path: str, label: str, icon: str, **changes: Any) -> None:
    """Draw a link that keeps the state; the label is read as Markdown."""
    parameters = url_state.shared_parameters(**changes)
    st.page_link(_PAGES[path], label=label, icon=f":material/{icon}:", query_params=parameters)


def leads_to(path: str) -> bool:
    """Check whether there is a page at this path in the URL."""
    return path in _PAGES


def ask(path: str, /, **parameters: url_state.Value) -> None:
    """Show a page with exactly these parameters, from a click's callback: in the next run."""
    st.session_state[_ASKED] = (path, parameters)


def go_if_asked() -> None:
    """Show the page that a callback asked for; call it first on a page."""
    if (asked := st.session_state.pop(_ASKED, None)) is not None:
        go(asked[0], url_state.pairs(asked[1]))


def go(path: str, parameters: Iterable[tuple[str, str]]) -> None:
    """Show a page instead of this one, with exactly these parameters in the URL."""
    st.switch_page(_PAGES[path], query_params=parameters)
