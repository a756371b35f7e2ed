"""Draw the reliability diagram and the coverage curve of a run."""

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts import channels, share_bars, tables
from dashboard.charts.channels import pale, role, share_tooltip, tooltip
from dashboard.charts.share_bars import share_channel
from dashboard.shell import formats, html, theme
from streetclip.metrics.calibration import ReliabilityBin
from streetclip.metrics.intervals import wilson_interval

AXIS_PIXELS: Final[dict[str, Any]] = {"minExtent": 42, "maxExtent": 42}
"""Width of vertical axes, so that stacked charts share their horizontal axis."""

CONFIDENCE: Final = {"confidence": tables.decimal("mean confidence (%)")}
ACCURACY: Final = {"value": tables.decimal("accuracy (%)"), "interval": tables.text("95 %")}
"""Columns of tables."""

_HISTOGRAM_HEIGHT = 130
_MARKED_THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
_CLOSEST_MARKS = 12.0  # per cent of coverage between two labels


def diagram(found: Sequence[ReliabilityBin], subject: str) -> None:
    """Draw accuracy against confidence and the number of images by bin, ascending.

    `subject`: "country" or "city".
    """
    bins = bin_frame(found)
    shares = bins[["low", "high", "confidence", "value", "value_low", "value_high"]]
    rows = (100 * shares).assign(
        n=bins["n"],
        bin=share_bars.intervals(bins, "low", "high"),
        label=bins["value"].map(formats.share),
        interval=share_bars.intervals(bins, "value_low", "value_high"),
        confidence_label=bins["confidence"].map(formats.share),
        n_label=bins["n"].map(formats.count),
    )
    filled = rows[rows["n"] > 0]
    parts = ", ".join(filled["label"] + " correct at " + filled["confidence_label"])
    channels.show(
        [diagonal(), *_bins(filled, subject)],
        key="reliability",
        alt_text=f"Reliability diagram, {subject} accuracy by mean confidence: {parts}.",
    )
    numbers = rows["n_label"] + " up to " + bins["high"].map(formats.share)
    channels.show(
        [_histogram(rows, subject)],
        key="reliability_n",
        alt_text=f"Images by confidence: {', '.join(numbers)}.",
        height=_HISTOGRAM_HEIGHT,
    )
    html.remark(
        "Points: accuracy at the mean confidence of each bin, with Wilson 95 %. Below the dashed "
        "line the model is overconfident, above it underconfident."
        f"{channels.few_remark(filled['n'])}"
    )
    columns = {"bin": tables.text("confidence (%)"), "n": tables.whole(), **CONFIDENCE}
    with st.expander("Table: accuracy by confidence", key="reliability_table"):
        tables.show(rows, columns | ACCURACY, key="reliability_rows")


def bin_frame(bins: Sequence[ReliabilityBin]) -> pd.DataFrame:
    """Add Wilson intervals to bins, NaN for n = 0."""
    frame = pd.DataFrame([each._asdict() for each in bins]).astype(
        {"confidence": "float64", "accuracy": "float64"}
    )
    correct = (frame["accuracy"].fillna(0.0) * frame["n"]).round()
    low, high = wilson_interval(correct, frame["n"])
    return frame.rename(columns={"accuracy": "value"}).assign(value_low=low, value_high=high)


def diagonal(lowest: float = 0.0) -> alt.Chart:
    """Draw the line on which confidence equals accuracy."""
    line = alt.Chart(pd.DataFrame({"both": [lowest, 100.0]})).mark_line(
        strokeDash=[5, 4], strokeWidth=1.2
    )
    scale = alt.Scale(domain=[lowest, 100], nice=False)
    return line.encode(alt.X("both:Q", scale=scale), alt.Y("both:Q", scale=scale), role("muted"))


def _bins(rows: pd.DataFrame, subject: str) -> list[alt.Chart]:
    chart, middle = alt.Chart(rows), alt.X("confidence:Q")
    first = {"bin": "confidence (%)", "confidence_label": "mean confidence"}
    texts = share_tooltip("accuracy", **first)
    x = share_channel(alt.X, "low", None, grid=False, labels=False, ticks=False)
    y = share_channel(alt.Y, "value", f"{subject} accuracy (%)", **AXIS_PIXELS)
    return [
        chart.mark_bar(opacity=0.28, stroke=None).encode(
            x, alt.X2("high:Q"), y, alt.Y2Datum(0), role("correct"), tooltip=texts
        ),
        chart.mark_rule(strokeWidth=1.5).encode(
            middle, alt.Y("value_low:Q"), alt.Y2("value_high:Q"), role("ink"), pale()
        ),
        chart.mark_point(filled=True, size=55).encode(
            middle, alt.Y("value:Q"), role("correct"), pale(), tooltip=texts
        ),
    ]


