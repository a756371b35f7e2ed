"""Whether a confidence can be trusted: reliability diagram and coverage curve."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts import share_bars, tables, vega
from dashboard.charts.vega import Spec
from dashboard.shell import formats, html, theme
from streetclip.metrics.calibration import ReliabilityBin
from streetclip.metrics.intervals import wilson_interval

AXIS_PIXELS = {"minExtent": 42, "maxExtent": 42}  # charts above one another share their x axis
_HISTOGRAM_HEIGHT = 130
_NO_UNIT_AT_0 = "datum.value ? datum.label : '0'"
_MARKED_THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
_BESIDE: Final = {  # the curve falls: above it at the right there is room, but at the edge
    "datum.coverage <= 85": {"align": "left", "dx": 7, "dy": -7},
    "datum.coverage > 85": {"align": "right", "dx": -7, "dy": 11},
}
_CLOSEST_MARKS = 12.0  # per cent of coverage between two labels
_WHOLE = st.column_config.NumberColumn("n", format="localized")


# Reliability


def diagram(bins: pd.DataFrame, subject: str) -> None:
    """Draw accuracy against confidence bin by bin, and how many images each bin holds.

    Args:
        bins: One row a bin, ascending: low and high (its ends), n, confidence (their mean),
            value, its interval's bounds value_low and value_high; shares in [0, 1], NaN for n = 0.
        subject: What is right or wrong, as "country".
    """
    rows = _bin_rows(bins)
    filled = rows[rows["n"] > 0]
    vega.draw(
        [diagonal(), *_bars(filled, subject)],
        key="reliability",
        alt_text=_diagram_text(bins, subject),
    )
    vega.draw(
        _histogram(rows, subject),
        key="reliability_n",
        alt_text=_histogram_text(bins),
        height=_HISTOGRAM_HEIGHT,
    )
    few = (
        f" Pale: fewer than {theme.SMALL_N} images." if (filled["n"] < theme.SMALL_N).any() else ""
    )
    html.remark(
        "Points: accuracy at the mean confidence of each bin, with Wilson 95 %. Below the dashed "
        f"line the model is surer than it should be, above it less sure.{few}"
    )
    with st.expander("Table: accuracy by confidence", key="reliability_table"):
        _bin_table(rows)


def bin_frame(bins: Sequence[ReliabilityBin]) -> pd.DataFrame:
    """Reliability bins as `diagram` takes them, with the Wilson interval of each accuracy."""
    frame = pd.DataFrame([each.to_dict() for each in bins]).astype(
        {"confidence": "float64", "accuracy": "float64"}
    )
    right = (frame["accuracy"].fillna(0.0) * frame["n"]).round()
    low, high = wilson_interval(right, frame["n"])
    return frame.rename(columns={"accuracy": "value"}).assign(value_low=low, value_high=high)


def _bin_rows(bins: pd.DataFrame) -> pd.DataFrame:
    """Bins in per cent, with the texts of labels and tooltips beside them."""
    rows = pd.DataFrame({name: 100 * bins[name] for name in ("low", "high", "confidence", "value")})
    rows["value_low"], rows["value_high"] = 100 * bins["value_low"], 100 * bins["value_high"]
    rows["n"] = bins["n"]
    rows["bin"] = [
        f"{low:.1f}–{high:.1f}" for low, high in zip(rows["low"], rows["high"], strict=True)
    ]
    rows["label"] = [formats.share(value) for value in bins["value"]]
    rows["interval"] = share_bars.intervals(bins, "value_low", "value_high")
    rows["confidence_label"] = [formats.share(value) for value in bins["confidence"]]
    rows["n_label"] = [formats.count(n) for n in bins["n"]]
    return rows


def share_axis(field: str, title: str | None, lowest: float = 0.0, **settings: Any) -> Spec:
    """A channel of shares in per cent, up to 100.

    Args:
        field: Column of the shares.
        title: What they are.
        lowest: Where the axis begins.
        settings: Of Vega-Lite's axis.
    """
    ticks = list(range(int(lowest), 101, _step(lowest)))
    settings = {"values": ticks, **settings}
    return vega.quantity(field, title=title, scale=_scale(lowest), axis=settings)


def _scale(lowest: float) -> Spec:
    return {"domain": [lowest, 100], "nice": False}


def diagonal(lowest: float = 0.0) -> Spec:
    """Where confidence equals accuracy."""
    ends = pd.DataFrame({"both": [lowest, 100.0]})
    return vega.layer(
        ends,
        "line",
        mark={"strokeDash": [5, 4], "strokeWidth": 1.2},
        x=vega.quantity("both", scale=_scale(lowest)),
        y=vega.quantity("both", scale=_scale(lowest)),
        color=vega.role("muted"),
    )


def _pale() -> Spec:
    test = f"datum.n < {theme.SMALL_N}"
    return {"condition": {"test": test, "value": theme.PALE_OPACITY}, "value": 1}


def _bars(rows: pd.DataFrame, subject: str) -> list[Spec]:
    y_axis = share_axis("value", f"{subject} accuracy (%)", **AXIS_PIXELS)
    texts = vega.tooltip(
        ("bin", "confidence (%)"),
        ("confidence_label", "mean confidence"),
        ("label", "accuracy"),
        ("interval", "95 % interval"),
        ("n_label", "n"),
    )
    middle = vega.quantity("confidence")
    bar = vega.layer(
        rows,
        "bar",
        mark={"opacity": 0.28, "stroke": None},
        x=share_axis("low", None, grid=False, labels=False, ticks=False),
        x2={"field": "high"},
        y=y_axis,
        y2={"datum": 0},
        color=vega.role("right"),
        tooltip=texts,
    )
    whisker = vega.layer(
        rows,
        "rule",
        mark={"strokeWidth": 1.5},
        x=middle,
        y=vega.quantity("value_low"),
        y2={"field": "value_high"},
        opacity=_pale(),
    )
    point = vega.layer(
        rows,
        "point",
        mark={"filled": True, "size": 55},
        x=middle,
        y=vega.quantity("value"),
        color=vega.role("right"),
        opacity=_pale(),
        tooltip=texts,
    )
    return [bar, whisker, point]


def _histogram(rows: pd.DataFrame, subject: str) -> list[Spec]:
    bar = vega.layer(
        rows,
        "bar",
        mark={"stroke": None},
        x=share_axis("low", f"confidence in the {subject} (%)", grid=False),
        x2={"field": "high"},
        y=vega.quantity(
            "n",
            title="images",
            axis={"tickCount": 2, "format": "~s", "labelExpr": _NO_UNIT_AT_0, **AXIS_PIXELS},
        ),
        y2={"datum": 0},
        color=vega.role("muted"),
        tooltip=vega.tooltip(("bin", "confidence (%)"), ("n_label", "n")),
    )
    return [bar]


def _bin_table(rows: pd.DataFrame) -> None:
    tables.draw(
        rows[["bin", "n", "confidence", "value", "interval"]],
        column_config={
            "bin": "confidence (%)",
            "n": _WHOLE,
            "confidence": st.column_config.NumberColumn("mean confidence (%)", format="%.1f"),
            "value": st.column_config.NumberColumn("accuracy (%)", format="%.1f"),
            "interval": "95 %",
        },
    )


def _diagram_text(bins: pd.DataFrame, subject: str) -> str:
    filled = bins[bins["n"] > 0]
    parts = [
        f"{formats.share(value)} right at {formats.share(confidence)}"
        for value, confidence in zip(filled["value"], filled["confidence"], strict=True)
    ]
    return f"Reliability diagram, {subject} accuracy by mean confidence: {', '.join(parts)}."


def _histogram_text(bins: pd.DataFrame) -> str:
    parts = [
        f"{formats.count(n)} up to {formats.share(high)}"
        for n, high in zip(bins["n"], bins["high"], strict=True)
    ]
    return f"Images by confidence: {', '.join(parts)}."


# Coverage


def coverage(curve: pd.DataFrame, subject: str) -> None:
    """Draw accuracy against the share of images that is answered, if only the surest are.

    Args:
        curve: One row a threshold: threshold, coverage, n (images answered), value, low, high;
            shares in [0, 1].
        subject: What is right or wrong, as "country".
    """
    rows = _coverage_rows(curve[curve["n"] > 0])
    marked = _marked(rows)
    enough_answered = rows[rows["n"] >= theme.SMALL_N]
    lowest = floor((rows if enough_answered.empty else enough_answered)["value"].min())
    x = share_axis("coverage", "share of images answered (%)", grid=False)
    y = share_axis("value", f"{subject} accuracy of those (%)", lowest, **AXIS_PIXELS)
    line = rows[["coverage", "value", "low", "high", "n"]]
    enough, few = (f"datum.n {sign} {theme.SMALL_N}" for sign in (">=", "<="))
    label = vega.words("threshold_label")
    texts = vega.tooltip(
        ("threshold_label", "confidence from"),
        ("coverage_label", "answered"),
        ("label", "accuracy"),
        ("interval", "95 % interval"),
        ("n_label", "n"),
    )
    layers = [
        vega.layer(
            line,
            "area",
            mark={"opacity": 0.25, "clip": True},
            x=x,
            y=vega.quantity("low", scale=_scale(lowest)),
            y2={"field": "high"},
            color=vega.role("right"),
        ),
        *(
            vega.layer(
                line,
                "line",
                mark={"strokeWidth": 2, "opacity": opacity, "clip": True},
                where=where,
                x=x,
                y=y,
                color=vega.role("right"),
            )
            for where, opacity in ((enough, 1), (few, theme.PALE_OPACITY))
        ),
        vega.layer(
            marked,
            "point",
            mark={"filled": True, "size": 55, "opacity": 1},
            x=x,
            y=y,
            color=vega.role("right"),
            tooltip=texts,
        ),
        *(
            vega.layer(marked, "text", mark=beside, where=where, x=x, y=y, text=label)
            for where, beside in _BESIDE.items()
        ),
    ]
    vega.draw(
        layers,
        key="coverage",
        alt_text=_coverage_text(marked, subject),
        height=theme.CHART_HEIGHT + _HISTOGRAM_HEIGHT,
    )
    html.remark(
        "Points: what is left if only answers from that confidence on are given. Band: Wilson "
        f"95 %. Pale: fewer than {theme.SMALL_N} images."
    )
    with st.expander("Table: accuracy by threshold", key="coverage_table"):
        _coverage_table(marked)


def floor(least: float) -> float:
    """A round share, with room, below the least that is drawn; for axes of lines and points."""
    step = _step(least)
    return float(max(0, step * int((least - 5) // step)))


def _step(lowest: float) -> int:
    """Between two ticks of an axis that begins there and ends at 100."""
    return 20 if lowest < 60 else 10  # noqa: PLR2004 -- per cent


def _coverage_rows(curve: pd.DataFrame) -> pd.DataFrame:
    rows = share_bars.in_per_cent(curve)
    return rows.assign(
        coverage=100 * curve["coverage"],
        coverage_label=[formats.share(value) for value in curve["coverage"]],
        threshold_label=[f"≥ {100 * value:.4g} %" for value in curve["threshold"]],
    )


def _marked(rows: pd.DataFrame) -> pd.DataFrame:
    """The thresholds in round numbers, those left out that would lie on another's label."""
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


def _coverage_table(rows: pd.DataFrame) -> None:
    tables.draw(
        rows[["threshold_label", "coverage", "n", "value", "interval"]],
        column_config={
            "threshold_label": "confidence",
            "coverage": st.column_config.NumberColumn("answered (%)", format="%.1f"),
            "n": _WHOLE,
            "value": st.column_config.NumberColumn("accuracy (%)", format="%.1f"),
            "interval": "95 %",
        },
    )


def _coverage_text(marked: pd.DataFrame, subject: str) -> str:
    parts = [
        f"{label} of the {covered} with {threshold}"
        for label, covered, threshold in zip(
            marked["label"], marked["coverage_label"], marked["threshold_label"], strict=True
        )
    ]
    return f"{subject.capitalize()} accuracy if only the surest are answered: {', '.join(parts)}."
