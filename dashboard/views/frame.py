"""The frame of every page: title, filters, what is shown in words, errors and empty states."""

import time
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from dashboard.queries import runs
from dashboard.shell import filter_urls, html, theme, url_state
from dashboard.shell.page_query import View
from dashboard.views import filter_bar, run_picker
from streetclip.errors import StreetClipError
from streetclip.results.filters import Selection

_REFRESH_S = 5.0


def show(title: str, body: Callable[[View], None], *, defaults: Selection | None = None) -> None:
    """Draw a page; what the store lacks or refuses is said on it.

    Args:
        title: A constant of the caller.
        body: Draws the page's own part; called when the run has predictions.
        defaults: Outcomes that the page filters by where the URL says nothing of them.
    """
    theme.apply()
    st.title(title, anchor=False)
    try:
        path = url_state.store_path()
        _page(path, body, defaults or Selection())
    except StreetClipError as error:
        _refused(error)
        run_picker.how_to_start()


def frame(title: str, body: Callable[[Path], None]) -> None:
    """Draw a page that is about no run: no filters; what the store refuses is said on it.

    Args:
        title: A constant of the caller.
        body: Draws the page's own part from the store's path, where no store may be yet.
    """
    theme.apply()
    st.title(title, anchor=False)
    try:
        body(url_state.store_path())
    except StreetClipError as error:
        _refused(error)


def _refused(error: StreetClipError) -> None:
    html.notice("Nothing to show", str(error), css="sc-alert", role="alert")


def _page(path: Path, body: Callable[[View], None], defaults: Selection) -> None:
    seen = runs.stamp(path)
    table = runs.runs(path)
    if table.empty:
        html.notice("No run yet", f"{path} holds no evaluation.")
        run_picker.how_to_start()
        return
    run_ids = [int(run_id) for run_id in table["id"]]
    choice = url_state.choose_run(run_ids)
    baseline = url_state.choose_baseline(run_ids, choice.run_id)
    given = filter_urls.read_filters(url_state.parameters(), defaults)
    view = runs.view(path, choice.run_id, baseline.run_id, given.selection, defaults)
    details = runs.details(view)
    filter_bar.bar(view, table)
    run_picker.heading(details)
    problems = [each for each in (choice.problem, baseline.problem, *given.problems) if each]
    if problems:
        html.notice("A part of the link was left out", *problems, css="sc-alert")
    run_picker.progress(details)
    if details["num_done"] == 0:
        html.notice("No image judged yet", "Figures appear with the first finished batch.")
    else:
        filter_bar.chips(view, runs.num_selected(view))
        body(view)
    if details["state"] == "running":
        _follow(path, seen)


def is_empty(view: View) -> bool:
    """Whether the filters leave no image; then say so, with the way out."""
    if runs.num_selected(view):
        return False
    html.notice("No image matches", "Remove a filter above, or clear them all.")
    return True


def _follow(path: Path, seen: runs.Stamp) -> None:
    """Draw the page again once a running job has written more."""
    drawn = time.monotonic()

    @st.fragment(run_every=_REFRESH_S)
    def check() -> None:
        if time.monotonic() - drawn > _REFRESH_S / 2 and runs.stamp(path) != seen:
            st.rerun()

    check()