def _histogram(rows: pd.DataFrame, subject: str) -> alt.Chart:
    no_unit_at_0 = "datum.value ? datum.label : '0'"
    y_axis = alt.Axis(tickCount=2, format="~s", labelExpr=no_unit_at_0, **AXIS_PIXELS)
    bar = alt.Chart(rows).mark_bar(stroke=None)
    return bar.encode(
        share_channel(alt.X, "low", f"confidence in the {subject} (%)", grid=False),
        alt.X2("high:Q"),
        alt.Y("n:Q", title="images", axis=y_axis),
        alt.Y2Datum(0),
        role("muted"),
        tooltip=tooltip(bin="confidence (%)", n_label="n"),
    )


def coverage(curve: pd.DataFrame, subject: str) -> None:
    """Draw accuracy against the share of images answered, the most confident first.

    `curve`: threshold, coverage, n (images answered), value, low, high; shares in [0, 1].
    """
    curve = curve[curve["n"] > 0]
    rows = share_bars.in_per_cent(curve).assign(
        coverage=100 * curve["coverage"],
        coverage_label=curve["coverage"].map(formats.share),
        threshold_label=[f"≥ {100 * value:.4g} %" for value in curve["threshold"]],
    )
    marked = _marked(rows)
    labels = zip(marked["label"], marked["coverage_label"], marked["threshold_label"], strict=True)
    parts = [f"{label} of the {covered} with {threshold}" for label, covered, threshold in labels]
    channels.show(
        _coverage_layers(rows, marked, subject),
        key="coverage",
        alt_text=f"{subject.capitalize()} accuracy versus coverage: {', '.join(parts)}.",
        height=theme.CHART_HEIGHT + _HISTOGRAM_HEIGHT,
    )
    html.remark(
        "Points: accuracy if only answers from that confidence on are given. Band: Wilson "
        f"95 %. Pale: fewer than {theme.SMALL_N} images."
    )
    columns = {
        "threshold_label": tables.text("confidence"),
        "coverage": tables.decimal("answered (%)"),
        "n": tables.whole(),
        **ACCURACY,
    }
    with st.expander("Table: accuracy by threshold", key="coverage_table"):
        tables.show(marked, columns, key="coverage_rows")


def _coverage_layers(rows: pd.DataFrame, marked: pd.DataFrame, subject: str) -> list[alt.Chart]:
    firm = rows[rows["n"] >= theme.SMALL_N]
    lowest, step = axis_start((rows if firm.empty else firm)["value"].min())
    x = share_channel(alt.X, "coverage", "share of images answered (%)", grid=False)
    title = f"{subject} accuracy of those (%)"
    low, y = (
        share_channel(alt.Y, field, title, lowest, step, **AXIS_PIXELS)
        for field in ("low", "value")
    )
    line = rows[["coverage", "value", "low", "high", "n"]]
    area = alt.Chart(line).mark_area(opacity=0.25, clip=True)
    layers = [area.encode(x, low, alt.Y2("high:Q"), role("correct"))]
    pale = line["n"] <= theme.SMALL_N, theme.PALE_OPACITY
    for is_shown, opacity in ((line["n"] >= theme.SMALL_N, 1), pale):
        part = alt.Chart(line[is_shown]).mark_line(strokeWidth=2, opacity=opacity, clip=True)
        layers.append(part.encode(x, y, role("correct")))
    first = {"threshold_label": "confidence from", "coverage_label": "answered"}
    texts = share_tooltip("accuracy", **first)
    point = alt.Chart(marked).mark_point(filled=True, size=55, opacity=1)
    layers.append(point.encode(x, y, role("correct"), tooltip=texts))
    # The descending curve leaves room for labels above right, except at the edge.
    label = alt.Chart(marked).encode(x, y, role("ink"), alt.Text("threshold_label:N"))
    inside = label.transform_filter("datum.coverage <= 85").mark_text(align="left", dx=7, dy=-7)
    at_edge = label.transform_filter("datum.coverage > 85").mark_text(align="right", dx=-7, dy=11)
    return [*layers, inside, at_edge]


def axis_start(least: float) -> tuple[float, int]:
    """Choose start and tick step of an axis, in per cent."""
    step = 20 if least < 60 else 10  # noqa: PLR2004 -- per cent
    lowest = float(max(0, step * int((least - 5) // step)))
    return lowest, 20 if lowest < 60 else 10  # noqa: PLR2004


def _marked(rows: pd.DataFrame) -> pd.DataFrame:
    """Select the rows nearest to `_MARKED_THRESHOLDS`, without overlapping labels."""
    kept: list[int] = []
    for threshold in _MARKED_THRESHOLDS:
        above = np.flatnonzero((rows["threshold"] >= threshold) & (rows["n"] >= theme.SMALL_N))
        if not len(above):
            continue
        nearest = int(above[np.argmin(rows["threshold"].to_numpy()[above])])
        others = rows["coverage"].iloc[kept]
        if (others - rows["coverage"].iloc[nearest]).abs().gt(_CLOSEST_MARKS).all():
            kept.append(nearest)
    return rows.iloc[kept]
