"""Headline figures: a value, its interval beside it, its denominator under it."""

import streamlit as st

from dashboard import formats
from dashboard.components import markup
from dashboard.report import Accuracy, Report

_COUNTRY_HELP = (
    "Images whose predicted country is the true country, of all images of the test file; an "
    "unreadable image is wrong. Interval: Wilson 95 %."
)
_CITY_HELP = (
    "Images whose predicted country and city are both right, of all images of the test file. "
    "Interval: Wilson 95 %."
)
_HIERARCHICAL_HELP = (
    "Images whose predicted city is right, of the images whose predicted country is right. "
    "Interval: Wilson 95 %."
)
_GEOSCORE_HELP = (
    "Mean of 5000 · exp(−distance / 1492.7 km) over all images, 0 to 5,000; an image without a "
    "prediction scores 0."
)
_MEDIAN_HELP = (
    "Half of all images are predicted at most this far from the true place; an image without a "
    "prediction counts as infinitely far. Interval: bootstrap 95 %."
)
_UNREADABLE_HELP = "Images of the test file that could not be decoded; each counts as wrong."


def headline(report: Report) -> None:
    """Draw the three accuracies, then distance, GeoScore and unreadable images under them."""
    columns = st.columns(3, gap="small")
    with columns[0]:
        _accuracy("Country accuracy", report.country, _COUNTRY_HELP)
    with columns[1]:
        _accuracy("City accuracy", report.city, _CITY_HELP)
    with columns[2]:
        _accuracy("City given country", report.hierarchical, _HIERARCHICAL_HELP)
    columns = st.columns(3, gap="small")
    with columns[0]:
        _median(report)
    with columns[1]:
        _geoscore(report)
    with columns[2]:
        _unreadable(report)


def _accuracy(label: str, accuracy: Accuracy, help_text: str) -> None:
    under = [f"n = {formats.count(accuracy.n)}"]
    if accuracy.ceiling is not None:
        under.append(f"ceiling {formats.share(accuracy.ceiling)}")
    if accuracy.macro is not None:
        under.append(f"macro {formats.share(accuracy.macro)}")
    beside = formats.interval(accuracy.low, accuracy.high) if accuracy.n else ""
    _figure(label, formats.share(accuracy.value), beside, " · ".join(under), help_text)


def _median(report: Report) -> None:
    distance = report.distance
    value = formats.kilometres(distance.median_km)
    if distance.is_binned and distance.median_km is not None:
        value = f"≈{formats.NBSP}{value}"
    ends = [formats.kilometre_number(end) for end in (distance.low_km, distance.high_km)]
    beside = "" if distance.low_km is None else "–".join(ends)
    under = f"n = {formats.count(distance.n)}"
    _figure("Median distance", value, beside, under, _MEDIAN_HELP)


def _geoscore(report: Report) -> None:
    distance = report.distance
    under = f"n = {formats.count(distance.n)}"
    _figure("GeoScore", formats.count(distance.geoscore), "of 5,000", under, _GEOSCORE_HELP)


def _unreadable(report: Report) -> None:
    share = report.num_unreadable / report.num_images if report.num_images else None
    _figure(
        "Unreadable images",
        formats.count(report.num_unreadable),
        formats.share(share) if report.num_unreadable else "",
        f"of {formats.count(report.num_images)}, counted as wrong",
        _UNREADABLE_HELP,
    )


def _figure(label: str, value: str, beside: str, under: str, help_text: str) -> None:
    with st.container(gap=None):
        st.markdown(label, help=help_text)
        markup.draw(
            markup.tag(
                "div",
                markup.tag("div", value, markup.tag("small", beside), css="sc-value"),
                markup.tag("div", under, css="sc-under"),
                css="sc-figure",
            )
        )
