"""Calibration: does confidence match accuracy, and what would abstaining gain?"""

import streamlit as st

from dashboard.charts import metric_cards
from dashboard.queries import comparisons
from dashboard.shell import formats, html, links, url_state, url_widgets
from dashboard.shell.page_query import View
from dashboard.views import frame
from dashboard.views.calibration import country_scatter, reliability_diagram
from streetclip.metrics.intervals import Proportion
from streetclip.results import Calibration

_LEVELS = {"country": "Country", "city": "City given country"}
_OF = {
    "country": "the probability of the predicted country",
    "city": "the probability of the predicted city among those of its country, where the country "
    "is correct",
}
_NOTHING = {
    "country": "Nothing was predicted for these images.",
    "city": "The country of none of these images is correct, and cities are judged within it.",
}


def render() -> None:
    """Draw the page."""
    frame.show("Calibration", _body)


def _body(view: View) -> None:
    everything = view.but(country=None, region=None, city=None)
    if frame.is_empty(everything):
        return
    level = url_widgets.segmented("Level", "level", _LEVELS, "country")
    if not frame.is_empty(view):
        found = comparisons.calibration(view, level)
        if found.n:
            _headline(found, level)
            metric_cards.selection_remark(view.selection)
            left, right = st.columns(2, gap="medium")
            with left:
                st.header("Reliability", anchor=False)
                reliability_diagram.diagram(found.bins, level)
            with right:
                st.header("Accuracy versus coverage", anchor=False)
                reliability_diagram.coverage(found.coverage, level)
        else:
            html.notice("No confidence to judge", _NOTHING[level])
    by_country = comparisons.calibration(everything, level).by_country
    if len(by_country):
        st.header("Confidence and accuracy by true country", anchor=False)
        country_scatter.countries(
            by_country, level, view.selection.country, lambda code: _pick(view, code)
        )
        code = view.selection.country
        if code is not None:
            label = f"Wrong images of {formats.markdown(formats.country(code))}"
            links.link("failures", label, "photo_library")


def _headline(found: Calibration, level: str) -> None:
    """Draw calibration error, confidence and accuracy; `found` is not empty."""
    n = f"n = {formats.count(found.n)}"
    silent = found.num_images - found.n
    of_all = f"{n}, {formats.count(silent)} more without a prediction" if silent else n
    correct = Proportion(round(found.accuracy * found.n), found.n)
    gap = found.confidence - found.accuracy
    columns = st.columns(3, gap="small")
    with columns[0]:
        metric_cards.figure(
            "Expected calibration error",
            formats.share(found.ece),
            "15 bins",
            of_all,
            "Mean gap between confidence and accuracy over the images, in 15 bins of equal width "
            "(Guo et al. 2017). 0 is calibrated.",
        )
    with columns[1]:
        metric_cards.figure(
            "Mean confidence",
            formats.share(found.confidence),
            "",
            n,
            f"Mean over the images of {_OF[level]}.",
        )
    with columns[2]:
        metric_cards.figure(
            "Accuracy",
            formats.share(found.accuracy),
            formats.interval(correct.low, correct.high),
            f"{n} · {100 * abs(gap):.1f} pp {'below' if gap > 0 else 'above'} the confidence",
            "Share of these images that is correct. Images without a prediction are not among "
            "them: they have no confidence. Interval: Wilson 95 %.",
        )


def _pick(view: View, code: str | None) -> None:
    chosen = view.but(country=code, region=None, city=None)
    url_state.change_filters(chosen.selection, view.defaults)
