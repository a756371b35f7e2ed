"""The distance curve: the share of images within each distance, and what it is compared with."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts import tables, vega
from dashboard.charts.share_bars import SHARE_TICKS, in_per_cent, intervals
from dashboard.charts.vega import Spec
from dashboard.shell import formats, html
from streetclip.metrics.published import Benchmark

_CEILING_HELP = (
    "Share of images that have a candidate of any country so near; none for runs of versions "
    "before 0.6.0."
)
_NEAREST_KM, _FARTHEST_KM = 0.5, 20_000
_SHARE = st.column_config.NumberColumn(format="%.1f")
_WHOLE = st.column_config.NumberColumn(format="localized")
_DISTANCE_TITLE = "distance from the true place (km, log scale)"
_LABEL_SPOTS_KM = (5.0, 70.0, 387.0, 1369.0, 7000.0)  # between the thresholds, in the log scale
_SHAPES: Mapping[str, str] = {"StreetCLIP": "diamond", "CLIP": "triangle-up"}


def distance_curve(
    curve: pd.DataFrame,
    thresholds: pd.DataFrame,
    *,
    baseline: pd.DataFrame | None = None,
    published: Benchmark | None = None,
) -> None:
    """Draw the share of images within each distance, with the five thresholds marked.

    Args:
        curve: distance_km, value, low, high (shares in [0, 1]).
        thresholds: name, threshold_km, value, low, high, n, ceiling.
        baseline: The curve of the run to compare with, if there is one.
        published: What to mark beside it, if there is anything.
    """
    line = in_per_cent(curve[curve["distance_km"].between(_NEAREST_KM, _FARTHEST_KM)])
    marks = in_per_cent(thresholds)
    has_ceilings = bool(marks["ceiling"].notna().any())
    layers = [_ceilings(marks)] if has_ceilings else []
    if baseline is not None and len(baseline):
        layers += _baseline_curve(baseline, line)
    layers += [*_curve(line), *_thresholds(marks)]
    if published is not None:
        layers.append(_published(published))
    vega.draw(layers, key="distance_curve", alt_text=_curve_text(thresholds))
    html.remark(_curve_remark(baseline is not None, has_ceilings, published))
    with st.expander("Table: share within each threshold", key="distance_table"):
        tables.draw(
            marks[["name", "threshold_km", "value", "low", "high", "ceiling", "n"]],
            column_config={
                "name": "threshold",
                "threshold_km": st.column_config.NumberColumn("km", format="localized"),
                "value": st.column_config.NumberColumn("share (%)", format="%.1f"),
                "low": _SHARE,
                "high": _SHARE,
                "ceiling": st.column_config.NumberColumn(
                    "ceiling (%)", format="%.1f", help=_CEILING_HELP
                ),
                "n": _WHOLE,
            },
        )


def published_table(thresholds: pd.DataFrame, published: Benchmark) -> None:
    """Draw the run beside the published figures, threshold by threshold.

    Args:
        thresholds: name, threshold_km, value, low, high, n, ceiling.
        published: Whose thresholds are among them.
    """
    own = thresholds[thresholds["threshold_km"].isin(_published_rows(published)["threshold_km"])]
    shown = pd.DataFrame(
        {
            "threshold_km": own["threshold_km"],
            "value": 100 * pd.to_numeric(own["value"]),
            "interval": intervals(own, "low", "high"),
        }
    )
    for model in ("StreetCLIP", "CLIP"):
        shown[model] = [100 * published.shares[model][km] for km in own["threshold_km"]]
    per_cent = {
        name: st.column_config.NumberColumn(f"{title} (%)", format="%.1f")
        for name, title in (
            ("value", "this run"),
            ("StreetCLIP", "StreetCLIP, published"),
            ("CLIP", "CLIP, published"),
        )
    }
    config = per_cent | {
        "threshold_km": st.column_config.NumberColumn("within (km)", format="localized"),
        "interval": st.column_config.TextColumn("95 %"),
    }
    tables.draw(shown, column_config=config, key="published_table")


def _distance_axis(field: str) -> Spec:
    return vega.quantity(
        field,
        title=_DISTANCE_TITLE,
        scale={"type": "log", "domain": [_NEAREST_KM, _FARTHEST_KM], "nice": False},
        axis={"values": [1, 10, 100, 1000, 10_000], "format": ",d", "grid": False},
    )


def _share_axis(field: str) -> Spec:
    return vega.quantity(
        field,
        title="share of images (%)",
        scale={"domain": [0, 100], "nice": False},
        axis={"values": SHARE_TICKS},
    )


def _curve(line: pd.DataFrame) -> list[Spec]:
    x, color = _distance_axis("distance_km"), vega.role("right")
    return [
        vega.layer(
            line,
            "area",
            mark={"opacity": 0.3},
            x=x,
            y=_share_axis("low"),
            y2={"field": "high"},
            color=color,
        ),
        vega.layer(line, "line", mark={"strokeWidth": 2}, x=x, y=_share_axis("value"), color=color),
    ]


def _baseline_curve(baseline: pd.DataFrame, line: pd.DataFrame) -> list[Spec]:
    """A second, muted line with its name beside it, where the two lie farthest apart."""
    rows = pd.DataFrame({"distance_km": baseline["distance_km"], "value": 100 * baseline["value"]})
    rows = rows[rows["distance_km"].between(_NEAREST_KM, _FARTHEST_KM)]
    spots = np.array(_LABEL_SPOTS_KM)
    own, other = (np.interp(spots, each["distance_km"], each["value"]) for each in (line, rows))
    spot = int(np.argmax(np.abs(own - other)))
    is_below = own[spot] >= other[spot]
    label = pd.DataFrame(
        {"distance_km": [spots[spot]], "value": [other[spot]], "text": ["baseline"]}
    )
    beside = {"align": "left" if is_below else "right", "dx": 6 if is_below else -6}
    x, y = _distance_axis("distance_km"), _share_axis("value")
    return [
        vega.layer(rows, "line", mark={"strokeWidth": 1.5}, x=x, y=y, color=vega.role("muted")),
        vega.layer(
            label,
            "text",
            mark=beside | {"dy": 10 if is_below else -10},
            x=x,
            y=y,
            text=vega.words("text"),
            color=vega.role("muted"),
        ),
    ]


def _ceilings(marks: pd.DataFrame) -> Spec:
    return vega.layer(
        marks,
        "tick",
        where="isValid(datum.ceiling)",
        mark={"orient": "horizontal", "thickness": 2, "size": 16},
        x=_distance_axis("threshold_km"),
        y=_share_axis("ceiling"),
        tooltip=vega.tooltip(("name", "threshold"), ("ceiling_label", "ceiling")),
        color=vega.role("muted"),
    )


def _thresholds(marks: pd.DataFrame) -> list[Spec]:
    # The curve rises and the ceiling lies above it: right below a point there is room, but for
    # points near the axis.
    low = "datum.value < 10"
    x, y = _distance_axis("threshold_km"), _share_axis("value")
    label = vega.words("label")
    layers = [
        vega.layer(
            marks,
            "rule",
            mark={"strokeDash": [2, 3], "opacity": 0.6},
            x=x,
            color=vega.role("muted"),
        ),
        vega.layer(
            marks,
            "text",
            mark={"baseline": "bottom"},
            x=x,
            y={"value": -4},
            text=vega.quantity("threshold_km", format=",d"),
            color=vega.role("muted"),
        ),
        vega.layer(
            marks,
            "point",
            mark={"filled": True, "size": 50, "opacity": 1},
            x=x,
            y=y,
            color=vega.role("right"),
            tooltip=vega.tooltip(
                ("name", "threshold"),
                ("threshold_km", "km"),
                ("label", "share"),
                ("interval", "95 % interval"),
                ("n_label", "n"),
                ("ceiling_label", "ceiling"),
            ),
        ),
    ]
    beside = {"align": "left", "dx": 6, "dy": 11}
    above = {"align": "center", "dy": -16}
    layers.append(vega.layer(marks, "text", where=f"!({low})", mark=beside, x=x, y=y, text=label))
    layers.append(vega.layer(marks, "text", where=low, mark=above, x=x, y=y, text=label))
    return layers


def _published_rows(published: Benchmark) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "model": model,
                "threshold_km": km,
                "value": 100 * share,
                "label": formats.share(share),
            }
            for model, shares in published.shares.items()
            for km, share in shares.items()
        ]
    )


def _published(published: Benchmark) -> Spec:
    scale = {"domain": list(_SHAPES), "range": list(_SHAPES.values())}
    return vega.layer(
        _published_rows(published),
        "point",
        mark={"filled": False, "size": 90, "strokeWidth": 1.5, "opacity": 1},
        x=_distance_axis("threshold_km"),
        y=_share_axis("value"),
        shape=vega.name("model", scale=scale, legend=None),
        tooltip=vega.tooltip(("model", "published"), ("threshold_km", "km"), ("label", "share")),
    )


def _curve_remark(has_baseline: bool, has_ceilings: bool, published: Benchmark | None) -> str:
    parts = ["Dotted: the thresholds street, city, region, country and continent."]
    if has_ceilings:
        parts.append("Ticks on them: the ceiling, by the nearest candidate of any country.")
    parts.append("Band: Wilson 95 %.")
    if has_baseline:
        parts.append("Grey: the baseline, over the images that both runs have.")
    if published is not None:
        parts.append("◇ StreetCLIP and △ CLIP as published.")
    return " ".join(parts)


def _curve_text(thresholds: pd.DataFrame) -> str:
    parts = [
        f"{formats.share(value)} within {formats.kilometres(km)}"
        for value, km in zip(thresholds["value"], thresholds["threshold_km"], strict=True)
    ]
    return f"Share of images by distance from the true place: {', '.join(parts)}."
