"""List the pages in the sidebar's order, and run the chosen one."""

from typing import Any

import streamlit as st

from dashboard.shell import html, links, theme, url_state
from dashboard.views import named_views
from dashboard.views.accuracy import page as accuracy
from dashboard.views.calibration import page as calibration
from dashboard.views.compare import page as compare
from dashboard.views.confusion import page as confusion
from dashboard.views.data import page as data
from dashboard.views.failures import page as failures
from dashboard.views.jobs import page as jobs
from dashboard.views.leaderboard import page as leaderboard
from dashboard.views.map import page as map_page
from dashboard.views.overview import page as overview
from dashboard.views.predict import page as predict
from dashboard.views.training import page as training
from dashboard.views.triage import page as triage

# By section: view, title, icon, path in the URL.
_PAGES: dict[str, list[tuple[Any, str, str, str]]] = {
    "Results": [
        (overview, "Overview", "monitoring", "overview"),
        (accuracy, "Accuracy", "target", "accuracy"),
        (confusion, "Confusion", "grid_on", "confusion"),
        (map_page, "Map", "public", "map"),
        (leaderboard, "Leaderboard", "leaderboard", "leaderboard"),
    ],
    "Images": [
        (failures, "Images", "photo_library", "failures"),
        (triage, "Triage", "checklist", "triage"),
        (data, "Data", "dataset", "data"),
        (predict, "Predict", "add_a_photo", "predict"),
    ],
    "Evaluation": [
        (calibration, "Calibration", "straighten", "calibration"),
        (compare, "Compare", "compare_arrows", "compare"),
    ],
    "Training and jobs": [
        (jobs, "Jobs", "work", "jobs"),
        (training, "Training", "show_chart", "training"),
    ],
}


def run() -> None:
    """Draw the links in the sidebar, then the page that the address names."""
    pages = {
        section: [
            st.Page(
                view.render,
                title=title,
                icon=f":material/{icon}:",
                url_path=path,
                default=view is overview,
            )
            for view, title, icon, path in members
        ]
        for section, members in _PAGES.items()
    }
    links.register(page for members in pages.values() for page in members)
    chosen = st.navigation(pages, position="hidden")
    shared = url_state.shared_parameters()
    with st.sidebar:
        html.draw(html.tag("p", theme.NAME, css="sc-app"))
    for number, (section, members) in enumerate(pages.items()):
        with st.sidebar.container(gap=None, key=f"nav_{number}"):
            st.caption(section)
            for page in members:
                st.page_link(page, query_params=shared)
    chosen.run()
    named_views.draw(chosen.url_path)
