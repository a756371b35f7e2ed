"""Draw accuracy against confidence by country."""

from collections.abc import Callable

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts import channels, selection_events, share_bars, tables
from dashboard.charts.channels import pale, role, tooltip
from dashboard.charts.share_bars import share_channel
from dashboard.shell import formats, html, theme
from dashboard.views.calibration.reliability_diagram import AXIS_PIXELS, axis_start, diagonal

_HEIGHT = 430
_NUM_NAMED, _FARTHEST = 6, 15  # names that are drawn, of those that are farthest
_NAME_ROOM = (25.0, 5.0)  # per cent of the axes that a name takes


def countries(
    frame: pd.DataFrame, subject: str, chosen: str | None, on_pick: Callable[[str | None], None]
) -> None:
    """Draw accuracy against mean confidence by true country.

    `frame`: country (ISO code), n, confidence, accuracy, low, high (shares in [0, 1]); `subject`:
    "country" or "city"; `on_pick` gets a country code, None to clear the filter.
    """
    rows = _rows(frame)
    key, codes = selection_events.keyed("reliability_countries", chosen), list(rows["country"])

    def pick() -> None:
        code = selection_events.clicked_mark(key).get("country")
        if code in codes:
            on_pick(None if code == chosen else code)

    lowest, _ = _axis(rows)
    named = _named(rows, 100 - lowest)
    labels = zip(named["name"], named["label"], named["confidence_label"], strict=True)
    parts = [f"{name} {share} correct at a confidence of {sure}" for name, share, sure in labels]
    channels.show(
        [diagonal(lowest), *_layers(rows, named, subject, chosen)],
        key=key,
        alt_text=f"{subject.capitalize()} accuracy against mean confidence of {len(rows)} "
        f"countries. Farthest apart: {'; '.join(parts) or 'none with enough images'}.",
        height=_HEIGHT,
        on_select=pick,
    )
    html.remark(
        "Size: images. Named: the farthest from the line. Click a country to filter by it."
        f"{channels.few_remark(rows['n'])}"
    )
    with st.expander("Table: confidence and accuracy by country", key="reliability_country_table"):
        columns = {
            "name": tables.text("true country"),
            "n": tables.whole(),
            "confidence": tables.decimal("mean confidence (%)"),
            "value": tables.decimal("accuracy (%)"),
            "interval": tables.text("95 %"),
            "gap": tables.decimal("gap (pp)", form="%+.1f"),
        }
        tables.show(
            rows,
            columns,
            key=selection_events.keyed("reliability_country_rows", chosen),
            chosen=selection_events.position(codes, chosen),
            on_pick=lambda row: on_pick(None if row is None else codes[row]),
        )


def _rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert to per cent and order by distance from the diagonal, descending."""
    gap = frame["confidence"] - frame["accuracy"]
    rows = share_bars.in_per_cent(frame.rename(columns={"accuracy": "value"})).assign(
        confidence=100 * frame["confidence"],
        gap=100 * gap,
        name=frame["country"].map(formats.country),
        confidence_label=frame["confidence"].map(formats.share),
        gap_label=gap.map(formats.points),
    )
    return rows.sort_values("gap", key=abs, ascending=False, kind="stable", ignore_index=True)


def _named(rows: pd.DataFrame, span: float) -> pd.DataFrame:
    """Select the countries farthest from the diagonal, without overlapping names."""
    confidence, value = rows["confidence"].to_numpy(), rows["value"].to_numpy()
    kept: list[int] = []
    for position in np.flatnonzero(rows["n"] >= theme.SMALL_N)[:_FARTHEST].tolist():
        is_near = np.abs(confidence[kept] - confidence[position]) < _NAME_ROOM[0] * span / 100
        is_level = np.abs(value[kept] - value[position]) < _NAME_ROOM[1] * span / 100
        if len(kept) < _NUM_NAMED and not np.any(is_near & is_level):
            kept.append(position)
    return rows.iloc[kept]


def _axis(rows: pd.DataFrame) -> tuple[float, int]:
    return axis_start(float(rows[["confidence", "value"]].min().min()))


def _layers(
    rows: pd.DataFrame, named: pd.DataFrame, subject: str, chosen: str | None
) -> list[alt.Chart]:
    lowest, step = _axis(rows)
    x = share_channel(alt.X, "confidence", "mean confidence (%)", lowest, step, grid=False)
    y = share_channel(alt.Y, "value", f"{subject} accuracy (%)", lowest, step, **AXIS_PIXELS)
    size = alt.Scale(domain=[0, max(int(rows["n"].max()), 1)], range=[20, 260])
    point = alt.Chart(rows).mark_point(filled=True, cursor="pointer", stroke=None)
    point = point.add_params(selection_events.mark("country"))
    texts = tooltip(
        name="true country",
        confidence_label="mean confidence",
        label="accuracy",
        interval="95 % interval",
        gap_label="confidence − accuracy (pp)",
        n_label="n",
    )
    ring = rows[rows["country"] == chosen]
    circle = alt.Chart(ring).mark_point(size=330, strokeWidth=2, opacity=1)
    texts_rows = pd.concat([named, ring]).drop_duplicates("country")
    is_inside = texts_rows["confidence"] < lowest + 0.8 * (100 - lowest)
    inside = alt.Chart(texts_rows[is_inside]).mark_text(limit=110, align="left", dx=10)
    outside = alt.Chart(texts_rows[~is_inside]).mark_text(limit=110, align="right", dx=-10)
    return [
        point.encode(
            x,
            y,
            alt.Size("n:Q", scale=size, legend=None),
            role("correct"),
            pale(0.7),
            tooltip=texts,
        ),
        circle.encode(x, y, role("ink")),
        *(each.encode(x, y, role("ink"), alt.Text("name:N")) for each in (inside, outside)),
    ]
