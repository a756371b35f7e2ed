"""Draw differences of two runs over the same images: figures, outcomes, countries."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts import baseline_changes, choropleth, metric_cards, selection_events, tables
from dashboard.shell import formats, html
from streetclip.geo import THRESHOLDS_KM
from streetclip.metrics.intervals import Median, wilson_interval
from streetclip.results import Comparison

_TITLES: Final = {
    "country": "Country accuracy",
    "city": "City accuracy",
    "hierarchical": "City given country",
    "geoscore": "GeoScore",
}
_HELP: Final = {
    "country": "Share of images whose predicted country is the true one: this run's minus the "
    "baseline's. Interval: Newcombe 95 %, paired. Grey: it contains 0.",
    "city": "Share of images whose predicted country and city are both correct: this run's minus "
    "the baseline's. Interval: Newcombe 95 %, paired. Grey: it contains 0.",
    "hierarchical": "Share of images whose city is correct, of those whose country is correct, "
    "each run by its own: this run's minus the baseline's. n: images whose country either run "
    "predicts correctly. Interval: bootstrap 95 % over the images. Grey: it contains 0.",
    "geoscore": "Mean of 5000 · exp(−distance / 1492.7 km): this run's minus the baseline's. "
    "Interval: normal 95 % of the mean paired difference. Grey: it contains 0.",
}
_MEDIAN_HELP: Final = (
    "Half of the images that both runs have are predicted at most this far from the true place, "
    "by this run and by the baseline; one without a prediction counts as infinitely far. "
    "Intervals: 95 %, from order statistics; none below 6 images."
)
_NOT_SIGNIFICANT: Final = (
    "n.s.: not significant, as the interval (Newcombe 95 %, paired) contains 0."
)


def card(name: str, found: Comparison) -> Sequence[str]:
    """Make a figure of a difference of `_TITLES`, for `metric_cards.figures`."""
    if name == "geoscore":
        value, write = formats.signed(found.difference), formats.count
        interval = f"{formats.signed(found.low)} to {formats.signed(found.high)}"
    else:
        value, write = f"{formats.points(found.difference)}{formats.NBSP}pp", formats.share
        interval = formats.points_interval(found.low, found.high)
    both = f"{write(found.value)} against {write(found.baseline_value)}"
    css = {"better": "sc-better", "worse": "sc-worse"}.get(_verdict(found.low, found.high))
    shown = html.tag("span", value, css=css or "sc-unclear")
    under = f"{both} · n = {formats.count(found.n)}"
    return _TITLES[name], shown, interval if found.n else "", under, _HELP[name]


def _verdict(low: float, high: float) -> str:
    if low > 0:
        return "better"
    return "worse" if high < 0 else "n.s."


_VERDICT: Final = tables.interval(write=_verdict, title="", width=60)


def bar(outcomes: Mapping[str, int], chosen: str, on_pick: Callable[[str], None]) -> None:
    """Draw images by outcome, and the choice of an outcome."""
    baseline_changes.outcome_bar(outcomes)
    key = "outcome_shown"
    st.session_state[key] = chosen
    st.segmented_control(
        "Images shown",
        list(baseline_changes.OUTCOMES),
        format_func=lambda each: baseline_changes.OUTCOMES.get(each, each).capitalize(),
        key=key,
        required=True,
        on_change=lambda: on_pick(st.session_state[key]),
    )


def countries(
    frame: pd.DataFrame, subject: str, chosen: str | None, on_pick: Callable[[str | None], None]
) -> None:
    """Draw the difference by true country, certain gains first.

    `frame`: `results.compare_by` by country, not empty; `on_pick` gets a country code, None to
    clear the filter.
    """
    bounds = zip(frame["low"], frame["high"], strict=True)
    labels = [f"{formats.points(value)}{formats.NBSP}pp" for value in frame["difference"]]
    intervals = [formats.points_interval(*each) for each in bounds]
    choropleth.choropleth(
        frame.assign(value=frame["difference"], label=labels, interval=intervals),
        key=selection_events.keyed("difference_map", chosen),
        title=f"change of {subject} accuracy (pp)",
        scale="difference",
        words=formats.points,
        on_select=lambda code: on_pick(None if code == chosen else code),
    )
    # Order by the bound of the interval nearer to 0; 0 where it contains 0.
    certain = np.maximum(frame["low"], 0.0) + np.minimum(frame["high"], 0.0)
    ordered = frame.iloc[np.argsort(-np.asarray(certain), kind="stable")]
    columns = {
        "country": tables.country("true country", width=110),
        "n": tables.whole(width=48),
        "difference": tables.per_cent("diff. (pp)", form="%+.1f", width=70),
        "interval": tables.interval(write=formats.points_interval, width=112),
        "verdict": _VERDICT,
        "gained": tables.whole("gained", width=56),
        "lost": tables.whole("lost", width=48),
        "value": tables.per_cent("this run (%)", width=84),
        "baseline_value": tables.per_cent("baseline (%)", width=84),
    }
    tables.show(
        ordered,
        columns,
        key=selection_events.keyed("difference_rows", chosen),
        values=list(ordered["country"]),
        chosen=chosen,
        on_pick=on_pick,
    )
    html.remark(f"{_NOT_SIGNIFICANT} Click a row or a country of the map to filter by it.")


def median_card(median_km: Median, baseline_km: Median) -> Sequence[str]:
    """Make a figure of the median distances, for `metric_cards.figures`."""
    value, baseline = (formats.kilometres(each.value) for each in (median_km, baseline_km))
    interval, other = map(metric_cards.median_interval, (median_km, baseline_km))
    return "Median distance", value, interval, f"against {baseline}, {other}", _MEDIAN_HELP


def thresholds(found: Mapping[int, Comparison]) -> pd.DataFrame:
    """Make this run's shares within the thresholds in km, for `distance_curve`."""
    rows = pd.DataFrame([vars(each) for each in found.values()])
    correct = [each["both_right"] + each["gained"] for each in rows["outcomes"]]
    low, high = wilson_interval(correct, rows["n"])
    return rows.assign(
        name=list(THRESHOLDS_KM), threshold_km=list(found), low=low, high=high, ceiling=np.nan
    )


def distances(found: Mapping[int, Comparison]) -> None:
    """Draw a table of both runs' shares within thresholds."""
    rows = pd.DataFrame([vars(each) for each in found.values()]).assign(threshold_km=list(found))
    columns = {
        "threshold_km": tables.whole("km", width=48),
        "value": tables.per_cent("this run (%)", width=84),
        "baseline_value": tables.per_cent("baseline (%)", width=84),
        "difference": tables.per_cent("diff. (pp)", form="%+.1f", width=70),
        "interval": tables.interval(write=formats.points_interval, width=110),
        "verdict": _VERDICT,
    }
    tables.show(rows, columns, key="compared_distances")
    html.remark(f"Share of images within each distance. {_NOT_SIGNIFICANT}")
