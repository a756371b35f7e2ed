"""Headline figures: a value, its interval beside it, its denominator under it."""

import math

import streamlit as st

from dashboard.queries.report import Accuracy, Against, Delta, Report
from dashboard.shell import formats, html
from streetclip.metrics.intervals import Median
from streetclip.results.filters import Selection

_ACCURACY_HELP = (
    " Interval: Wilson 95 %. Ceiling: the share that the candidates allow. Macro: mean over the "
    "true countries with an image in the denominator, each weighing the same, and the ceiling of "
    "that mean."
)
_COUNTRY_HELP = (
    "Images whose predicted country is the true country, of all images that the filters leave; an "
    f"unreadable image is wrong.{_ACCURACY_HELP}"
)
_CITY_HELP = (
    "Images whose predicted country and city are both right, of all images that the filters "
    f"leave.{_ACCURACY_HELP}"
)
_HIERARCHICAL_HELP = (
    "Images whose predicted city is right, of the images whose predicted country is right."
    f"{_ACCURACY_HELP}"
)
_GEOSCORE_HELP = (
    "Mean of 5000 · exp(−distance / 1492.7 km) over all images, 0 to 5,000; an image without a "
    "prediction scores 0."
)
_MEDIAN_HELP = (
    "Half of all images are predicted at most this far from the true place; an image without a "
    "prediction counts as infinitely far. Interval: 95 %, from order statistics; none below "
    "6 images."
)
_UNREADABLE_HELP = "Images of the test file that could not be decoded; each counts as wrong."


_DELTA_HELP = (
    " Under it: the difference from the baseline in percentage points, over the images that both "
    "runs have, with its 95 % interval; grey where that holds 0."
)
_PAIRED = " It is paired (Newcombe)."
_BOOTSTRAP = " It is a bootstrap over the images."
_NORMAL = (
    " Under it: the mean difference from the baseline over the images that both runs have, with "
    "its normal 95 % interval; grey where that holds 0."
)


def headline(report: Report, against: Against | None = None) -> None:
    """Draw the three accuracies, then distance, GeoScore and unreadable images under them.

    Args:
        report: The figures.
        against: What to compare them with, if a baseline is chosen.
    """
    columns = st.columns(3, gap="small")
    for column, label, accuracy, name, help_text, method in (
        (columns[0], "Country accuracy", report.country, "country", _COUNTRY_HELP, _PAIRED),
        (columns[1], "City accuracy", report.city, "city", _CITY_HELP, _PAIRED),
        (
            columns[2],
            "City given country",
            report.hierarchical,
            "hierarchical",
            _HIERARCHICAL_HELP,
            _BOOTSTRAP,
        ),
    ):
        below = "" if against is None else share_delta(getattr(against, name))
        more = f"{_DELTA_HELP}{method}" if below else ""
        with column:
            _accuracy(label, accuracy, help_text + more, below)
    columns = st.columns(3, gap="small")
    with columns[0]:
        _median(report, against)
    with columns[1]:
        _geoscore(report, against)
    with columns[2]:
        _unreadable(report)


def _accuracy(label: str, accuracy: Accuracy, help_text: str, below: str) -> None:
    under = [f"n = {formats.count(accuracy.n)}"]
    if accuracy.ceiling is not None:
        under.append(f"ceiling {formats.share(accuracy.ceiling)}")
    if accuracy.macro is not None:
        ceiling = formats.share(accuracy.macro_ceiling)
        under.append(f"macro {formats.share(accuracy.macro)}, ceiling {ceiling}")
    beside = formats.interval(accuracy.low, accuracy.high) if accuracy.n else ""
    figure(label, formats.share(accuracy.value), beside, " · ".join(under), help_text, below)


def share_delta(delta: Delta, against: str = "the baseline") -> str:
    """A difference of shares and its interval, as `figure` takes it for `below`."""
    ends = formats.points_interval(delta.low, delta.high)
    return _delta(delta, f"{formats.points(delta.value)}{formats.NBSP}pp", ends, against)


def _delta(delta: Delta, value: str, ends: str, against: str = "the baseline") -> str:
    """The difference in the colour of its direction, where it has one."""
    if delta.value is None:
        return ""
    direction = "sc-better" if delta.value > 0 else "sc-worse"
    css = direction if delta.is_clear else "sc-unclear"
    return html.tag(
        "div", html.tag("strong", value), f" {ends} against {against}", css=f"sc-delta {css}"
    )


def _median(report: Report, against: Against | None) -> None:
    distance = report.distance
    under = f"n = {formats.count(distance.n)}"
    below = ""
    if against is not None and not math.isnan(against.median_km.value):
        value = formats.kilometres(against.median_km.value)
        other = f"baseline {value} ({median_interval(against.median_km)})"
        below = html.tag("div", other, css="sc-delta sc-unclear")
    figure(
        "Median distance",
        formats.kilometres(distance.median_km.value),
        median_interval(distance.median_km) if distance.n else "",
        under,
        _MEDIAN_HELP,
        below,
    )


def median_interval(median_km: Median) -> str:
    """The interval of a median in km, without the unit."""
    ends = (median_km.low, median_km.high)
    return "–".join(formats.kilometre_number(end) for end in ends)


def _geoscore(report: Report, against: Against | None) -> None:
    distance = report.distance
    under = f"n = {formats.count(distance.n)}"
    below, more = "", ""
    if against is not None:
        delta = against.geoscore
        ends = f"{formats.signed(delta.low)} to {formats.signed(delta.high)}"
        below, more = _delta(delta, formats.signed(delta.value), ends), _NORMAL
    score = formats.count(distance.geoscore)
    figure("GeoScore", score, "of 5,000", under, _GEOSCORE_HELP + more, below)


def _unreadable(report: Report) -> None:
    share = report.num_unreadable / report.num_images if report.num_images else None
    figure(
        "Unreadable images",
        formats.count(report.num_unreadable),
        formats.share(share) if report.num_unreadable else "",
        f"of {formats.count(report.num_images)}, counted as wrong",
        _UNREADABLE_HELP,
    )


def figure(
    label: str, value: str, beside: str, under: str, help_text: str, below: str = ""
) -> None:
    """Draw one figure.

    Args:
        label: A constant of the caller: it is read as Markdown, as is `help_text`.
        value: The figure.
        beside: Its interval, smaller.
        under: Its denominator.
        help_text: Its definition.
        below: What it is compared with; made by `markup.tag`, or a text.
    """
    with st.container(gap=None):
        st.markdown(label, help=help_text)
        html.draw(
            html.tag(
                "div",
                html.tag("div", value, html.tag("small", beside), css="sc-value"),
                html.tag("div", under, css="sc-under"),
                *([below] if below else []),
                css="sc-figure",
            )
        )


def selection_remark(selection: Selection) -> None:
    """Say so where the images were chosen by what the run answered."""
    by = [
        words
        for words, is_set in (
            ("the outcome", (selection.country_right, selection.city_right) != (None, None)),
            ("the distance", selection.distance_km != (None, None)),
            ("the confidence", selection.confidence != (None, None)),
            ("the predicted country", selection.predicted is not None),
        )
        if is_set
    ]
    if by:
        html.remark(
            f"These images are chosen by {' and '.join(by)}, that is by the run's own answers: the "
            "figures describe this choice, they do not estimate how good the run is."
        )
