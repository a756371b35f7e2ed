"""Compare: differences between a run and a baseline over the same images."""

from functools import partial

import streamlit as st

from dashboard.charts import baseline_changes, distance_curve, metric_cards
from dashboard.images import gallery_view
from dashboard.queries import comparisons, run_queries
from dashboard.shell import formats, html, url_state, url_widgets
from dashboard.shell.page_query import View
from dashboard.views import first_steps, frame
from dashboard.views.compare import outcomes

_LEVELS = {"country": "Country", "city": "City"}
_DELTA = "delta"
_PAGE_SIZE = 8


def render() -> None:
    """Draw the page."""
    frame.show("Compare", _body)


def _body(view: View) -> None:
    everything = view.around("country")
    if frame.is_empty(everything) or _lacks_baseline(view):
        return
    level = url_state.page_option("level", list(_LEVELS), "country")
    num_common = comparisons.comparison(everything, level).n
    name = run_queries.details(view.of_baseline())["name"]
    baseline_changes.compared_images(name, num_common, run_queries.num_selected(everything))
    if not num_common:
        return
    is_empty = frame.is_empty(view)
    if not is_empty:
        names = ("country", "city", "hierarchical")
        metric_cards.figures(
            *(outcomes.card(name, comparisons.comparison(view, name)) for name in names)
        )
        metric_cards.selection_remark(view.selection)
    url_widgets.segmented("Level", "level", _LEVELS, "country")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.header("Difference by true country", anchor=False)
        outcomes.countries(
            comparisons.comparison_by_country(everything, level),
            level,
            view.selection.only("country"),
            partial(frame.filter_country, view),
        )
    with right:
        if not is_empty:
            _images(view, level)
    if not is_empty:
        _distances(view)


def _lacks_baseline(view: View) -> bool:
    """Check for a missing baseline; choose one where the URL names none."""
    if view.baseline_id is not None:
        return False
    rival = comparisons.rival(view)
    if rival is None:
        html.notice(
            "Nothing to compare with",
            "This store holds no other run over the same images. Evaluate another checkpoint on "
            "the same test file, or choose any run as the baseline in the sidebar:",
        )
        st.code(first_steps.EVALUATE, language=None, wrap_lines=True)
    elif st.query_params.get(url_state.BASELINE) in (None, str(view.run_id)):
        st.query_params[url_state.BASELINE] = str(rival)
        st.rerun()
    else:
        html.notice("No baseline", "Choose a run to compare with in the sidebar.")
        st.button(
            f"Compare with run {rival}",
            on_click=lambda: url_state.change(**{url_state.BASELINE: str(rival)}),
        )
    return True


def _images(view: View, level: str) -> None:
    st.header("Gained and lost", anchor=False)
    counted = comparisons.comparison(view, level).outcomes
    chosen = url_state.page_option(_DELTA, list(baseline_changes.OUTCOMES), "gained")
    outcomes.bar(counted, chosen, lambda outcome: url_state.change(**{_DELTA: outcome}))
    last = max(1, -(-counted[chosen] // _PAGE_SIZE))
    number = min(url_state.page_number("page"), last)
    image_ids, total = comparisons.outcome_images(view, level, chosen, number, _PAGE_SIZE)
    gallery_view.few(
        view,
        image_ids,
        total,
        key="outcome_images",
        words=f"{baseline_changes.OUTCOMES[chosen]}, most confident first",
        lines=comparisons.predictions_of_baseline(view, image_ids),
    )
    if last == 1:
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for words, to in (("Previous", number - 1), ("Next", number + 1)):
            st.button(
                words,
                key=f"outcome_{words.lower()}",
                disabled=not 1 <= to <= last,
                on_click=gallery_view.turn_to,
                args=(to,),
            )
        html.remark(f"Page {formats.progress(number, last)}")


def _distances(view: View) -> None:
    found = comparisons.distances(view)
    st.header("Distances", anchor=False)
    left, right = st.columns(2, gap="medium")
    with left:
        thresholds = outcomes.thresholds(found.by_threshold)
        distance_curve.distance_curve(found.curve, thresholds, baseline=found.baseline_curve)
    with right:
        metric_cards.figures(
            outcomes.card("geoscore", comparisons.comparison(view, "geoscore")),
            outcomes.median_card(found.median_km, found.baseline_median_km),
        )
        outcomes.distances(found.by_threshold)
