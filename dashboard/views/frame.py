"""Draw the frame of every page: title, filters, heading and errors."""

import time
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from dashboard.queries import run_queries
from dashboard.queries.store_state import Stamp, one_reading, stamp
from dashboard.shell import filter_urls, formats, html, links, page_script, rights, theme, url_state
from dashboard.shell.page_query import View
from dashboard.views import filter_bar, filter_chips, first_steps, run_picker
from streetclip.errors import ConfigError, StreetClipError
from streetclip.results.filters import Selection
from streetclip.store import explained

_REFRESH_S = 5.0


def show(title: str, body: Callable[[View], None], *, defaults: Selection | None = None) -> None:
    """Draw a page about a run, or a notice.

    `body` draws a run with predictions; `defaults` are the filters where the URL names none.
    """
    is_drawn = frame(title, lambda path: _page(path, title, body, defaults or Selection()))
    if not is_drawn and not _has_store():
        guarded(lambda: first_steps.draw(url_state.store_path()))


def frame(title: str, body: Callable[[Path], None]) -> bool:
    """Draw a page without filters; return False after an error.

    `body` gets the path of the store, which may not exist.
    """
    links.go_if_asked()
    theme.apply()
    page_script.apply()
    theme.name_tab(title)
    st.title(title, anchor=False)

    def draw() -> None:
        path = url_state.store_path()
        if rights.is_store_read_only():
            html.notice("Read-only store", f"{path} cannot be written: no tags, notes or jobs.")
        with explained(path), one_reading():
            body(path)

    return guarded(draw)


def _has_store() -> bool:
    try:
        return run_queries.has_store(url_state.store_path())
    except ConfigError:  # shown above
        return False


def guarded(draw: Callable[[], None]) -> bool:
    """Draw a page or fragment, or the one line of its error; return whether it was drawn."""
    try:
        draw()
    except StreetClipError as error:
        html.notice("Nothing to show", str(error), css="sc-alert", role="alert")
        return False
    return True


def _page(path: Path, title: str, body: Callable[[View], None], defaults: Selection) -> None:
    seen = stamp(path)
    runs = run_queries.list_runs(path)
    if not runs:
        html.notice("No run yet", f"{path} holds no evaluation.")
        first_steps.draw(path)
        return
    # Read what the URL asks for, as far as the store has it.
    by_default = sorted(runs, key=lambda run: run["archived_at"] is not None)
    run_ids = [run["id"] for run in by_default]
    run_id, of_run = url_state.choose_run(run_ids)
    baseline_id, of_baseline = url_state.choose_baseline(run_ids, run_id)
    given = filter_urls.read_filters(url_state.parameters(), defaults)
    problems = [each for each in (of_run, of_baseline, *given.problems) if each]
    view = run_queries.make_view(path, run_id, baseline_id, given.selection, defaults)
    details = run_queries.details(view)
    theme.name_tab(title, formats.plain(details["name"]))

    filter_bar.bar(view, runs)
    run_picker.heading(details)
    if problems:
        html.notice("A part of the link was left out", *problems, css="sc-alert")
    run_picker.progress(details)
    if details["num_done"] == 0:
        html.notice("No predictions yet", "Figures appear with the first finished batch.")
    else:
        filter_chips.chips(view, run_queries.num_selected(view))
        body(view)
    if details["state"] == "running":
        _follow(path, seen)


def is_empty(view: View) -> bool:
    """Check whether no image matches the filters; if so, draw a notice."""
    if run_queries.num_selected(view):
        return False
    html.notice("No image matches", "Remove a filter above, or clear them all.")
    return True


def filter_country(view: View, code: str | None) -> None:
    """Filter by a true country in a click's callback, None for all."""
    chosen = view.but(country=code, region=None, city=None)
    url_state.change_filters(chosen.selection, view.defaults)


def _follow(path: Path, seen: Stamp) -> None:
    """Redraw the page when a running job has written more."""
    drawn = time.monotonic()

    @st.fragment(run_every=_REFRESH_S)
    def check() -> None:
        if time.monotonic() - drawn > _REFRESH_S / 2 and stamp(path) != seen:
            st.rerun()

    check()
