"""Draw headline figures, each with its interval and denominator."""

import math
from collections.abc import Sequence

import streamlit as st

from dashboard.queries.group_ranking import MEDIAN, METRICS, AgainstRest
from dashboard.queries.report import Accuracy, Against, Delta, Report
from dashboard.shell import formats, html
from streetclip.metrics.intervals import Median
from streetclip.results.filter_words import parts_by_prediction
from streetclip.results.filters import Selection

MACRO = (
    "mean over the true countries with an image in the denominator, each weighing the same, "
    "however few images it has"
)
"""What "macro" means everywhere."""
_ACCURACY_HELP = (
    " Interval: Wilson 95 %. Ceiling: the share that the candidates allow. "
    f"Macro: {MACRO}; and the ceiling of that mean."
)
_COUNTRY_HELP = (
    "Images whose predicted country is the true country, of all images that the filters leave; an "
    "unreadable image is wrong."
)
_CITY_HELP = (
    "Images whose predicted country and city are both correct, of all images that the filters "
    "leave."
)
_HIERARCHICAL_HELP = (
    "Images whose predicted city is correct, of the images whose predicted country is correct."
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
    "runs have, with its 95 % interval; grey where that contains 0."
)
_PAIRED = " It is paired (Newcombe)."
_BOOTSTRAP = " It is a bootstrap over the images."
_NORMAL = (
    " Under it: the mean difference from the baseline over the images that both runs have, with "
    "its normal 95 % interval; grey where that contains 0."
)


def headline(report: Report, against: Against | None = None) -> None:
    """Draw the three accuracies, then distance, GeoScore and unreadable images."""
    cards = []
    for label, name, help_text, method in (
        ("Country accuracy", "country", _COUNTRY_HELP, _PAIRED),
        ("City accuracy", "city", _CITY_HELP, _PAIRED),
        ("City given country", "hierarchical", _HIERARCHICAL_HELP, _BOOTSTRAP),
    ):
        below = "" if against is None else share_delta(getattr(against, name))
        more = f"{_DELTA_HELP}{method}" if below else ""
        text = help_text + _ACCURACY_HELP + more
        cards.append((label, *_accuracy(getattr(report, name)), text, below))
    figures(*cards)
    unreadable, total = formats.count(report.num_unreadable), formats.count(report.num_images)
    share = (
        formats.share(report.num_unreadable / report.num_images) if report.num_unreadable else ""
    )
    under = f"of {total}, counted as wrong"
    figures(
        _median(report, against),
        _geoscore(report, against),
        ("Unreadable images", unreadable, share, under, _UNREADABLE_HELP),
    )


def _accuracy(accuracy: Accuracy) -> tuple[str, str, str]:
    """Write value, interval and denominator of an accuracy."""
    under = [f"n = {formats.count(accuracy.n)}"]
    if accuracy.ceiling is not None:
        under.append(f"ceiling {formats.share(accuracy.ceiling)}")
    if accuracy.macro is not None:
        ceiling = formats.share(accuracy.macro_ceiling)
        under.append(f"macro {formats.share(accuracy.macro)}, ceiling {ceiling}")
    interval = formats.interval(accuracy.low, accuracy.high) if accuracy.n else ""
    return formats.share(accuracy.value), interval, " · ".join(under)


def _median(report: Report, against: Against | None) -> Sequence[str]:
    distance = report.distance
    below = ""
    if against is not None and not math.isnan(against.median_km.value):
        value = formats.kilometres(against.median_km.value)
        other = f"baseline {value} ({median_interval(against.median_km)})"
        below = html.tag("div", other, css="sc-delta sc-unclear")
    value, under = formats.kilometres(distance.median_km.value), f"n = {formats.count(distance.n)}"
    interval = median_interval(distance.median_km) if distance.n else ""
    return "Median distance", value, interval, under, _MEDIAN_HELP, below


def median_interval(median_km: Median) -> str:
    """Write the interval of a median in km, without the unit."""
    return "–".join(map(formats.kilometre_number, (median_km.low, median_km.high)))


def _geoscore(report: Report, against: Against | None) -> Sequence[str]:
    below, help_text = "", _GEOSCORE_HELP
    if against is not None:
        delta = against.geoscore
        interval = f"{formats.signed(delta.low)} to {formats.signed(delta.high)}"
        below = _delta(delta, formats.signed(delta.value), interval)
        help_text += _NORMAL
    score = formats.count(report.distance.geoscore)
    under = f"n = {formats.count(report.distance.n)}"
    return "GeoScore", score, "of 5,000", under, help_text, below


def share_delta(delta: Delta, against: str = "the baseline") -> str:
    """Write a difference of shares and its interval, as the comparison of `figures`."""
    interval = formats.points_interval(delta.low, delta.high)
    return _delta(delta, f"{formats.points(delta.value)}{formats.NBSP}pp", interval, against)


def _delta(delta: Delta, value: str, interval: str, against: str = "the baseline") -> str:
    if math.isnan(delta.value):
        return ""
    direction = "sc-better" if delta.value > 0 else "sc-worse"
    css = direction if delta.is_clear else "sc-unclear"
    words = f" {interval} against {against}"
    return html.tag("div", html.tag("strong", value), words, css=f"sc-delta {css}")


def figures(*cards: Sequence[str]) -> None:
    """Draw figures next to each other, each with its interval and its denominator.

    A card is label, value, interval, the line under them, help and, if any, a comparison. Label
    and help are trusted Markdown; the others are texts or `html.tag`.
    """
    for column, card in zip(st.columns(len(cards), gap="small"), cards, strict=True):
        label, value, interval, under, help_text, *below = card
        with column, st.container(gap=None):
            st.markdown(label, help=help_text)
            value_line = html.tag("div", value, html.tag("small", interval), css="sc-value")
            lines = value_line, html.tag("div", under, css="sc-under"), *below
            html.draw(html.tag("div", *lines, css="sc-figure"))


def against_rest(what: str, metric: str, found: AgainstRest) -> None:
    """Draw the shares of chosen images and of the rest, and their difference.

    `what`: an untrusted name of the chosen images.
    """
    title = METRICS["country" if metric == MEDIAN else metric].title.capitalize()
    sides = [
        (
            label,
            formats.share(side.value),
            formats.interval(side.low, side.high),
            f"n = {formats.count(side.n)}",
            f"{title} of {which}. Interval: Wilson 95 %.",
        )
        for label, side, which in (
            (formats.markdown(what), found.chosen, "the chosen images"),
            ("The rest", found.rest, "all other images that the other filters leave"),
        )
    ]
    delta = Delta(found.difference, found.low, found.high)
    verdict = "significant" if delta.is_clear else "not significant: the interval contains 0"
    difference = f"{formats.points(delta.value)}{formats.NBSP}pp"
    interval = formats.points_interval(delta.low, delta.high)
    help_text = "The first share minus the second, in percentage points. Interval: Newcombe 95 %."
    figures(*sides, ("Difference", difference, interval, verdict, help_text))


def selection_remark(selection: Selection) -> None:
    """Warn where the filters depend on the run's predictions."""
    if by := parts_by_prediction(selection):
        html.remark(
            f"These images are chosen by {' and '.join(by)}, that is by the run's own predictions: "
            "the figures describe this choice, they do not estimate how good the run is."
        )
