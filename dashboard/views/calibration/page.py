"""Calibration: does confidence match accuracy, and what would abstaining gain?"""

from functools import partial

import streamlit as st

from dashboard.charts import metric_cards
from dashboard.queries import comparisons
from dashboard.shell import formats, html, links, url_widgets
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
_ECE_HELP = (
    "Mean gap between confidence and accuracy over the images, in 15 bins of equal width "
    "(Guo et al. 2017). 0 is calibrated."
)
_ACCURACY_HELP = (
    "Share of these images that is correct. Images without a prediction are not among them: they "
    "have no confidence. Interval: Wilson 95 %."
)
_NOTHING = {
    "country": "Nothing was predicted for these images.",
    "city": "The country of none of these images is correct, and cities are judged within it.",
}


def render() -> None:
    """Draw the page."""
    frame.show("Calibration", _body)


def _body(view: View) -> None:
    everything = view.around("country")
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
        code = view.selection.only("country")
        country_scatter.countries(by_country, level, code, partial(frame.filter_country, view))
        if code is not None:
            label = f"Wrong images of {formats.markdown(formats.country(code))}"
            links.link("failures", label, "photo_library")


def _headline(found: Calibration, level: str) -> None:
    """Draw calibration error, confidence and accuracy; `found` is not empty."""
    assert found.accuracy is not None
    assert found.confidence is not None
    n = f"n = {formats.count(found.n)}"
    silent = found.num_images - found.n
    of_all = f"{n}, {formats.count(silent)} more without a prediction" if silent else n
    correct = Proportion(round(found.accuracy * found.n), found.n)
    gap = found.confidence - found.accuracy
    interval = formats.interval(correct.low, correct.high)
    side = "below" if gap > 0 else "above"
    of_accuracy = f"{n} · {100 * abs(gap):.1f} pp {side} the confidence"
    ece, mean, share = map(formats.share, (found.ece, found.confidence, found.accuracy))
    metric_cards.figures(
        ("Expected calibration error", ece, "15 bins", of_all, _ECE_HELP),
        ("Mean confidence", mean, "", n, f"Mean over the images of {_OF[level]}."),
        ("Accuracy", share, interval, of_accuracy, _ACCURACY_HELP),
    )
