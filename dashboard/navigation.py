"""The pages, and the links between them: each keeps the run and the filters."""

from typing import Any

import streamlit as st

from dashboard import state
from dashboard.views import (
    accuracy,
    calibration,
    compare,
    confusion,
    failures,
    jobs,
    overview,
    training,
    triage,
)
from dashboard.views import (
    map as map_view,
)


def _pages() -> dict[str, list[Any]]:
    def page(view: Any, title: str, icon: str, path: str, *, default: bool = False) -> Any:
        return st.Page(
            view.render, title=title, icon=f":material/{icon}:", url_path=path, default=default
        )

    return {
        "Results": [
            page(overview, "Overview", "monitoring", "overview", default=True),
            page(accuracy, "Accuracy", "target", "accuracy"),
            page(confusion, "Confusion", "grid_on", "confusion"),
            page(map_view, "Map", "public", "map"),
        ],
        "Images": [
            page(failures, "Failures", "photo_library", "failures"),
            page(triage, "Triage queue", "checklist", "triage"),
        ],
        "Judgement": [
            page(calibration, "Calibration", "straighten", "calibration"),
            page(compare, "Compare", "compare_arrows", "compare"),
        ],
        "Work": [
            page(jobs, "Jobs", "work", "jobs"),
            page(training, "Training", "show_chart", "training"),
        ],
    }


def run() -> None:
    """Draw the links in the sidebar, then the page that the address names."""
    pages = _pages()
    chosen = st.navigation(pages, position="hidden")
    for section, members in pages.items():
        with st.sidebar.container(gap=None, key=f"nav_{section.lower()}"):
            st.caption(section)
            for page in members:
                st.page_link(page, query_params=state.shared_parameters())
    chosen.run()


def link(path: str, label: str, icon: str | None = None, **changes: Any) -> None:
    """Draw a link to a page, with the present state and some changes of it.

    Args:
        path: The page's path in the URL.
        label: A constant of the caller: it is read as Markdown.
        icon: A Material icon's name.
        changes: Parameters to set, or to leave out where None.
    """
    page = next(each for members in _pages().values() for each in members if each.url_path == path)
    given = [pair for pair in state.shared_parameters() if pair[0] not in changes]
    for name, value in changes.items():
        values = [] if value is None else [value] if isinstance(value, str) else value
        given += [(name, each) for each in values]
    symbol = f":material/{icon}:" if icon else None
    st.page_link(page, label=label, icon=symbol, query_params=given)
