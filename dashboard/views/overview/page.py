"""Overview: figures of a run, changes from the baseline, and all runs."""

from functools import partial

import streamlit as st

from dashboard.charts import (
    baseline_changes,
    distance_curve,
    metric_cards,
    selection_events,
    share_bars,
)
from dashboard.queries import report, run_queries
from dashboard.queries.report import Against, Report
from dashboard.shell import formats, html, links
from dashboard.shell.page_query import View
from dashboard.views import frame, run_picker
from streetclip.metrics.published import Benchmark, benchmark_of

_MOST_CHANGED = 3


def render() -> None:
    """Draw the page."""
    frame.show("Overview", _body)


def _body(view: View) -> None:
    details = run_queries.details(view)
    if not frame.is_empty(view):
        figures = report.report(view)
        against = None if view.baseline_id is None else report.against(view)
        published = None
        if view.is_whole_run:
            published = benchmark_of(details["dataset"], figures.num_images)
        _results(view, figures, against, published)
    run_picker.table(run_queries.runs_with_correct(view.path), view.run_id)
    run_picker.details(details)


def _results(
    view: View, figures: Report, against: Against | None, published: Benchmark | None
) -> None:
    if against is not None:
        name = run_queries.details(view.of_baseline())["name"]
        baseline_changes.compared_images(name, against.num_common, against.num_chosen)
    compared = against if against is not None and against.num_common else None
    metric_cards.headline(figures, compared)
    metric_cards.selection_remark(view.selection)
    left, right = st.columns(2, gap="medium")
    with left:
        st.header("Share within a distance", anchor=False)
        baseline = None if compared is None else compared.curve
        distance_curve.distance_curve(
            figures.curve, figures.thresholds, baseline=baseline, published=published
        )
    with right:
        st.header("Country accuracy by continent", anchor=False)
        continents = figures.continents
        if compared is not None:
            shares = compared.continents.set_index("continent")["baseline"]
            continents = continents.assign(baseline=continents["continent"].map(shares))
        share_bars.continent_bars(continents)
    if compared is not None:
        _changes(view, compared)
    if published is not None:
        _published(figures, published)


def _changes(view: View, against: Against) -> None:
    st.header("What changed since the baseline", anchor=False)
    baseline_changes.outcome_bar(against.outcomes)
    baseline_changes.changed_countries(
        against.countries,
        top=_MOST_CHANGED,
        key=selection_events.keyed("most", view.run_id, view.baseline_id, view.selection),
        on_click=partial(frame.filter_country, view),
    )
    links.link("compare", "Compare the two runs", "compare_arrows")


def _published(figures: Report, published: Benchmark) -> None:
    st.header(f"Against the figures published on {published.name}", anchor=False)
    distance_curve.published_table(figures.thresholds, published)
    n, total = formats.count(figures.distance.n), formats.count(published.num_images)
    same = f"n = {n}, as published."
    other = f"n = {n} here, {total} as published: the shares are of slightly different images."
    html.remark(
        f"{same if figures.distance.n == published.num_images else other} Source: "
        f"{published.source}; it gives no share within 1 km."
    )
