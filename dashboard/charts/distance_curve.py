"""Draw the share of images within each distance, and comparisons."""

import itertools
from collections.abc import Callable, Mapping

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts import channels, selection_events, tables
from dashboard.charts.channels import role, share_tooltip, tooltip
from dashboard.charts.share_bars import in_per_cent, share_channel
from dashboard.shell import formats, html
from streetclip.metrics.published import Benchmark

_CEILING_HELP = (
    "Share of images that have a candidate of any country so near; none for runs of versions "
    "before 0.6.0."
)
_NEAREST_KM, _FARTHEST_KM = 0.5, 20_000
_LABEL_SPOTS_KM = (5.0, 70.0, 387.0, 1369.0, 7000.0)  # between the thresholds, in the log scale
_NEAR_AXIS = 10.0  # per cent: a label below would lie on the axis
_SHAPES: Mapping[str, str] = {"StreetCLIP": "diamond", "CLIP": "triangle-up"}


def distance_curve(
    curve: pd.DataFrame,
    thresholds: pd.DataFrame,
    *,
    baseline: pd.DataFrame | None = None,
    published: Benchmark | None = None,
    key: str = "distance_curve",
    on_pick: Callable[[float | None, float | None], None] | None = None,
) -> None:
    """Draw the share of images within each distance, with thresholds.

    `on_pick` gets the ends in km of the range between two thresholds that is clicked.

    `curve` and `baseline`: distance_km, value, low, high (shares in [0, 1]); `thresholds`: name,
    threshold_km, value, low, high, n, ceiling.
    """
    line = in_per_cent(curve[curve["distance_km"].between(_NEAREST_KM, _FARTHEST_KM)])
    marks = in_per_cent(thresholds)
    layers, on_select = [], None
    if on_pick is not None:
        layers.append(_ranges(marks["threshold_km"]))
        on_select = selection_events.picker(key, "position", lambda at: on_pick(*_ends(marks)[at]))
    remark = "Dotted: the thresholds street, city, region, country and continent."
    if marks["ceiling"].notna().any():
        tick = alt.Chart(marks.dropna(subset=["ceiling"]))
        tick = tick.mark_tick(orient="horizontal", thickness=2, size=16)
        texts = tooltip(name="threshold", ceiling_label="ceiling")
        layers.append(tick.encode(_x("threshold_km"), _y("ceiling"), role("muted"), tooltip=texts))
        remark += " Ticks on them: the ceiling, by the nearest candidate of any country."
    remark += " Band: Wilson 95 %."
    if baseline is not None and len(baseline):
        layers += _baseline_curve(baseline, line)
        remark += " Grey: the baseline, over the images that both runs have."
    x, low, value = _x("distance_km"), _y("low"), _y("value")
    layers += [
        alt.Chart(line).mark_area(opacity=0.3).encode(x, low, alt.Y2("high:Q"), role("correct")),
        alt.Chart(line).mark_line(strokeWidth=2).encode(x, value, role("correct")),
        *_thresholds(marks),
    ]
    if published is not None:
        layers.append(_published(published))
        remark += " ◇ StreetCLIP and △ CLIP as published."
    shares, km = thresholds["value"].map(formats.share), thresholds["threshold_km"]
    parts = shares + " within " + km.map(formats.kilometres)
    text = f"Share of images by distance from the true place: {', '.join(parts)}."
    channels.show(layers, key=key, alt_text=text, on_select=on_select)
    if on_pick is not None:
        remark += " Click between two of them to see the images that are so far off."
    html.remark(remark)
    with st.expander("Table: share within each threshold", key="distance_table"):
        columns = {
            "name": tables.text("threshold"),
            "threshold_km": tables.whole("km"),
            "value": tables.per_cent("share (%)"),
            "low": tables.per_cent("low"),
            "high": tables.per_cent("high"),
            "ceiling": tables.per_cent("ceiling (%)", help=_CEILING_HELP),
            "n": tables.whole(),
        }
        tables.show(
            thresholds,
            columns,
            key=f"{key}_rows",
            values=_ends(thresholds)[: len(thresholds)],
            on_pick=on_pick and (lambda ends: None if ends is None else on_pick(*ends)),
        )


def _ends(thresholds: pd.DataFrame) -> list[tuple[float | None, float | None]]:
    """List the ends in km of the ranges below, between and above the thresholds."""
    km = [float(each) for each in thresholds["threshold_km"]]
    return list(zip([None, *km], [*km, None], strict=True))


