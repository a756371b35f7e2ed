"""The pages and their order in the sidebar."""

from typing import Any

import streamlit as st

from dashboard.shell import links, url_state
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
from dashboard.views import map as map_view


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
    links.register(page for members in pages.values() for page in members)
    chosen = st.navigation(pages, position="hidden")
    for section, members in pages.items():
        with st.sidebar.container(gap=None, key=f"nav_{section.lower()}"):
            st.caption(section)
            for page in members:
                st.page_link(page, query_params=url_state.shared_parameters())
    chosen.run()
