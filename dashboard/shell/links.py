"""Link pages to one another; each link keeps the run and the filters."""

from collections.abc import Iterable
from typing import Any

import streamlit as st

from dashboard.shell import url_state

_PAGES: dict[str, Any] = {}  # st.Page by its path in the URL


def register(pages: Iterable[Any]) -> None:
    """Register pages for `link` and `go`; the navigation does it first."""
    _PAGES.update({page.url_path: page for page in pages})


def link(path: str, label: str, icon: str, **changes: Any) -> None:
    """Draw a link that keeps the state; the label is read as Markdown."""
    parameters = url_state.shared_parameters(**changes)
    st.page_link(_PAGES[path], label=label, icon=f":material/{icon}:", query_params=parameters)


def go(path: str, parameters: Iterable[tuple[str, str]]) -> None:
    """Show a page instead of this one, with exactly these parameters in the URL."""
    st.switch_page(_PAGES[path], query_params=parameters)