def _ranges(thresholds_km: "pd.Series[float]") -> alt.Chart:
    """Draw clickable, invisible areas between the thresholds."""
    km = [float(each) for each in thresholds_km]
    names = [f"{low:,.0f}–{high:,.0f}" for low, high in itertools.pairwise(km)]
    words = [f"up to {km[0]:,.0f}", *names, f"over {km[-1]:,.0f}"]
    rows = pd.DataFrame(
        {
            "position": range(len(words)),
            "start": [_NEAREST_KM, *km],
            "stop": [*km, _FARTHEST_KM],
            "words": [f"images {each} km off" for each in words],
        }
    )
    area = (
        alt.Chart(rows)
        .mark_rect(opacity=0)
        .encode(
            _x("start"),
            alt.X2("stop:Q"),
            **channels.WHOLE_Y,
            tooltip=tooltip(words="click to see"),
        )
    )
    return selection_events.clickable(area, "position")


def published_table(thresholds: pd.DataFrame, published: Benchmark) -> None:
    """Draw a table of the run's and the published shares."""
    columns = {
        "threshold_km": tables.whole("within (km)"),
        "value": tables.per_cent("this run (%)"),
        "interval": tables.interval(),
    }
    shown = thresholds[thresholds["threshold_km"].isin(published.shares["CLIP"])]
    for model in _SHAPES:
        shown = shown.assign(**{model: shown["threshold_km"].map(published.shares[model])})
        columns[model] = tables.per_cent(f"{model}, published (%)")
    tables.show(shown, columns, key="published_table")


def _x(field: str) -> alt.X:
    return alt.X(
        f"{field}:Q",
        title="distance from the true place (km, log scale)",
        scale=alt.Scale(type="log", domain=[_NEAREST_KM, _FARTHEST_KM], nice=False),
        axis=alt.Axis(values=[1, 10, 100, 1000, 10_000], format=",d", grid=False),
    )


def _y(field: str) -> alt.Y:
    return share_channel(alt.Y, field, "share of images (%)")


def _baseline_curve(baseline: pd.DataFrame, line: pd.DataFrame) -> list[alt.Chart]:
    """Draw a second, muted line, labelled where the two differ most."""
    rows = pd.DataFrame({"distance_km": baseline["distance_km"], "value": 100 * baseline["value"]})
    rows = rows[rows["distance_km"].between(_NEAREST_KM, _FARTHEST_KM)]
    spots = np.array(_LABEL_SPOTS_KM)
    own, other = (np.interp(spots, each["distance_km"], each["value"]) for each in (line, rows))
    spot = int(np.argmax(np.abs(own - other)))
    label = pd.DataFrame([(spots[spot], other[spot])], columns=["distance_km", "value"])
    text = alt.Chart(label.assign(text="baseline"))
    if own[spot] >= other[spot] > _NEAR_AXIS:
        text = text.mark_text(align="left", dx=6, dy=10)
    else:
        text = text.mark_text(align="right", dx=-6, dy=-10)
    x, y, colour = _x("distance_km"), _y("value"), role("muted")
    return [
        alt.Chart(rows).mark_line(strokeWidth=1.5).encode(x, y, colour),
        text.encode(x, y, colour, alt.Text("text:N")),
    ]


def _thresholds(marks: pd.DataFrame) -> list[alt.Chart]:
    chart, x, y = alt.Chart(marks), _x("threshold_km"), _y("value")
    texts = share_tooltip("share", name="threshold", threshold_km="km")
    texts += tooltip(ceiling_label="ceiling")
    # Labels go right below their points, where the curve leaves room; above near the axis.
    is_low = f"datum.value < {_NEAR_AXIS}"
    below = chart.transform_filter(f"!({is_low})").mark_text(align="left", dx=6, dy=11)
    above = chart.transform_filter(is_low).mark_text(align="center", dy=-16)
    return [
        chart.mark_rule(strokeDash=[2, 3], opacity=0.6).encode(x, role("muted")),
        chart.mark_text(baseline="bottom").encode(
            x, alt.YValue(-4), role("muted"), alt.Text("threshold_km:Q", format=",d")
        ),
        chart.mark_point(filled=True, size=50, opacity=1).encode(
            x, y, role("correct"), tooltip=texts
        ),
        below.encode(x, y, role("ink"), alt.Text("label:N")),
        above.encode(x, y, role("ink"), alt.Text("label:N")),
    ]


def _published(published: Benchmark) -> alt.Chart:
    shares = [
        (model, km, 100 * share, formats.share(share))
        for model, by_km in published.shares.items()
        for km, share in by_km.items()
    ]
    rows = pd.DataFrame(shares, columns=["model", "threshold_km", "value", "label"])
    point = alt.Chart(rows).mark_point(filled=False, size=90, strokeWidth=1.5, opacity=1)
    shapes = alt.Scale(domain=list(_SHAPES), range=list(_SHAPES.values()))
    return point.encode(
        _x("threshold_km"),
        _y("value"),
        role("ink"),
        alt.Shape("model:N", sort=None, scale=shapes, legend=None),
        tooltip=tooltip(model="published", threshold_km="km", label="share"),
    )
