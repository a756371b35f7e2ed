"""Confidence against accuracy, country by country."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts import selection_events, share_bars, vega
from dashboard.charts.vega import Spec
from dashboard.shell import formats, html, theme
from dashboard.views.calibration.reliability_diagram import (
    AXIS_PIXELS,
    diagonal,
    floor,
    share_axis,
)

_HEIGHT = 430
_NUM_NAMED, _FARTHEST = 6, 15  # names that are drawn, of those that are farthest
_NAME_ROOM = (25.0, 5.0)  # per cent of the axes that a name takes
_WHOLE = st.column_config.NumberColumn("n", format="localized")


def countries(
    frame: pd.DataFrame, subject: str, chosen: str | None, on_pick: Callable[[str | None], None]
) -> None:
    """Draw the accuracy of each true country against the mean confidence in its images.

    Args:
        frame: country (ISO code), n, confidence, accuracy, low, high; shares in [0, 1].
        subject: What is right or wrong, as "country".
        chosen: The country that is filtered by, if any.
        on_pick: Called with the code of a country that is clicked, None to clear the filter.
    """
    rows = _country_rows(frame)
    key = selection_events.keyed("reliability_countries", chosen)
    codes = set(frame["country"])

    def pick() -> None:
        code = (selection_events.clicked_mark(key) or {}).get("country")
        if code in codes:
            on_pick(None if code == chosen else code)

    lowest = floor(rows[["confidence", "value"]].min().min())
    named = _named(rows, 100 - lowest)
    vega.draw(
        [diagonal(lowest), *_country_layers(rows, named, subject, chosen, lowest)],
        key=key,
        alt_text=_country_text(named, len(rows), subject),
        height=_HEIGHT,
        on_select=pick,
    )
    few = (rows["n"] < theme.SMALL_N).any()
    pale = f" Pale: fewer than {theme.SMALL_N} images." if few else ""
    html.remark(
        f"Size: images. Named: the farthest from the line. Click a country to filter by it.{pale}"
    )
    with st.expander("Table: confidence and accuracy by country", key="reliability_country_table"):
        _country_table(rows, chosen, on_pick)


def _country_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Countries in per cent, the farthest from the diagonal by their surest gap first."""
    shares = frame.rename(columns={"accuracy": "value"})
    rows = share_bars.in_per_cent(shares).assign(
        confidence=100 * frame["confidence"],
        gap=100 * (frame["confidence"] - frame["accuracy"]),
        name=[formats.country(code) for code in frame["country"]],
        confidence_label=[formats.share(value) for value in frame["confidence"]],
    )
    rows["gap_label"] = [formats.points(gap / 100) for gap in rows["gap"]]
    return rows.sort_values("gap", key=abs, ascending=False, kind="stable", ignore_index=True)


def _named(rows: pd.DataFrame, span: float) -> pd.DataFrame:
    """The countries farthest from the diagonal, those left out whose name would hide another's."""
    confidence, value = rows["confidence"].to_numpy(), rows["value"].to_numpy()
    kept: list[int] = []
    for position in np.flatnonzero(rows["n"] >= theme.SMALL_N)[:_FARTHEST].tolist():
        beside = np.abs(confidence[kept] - confidence[position]) < _NAME_ROOM[0] * span / 100
        level = np.abs(value[kept] - value[position]) < _NAME_ROOM[1] * span / 100
        if len(kept) < _NUM_NAMED and not np.any(beside & level):
            kept.append(position)
    return rows.iloc[kept]


def _country_layers(
    rows: pd.DataFrame, named: pd.DataFrame, subject: str, chosen: str | None, lowest: float
) -> list[Spec]:
    x = share_axis("confidence", "mean confidence (%)", lowest, grid=False)
    y = share_axis("value", f"{subject} accuracy (%)", lowest, **AXIS_PIXELS)
    few = {"test": f"datum.n < {theme.SMALL_N}", "value": theme.PALE_OPACITY}
    size = {"domain": [0, max(int(rows["n"].max()), 1)], "range": [20, 260]}
    point = vega.layer(
        rows,
        "point",
        mark={"filled": True, "cursor": "pointer", "stroke": None},
        x=x,
        y=y,
        size=vega.quantity("n", scale=size, legend=None),
        color=vega.role("right"),
        opacity={"condition": few, "value": 0.7},
        tooltip=vega.tooltip(
            ("name", "true country"),
            ("confidence_label", "mean confidence"),
            ("label", "accuracy"),
            ("interval", "95 % interval"),
            ("gap_label", "confidence − accuracy (pp)"),
            ("n_label", "n"),
        ),
    )
    ring = rows[rows["country"] == chosen]
    texts = pd.concat([named, ring]).drop_duplicates("country")
    is_inside = texts["confidence"] < lowest + 0.8 * (100 - lowest)
    beside = {"limit": 110, "align": "left", "dx": 10}
    return [
        point | {"params": selection_events.mark("country")},
        vega.layer(ring, "point", mark={"size": 330, "strokeWidth": 2, "opacity": 1}, x=x, y=y),
        vega.layer(texts[is_inside], "text", mark=beside, x=x, y=y, text=vega.words("name")),
        vega.layer(
            texts[~is_inside],
            "text",
            mark=beside | {"align": "right", "dx": -10},
            x=x,
            y=y,
            text=vega.words("name"),
        ),
    ]


def _country_table(
    rows: pd.DataFrame, chosen: str | None, on_pick: Callable[[str | None], None]
) -> None:
    codes = list(rows["country"])
    selection_events.table(
        rows[["name", "n", "confidence", "value", "interval", "gap"]],
        key=selection_events.keyed("reliability_country_rows", chosen),
        chosen=selection_events.position(codes, chosen),
        on_pick=lambda row: on_pick(None if row is None else codes[row]),
        columns={
            "name": "true country",
            "n": _WHOLE,
            "confidence": st.column_config.NumberColumn("mean confidence (%)", format="%.1f"),
            "value": st.column_config.NumberColumn("accuracy (%)", format="%.1f"),
            "interval": "95 %",
            "gap": st.column_config.NumberColumn("gap (pp)", format="%+.1f"),
        },
    )


def _country_text(named: pd.DataFrame, num_countries: int, subject: str) -> str:
    parts = [
        f"{name} {accuracy} right at a confidence of {confidence}"
        for name, accuracy, confidence in zip(
            named["name"], named["label"], named["confidence_label"], strict=True
        )
    ]
    what = f"{subject.capitalize()} accuracy against mean confidence of {num_countries} countries"
    return f"{what}. Farthest apart: {'; '.join(parts) or 'none with enough images'}."
