"""Two runs over the same images: differences, what was gained and lost, and where."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard.charts import baseline_changes, choropleth, metric_cards, selection_events, tables
from dashboard.shell import formats, html
from streetclip.geo import THRESHOLDS_KM
from streetclip.metrics.intervals import Median, wilson_interval
from streetclip.results import Comparison

_DEFINITIONS: Final = {
    "country": (
        "Country accuracy",
        (
            "Share of images whose predicted country is the true one: this run's minus the "
            "baseline's. Interval: Newcombe 95 %, paired. Grey: it holds 0."
        ),
    ),
    "city": (
        "City accuracy",
        (
            "Share of images whose predicted country and city are both right: this run's minus the "
            "baseline's. Interval: Newcombe 95 %, paired. Grey: it holds 0."
        ),
    ),
    "hierarchical": (
        "City given country",
        (
            "Share of images whose city is right, of those whose country is right, each run by its "
            "own: this run's minus the baseline's. n: images whose country either run has right. "
            "Interval: bootstrap 95 % over the images. Grey: it holds 0."
        ),
    ),
    "geoscore": (
        "GeoScore",
        (
            "Mean of 5000 · exp(−distance / 1492.7 km): this run's minus the baseline's. Interval: "
            "normal 95 % of the mean paired difference. Grey: it holds 0."
        ),
    ),
}
_UNCLEAR: Final = "Unclear: the interval (Newcombe 95 %, paired) holds 0."


def figure(name: str, found: Comparison) -> None:
    """Draw one difference with its interval, and both values under it.

    Args:
        name: "country", "city", "hierarchical" or "geoscore".
        found: What was compared.
    """
    label, help_text = _DEFINITIONS[name]
    is_share = name != "geoscore"
    ends = (found.low, found.high)
    if is_share:
        value = f"{formats.points(found.difference)}{formats.NBSP}pp"
        beside = formats.points_interval(*ends)
        both = [formats.share(each) for each in (found.value, found.baseline_value)]
    else:
        value = formats.signed(found.difference)
        beside = f"{formats.signed(found.low)} to {formats.signed(found.high)}"
        both = [formats.count(each) for each in (found.value, found.baseline_value)]
    under = f"{both[0]} against {both[1]} · n = {formats.count(found.n)}"
    coloured = html.tag("span", value, css=_direction(found))
    metric_cards.figure(label, coloured, beside if found.n else "", under, help_text)


def _is_clear(low: float, high: float) -> bool:
    """Whether an interval leaves 0 out."""
    return low > 0 or high < 0


def _direction(found: Comparison) -> str:
    if not _is_clear(found.low, found.high):
        return "sc-unclear"
    return "sc-better" if found.difference > 0 else "sc-worse"


def bar(outcomes: Mapping[str, int], chosen: str, on_pick: Callable[[str], None]) -> None:
    """Draw images by what happened to them, and the choice of those that are shown.

    Args:
        outcomes: Images by outcome.
        chosen: The outcome whose images are shown.
        on_pick: Called with the outcome that is chosen.
    """
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


# By country


def countries(
    frame: pd.DataFrame, subject: str, chosen: str | None, on_pick: Callable[[str | None], None]
) -> None:
    """Draw the difference of each true country on a map and in a table, certain gains first.

    Args:
        frame: As `analysis.compare_by` gives it by country, at least one.
        subject: What is right or wrong, as "country".
        chosen: The country that is filtered by, if any.
        on_pick: Called with the code of a country that is clicked, None to clear the filter.
    """
    texts = {
        "label": [f"{formats.points(value)}{formats.NBSP}pp" for value in frame["difference"]],
        "interval": _intervals(frame),
    }
    choropleth.choropleth(
        frame.assign(value=frame["difference"], **texts),
        key=selection_events.keyed("difference_map", chosen),
        title=f"change of {subject} accuracy (pp)",
        scale="difference",
        words=formats.points,
        on_select=lambda code: on_pick(None if code == chosen else code),
    )
    _country_table(frame, chosen, on_pick)


def _intervals(frame: pd.DataFrame) -> list[str]:
    ends = zip(frame["low"], frame["high"], strict=True)
    return [formats.points_interval(low, high) for low, high in ends]


def _country_table(
    frame: pd.DataFrame, chosen: str | None, on_pick: Callable[[str | None], None]
) -> None:
    ordered = frame.iloc[np.argsort(-_certain(frame), kind="stable")]
    codes = list(ordered["country"])
    rows = pd.DataFrame(
        {
            "name": [formats.country(code) for code in codes],
            "n": ordered["n"].to_numpy(),
            "difference": 100 * ordered["difference"].to_numpy(),
            "interval": _intervals(ordered),
            "verdict": [
                _verdict(low, high)
                for low, high in zip(ordered["low"], ordered["high"], strict=True)
            ],
            "gained": ordered["gained"].to_numpy(),
            "lost": ordered["lost"].to_numpy(),
            "value": 100 * ordered["value"].to_numpy(),
            "baseline_value": 100 * ordered["baseline_value"].to_numpy(),
        }
    )
    selection_events.table(
        rows,
        key=selection_events.keyed("difference_rows", chosen),
        chosen=selection_events.position(codes, chosen),
        on_pick=lambda row: on_pick(None if row is None else codes[row]),
        columns={
            "name": st.column_config.TextColumn("true country", width=110),
            "n": st.column_config.NumberColumn("n", format="localized", width=48),
            "difference": st.column_config.NumberColumn("diff. (pp)", format="%+.1f", width=70),
            "interval": st.column_config.TextColumn("95 %", width=112),
            "verdict": st.column_config.TextColumn("", width=60),
            "gained": st.column_config.NumberColumn("gained", format="localized", width=56),
            "lost": st.column_config.NumberColumn("lost", format="localized", width=48),
            "value": st.column_config.NumberColumn("this run (%)", format="%.1f", width=84),
            "baseline_value": st.column_config.NumberColumn(
                "baseline (%)", format="%.1f", width=84
            ),
        },
    )
    html.remark(f"{_UNCLEAR} Click a row or a country of the map to filter by it.")


def _certain(frame: pd.DataFrame) -> NDArray[np.float64]:
    """The end of each interval that is nearer to 0; 0 where the interval holds it."""
    low, high = frame["low"].to_numpy(), frame["high"].to_numpy()
    certain: NDArray[np.float64] = np.maximum(low, 0.0) + np.minimum(high, 0.0)
    return certain


def _verdict(low: float, high: float) -> str:
    """What an interval of a difference says."""
    if not _is_clear(low, high):
        return "unclear"
    return "better" if low > 0 else "worse"


# Distances


def medians(median_km: Median, baseline_km: Median) -> None:
    """Draw the median distances of both runs with their intervals.

    Args:
        median_km: This run's; NaN without images.
        baseline_km: The baseline's.
    """
    baseline = formats.kilometres(baseline_km.value)
    metric_cards.figure(
        "Median distance",
        formats.kilometres(median_km.value),
        metric_cards.median_interval(median_km),
        f"against {baseline}, {metric_cards.median_interval(baseline_km)}",
        "Half of the images that both runs have are predicted at most this far from the true "
        "place, by this run and by the baseline; one without a prediction counts as infinitely "
        "far. Intervals: 95 %, from order statistics; none below 6 images.",
    )


def thresholds(found: Mapping[int, Comparison]) -> pd.DataFrame:
    """This run's shares within the thresholds, as `curves.distance_curve` takes them.

    Args:
        found: By threshold in km, what was compared.
    """
    n = [each.n for each in found.values()]
    right = [each.outcomes["both_right"] + each.outcomes["gained"] for each in found.values()]
    low, high = wilson_interval(right, n)
    return pd.DataFrame(
        {
            "name": list(THRESHOLDS_KM),
            "threshold_km": list(found),
            "value": [each.value for each in found.values()],
            "low": low,
            "high": high,
            "n": n,
            "ceiling": float("nan"),
        }
    )


def distances(found: Mapping[int, Comparison]) -> None:
    """Draw the shares within each threshold of both runs as a table.

    Args:
        found: By threshold in km, what was compared.
    """
    compared = list(found.values())
    tables.draw(
        pd.DataFrame(
            {
                "threshold_km": list(found),
                "value": [100 * each.value for each in compared],
                "baseline_value": [100 * each.baseline_value for each in compared],
                "difference": [100 * each.difference for each in compared],
                "interval": [formats.points_interval(each.low, each.high) for each in compared],
                "verdict": [_verdict(each.low, each.high) for each in compared],
            }
        ),
        key="compared_distances",
        column_config={
            "threshold_km": st.column_config.NumberColumn("km", format="localized", width=48),
            "value": st.column_config.NumberColumn("this run (%)", format="%.1f", width=84),
            "baseline_value": st.column_config.NumberColumn(
                "baseline (%)", format="%.1f", width=84
            ),
            "difference": st.column_config.NumberColumn("diff. (pp)", format="%+.1f", width=70),
            "interval": st.column_config.TextColumn("95 %", width=110),
            "verdict": st.column_config.TextColumn("", width=60),
        },
    )
    html.remark(f"Share of images within each distance. {_UNCLEAR}")
