"""Overview: how good is a run, and how do the runs compare?"""

import time
from pathlib import Path

import streamlit as st

from dashboard import loaders, state, theme
from dashboard.components import charts, figures, markup, runs
from dashboard.report import Report
from streetclip.errors import StreetClipError

_REFRESH_S = 5.0


def render() -> None:
    """Draw the page; what the store lacks or refuses is said on it."""
    theme.apply()
    st.title("Overview", anchor=False)
    try:
        path = state.store_path()
        _page(path)
    except StreetClipError as error:
        markup.notice("Nothing to show", str(error), css="sc-alert", role="alert")
        runs.how_to_start()


def _page(path: Path) -> None:
    seen = loaders.stamp(path)
    table = loaders.runs(path)
    if table.empty:
        markup.notice("No run yet", f"{path} holds no evaluation.")
        runs.how_to_start()
        return
    choice = state.choose_run([int(run_id) for run_id in table["id"]])
    runs.picker(table, choice.run_id)
    details, report = loaders.run(path, choice.run_id)
    runs.heading(details)
    if choice.problem:
        markup.notice("No such run", choice.problem, css="sc-alert")
    runs.progress(details)
    _results(report)
    runs.table(table, choice.run_id)
    runs.details(details)
    if details["state"] == "running":
        _follow(path, seen)


def _results(report: Report) -> None:
    if report.num_images == 0:
        markup.notice("No image judged yet", "Figures appear with the first finished batch.")
        return
    figures.headline(report)
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("Share within a distance", anchor=False)
        charts.distance_curve(report.curve, report.thresholds)
    with right:
        st.subheader("Country accuracy by continent", anchor=False)
        charts.continent_bars(report.continents)


def _follow(path: Path, seen: loaders.Stamp) -> None:
    """Draw the page again once a running job has written more."""
    drawn = time.monotonic()

    @st.fragment(run_every=_REFRESH_S)
    def check() -> None:
        if time.monotonic() - drawn > _REFRESH_S / 2 and loaders.stamp(path) != seen:
            st.rerun()

    check()
