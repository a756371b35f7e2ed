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
from dashboard.images import gallery_view
from dashboard.queries import report, run_queries, weak_spots
from dashboard.queries.report import Against, Report
from dashboard.shell import filter_urls, formats, html, links, url_state
from dashboard.shell.page_query import View
from dashboard.views import frame, run_editor, run_picker
from streetclip.metrics.intervals import Proportion
from streetclip.metrics.published import Benchmark
from streetclip.results import ATTRIBUTE

_MOST_CHANGED = 3
_MOST_DESCRIBED = 600  # characters; the run's details have all


def render() -> None:
    """Draw the page."""
    frame.show("Overview", _body)


def _body(view: View) -> None:
    details = run_queries.details(view)
    run_editor.outcome_of_last_click()
    lines = formats.cut(details["description"], _MOST_DESCRIBED).splitlines()
    if lines:
        html.draw(*(html.tag("p", formats.plain(line), css="sc-remark") for line in lines))
    if not frame.is_empty(view):
        figures = report.report(view)
        against = None if view.baseline_id is None else report.against(view)
        published = None
        if view.is_whole_run:
            published = report.published_of(details, figures.num_images)
        _results(view, figures, against, published)
    offered = run_picker.offered(run_queries.list_runs(view.path), view.run_id)
    known = run_queries.runs_with_correct(view.path)
    run_picker.table(known[known["id"].isin([run["id"] for run in offered])], view.run_id)
    run_picker.details(details)
    run_editor.draw(view.path, details)


def _results(
    view: View, figures: Report, against: Against | None, published: Benchmark | None
) -> None:
    if against is not None:
        name = run_queries.details(view.of_baseline())["name"]
        baseline_changes.compared_images(name, against.num_common, against.num_chosen)
    compared = against if against is not None and against.num_common else None
    metric_cards.headline(figures, compared)
    metric_cards.selection_remark(view.selection)
    leads = st.container()  # filled last: the charts do not wait for it
    shown = (view.run_id, view.baseline_id, view.selection)
    left, right = st.columns(2, gap="medium")
    with left:
        st.header("Share within a distance", anchor=False)
        baseline = None if compared is None else compared.curve
        distance_curve.distance_curve(
            figures.curve,
            figures.thresholds,
            baseline=baseline,
            published=published,
            key=selection_events.keyed("distance_curve", *shown),
            on_pick=partial(_show_distances, view),
        )
    with right:
        st.header("Country accuracy by continent", anchor=False)
        continents = figures.continents
        if compared is not None:
            shares = compared.continents.set_index("continent")["baseline"]
            continents = continents.assign(baseline=continents["continent"].map(shares))
        share_bars.continent_bars(
            continents,
            key=selection_events.keyed("continent_bars", *shown),
            on_pick=partial(_pick_continent, view),
        )
    if compared is not None:
        _changes(view, compared)
    if published is not None:
        _published(figures, published)
    with leads:
        _leads(view)


def _show_distances(view: View, low: float | None, high: float | None) -> None:
    """Show the images of a range of distances, in a click's callback."""
    chosen = view.but(distance_km=(low, high))
    links.ask(gallery_view.PATH, **gallery_view.parameters(chosen))


def _pick_continent(view: View, name: str) -> None:
    """Filter by a true continent in a click's callback; a second click clears the filter."""
    continent = None if view.selection.continent == name else name
    chosen = view.but(continent=continent, country=None, region=None, city=None)
    url_state.change_filters(chosen.selection, view.defaults)


def _leads(view: View) -> None:
    """Draw links to what to look at next, and the button of the report."""
    country = weak_spots.worst_country(view)
    value = weak_spots.worst_value(view)
    mistake = weak_spots.top_mistake(view)
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center", key="leads"):
        if country or value or mistake:
            html.remark("Look at next:", width="content")
        if country is not None:
            (code,) = country.names
            chosen = view.but(country=code, continent=None, region=None, city=None)
            what = f"Worst country: {_lead(formats.country(code), country.share)}"
            _link("accuracy", what, "trending_down", chosen)
        if value is not None:
            name, text = value.names
            chosen = view.but(**{f"{ATTRIBUTE}{name}": text})
            what = f"Worst attribute value: {_lead(' = '.join(value.names), value.share)}"
            _link("accuracy", what, "label", chosen, by=f"{ATTRIBUTE}{name}")
        if mistake is not None:
            true, predicted = mistake.names
            chosen = view.but(country=true, predicted=predicted, region=None, city=None)
            pair = " → ".join(map(formats.country, mistake.names))
            what = f"Most frequent confusion: {_lead(pair, mistake.share)}"
            _link("confusion", what, "grid_on", chosen)
        _report_button(view)


def _report_button(view: View) -> None:
    """Draw the button that makes a report of the filtered images when it is clicked."""
    st.download_button(
        "Report of these images",
        data=partial(report.document, view),
        file_name=f"streetclip_run_{view.run_id}_report.html",
        mime="text/html",
        key="report",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        help="These images and this baseline as one HTML file, with map, confusions, calibration, "
        "the worst images and provenance. It opens without a network and can be printed.",
    )


def _lead(name: str, share: Proportion) -> str:
    """Write a name and its share with interval as Markdown."""
    interval = formats.interval(share.low, share.high)
    return f"**{formats.markdown(name)}** {formats.share(share.value)} ({interval})"


def _link(path: str, label: str, icon: str, chosen: View, **own: str) -> None:
    filters = dict.fromkeys(filter_urls.FILTERS) | filter_urls.written(chosen.selection)
    links.link(path, label, icon, **filters, **own)


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
