"""What is taken for what, in words: pairs as tables, one-sided pairs, near and far mistakes."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts import selection_events, share_bars, tables, vega
from dashboard.charts.vega import Spec
from dashboard.shell import formats, html
from dashboard.views.confusion.confusion_heatmap import Matrix, Style, with_shares

_BAR_HEIGHT = 90
_LETTER_PIXELS = 6.8
_NEARNESS_COLOURS = {
    "neighbour": ("#fdb863", "#1b1f24"),
    "same continent": ("#e08214", "#1b1f24"),
    "other continent": ("#b35806", "#ffffff"),
}
"""Fill and text: the farther, the stronger (PuOr's orange)."""

_WHOLE = st.column_config.NumberColumn("n", format="localized")
_INTERVAL = st.column_config.TextColumn("95 %")
_KILOMETRES = st.column_config.NumberColumn("mean km", format="localized")


def cells(
    matrix: Matrix,
    style: Style,
    *,
    key: str,
    on_pick: Callable[[str, str], None],
    most: int | None = None,
) -> None:
    """Draw the cells of a matrix as a table, the most frequent mistakes first.

    Args:
        matrix: What it shows.
        style: How the matrix is drawn.
        key: Unique on the page.
        on_pick: Called with the true and the predicted class of a row that is clicked.
        most: Only so many mistakes; all cells, right answers last, if it is not given.
    """
    shown = with_shares(matrix.cells)
    shown = shown.assign(is_right=shown["true"] == shown["predicted"])
    shown = shown.sort_values(["is_right", "n"], ascending=[True, False], kind="stable")
    if most is not None:
        is_own = ~(shown["true"].isin(matrix.closed) | shown["predicted"].isin(matrix.closed))
        shown = shown[is_own & ~shown["is_right"]].head(most)
    pairs = list(zip(shown["true"], shown["predicted"], strict=True))
    if not pairs:
        html.remark("There is no mistake among these images.")
        return

    def pick(row: int | None) -> None:
        cell = style.chosen if row is None else pairs[row]
        if matrix.closed.isdisjoint(cell):
            on_pick(*cell)

    rows = _cell_rows(matrix, shown)
    selection_events.table(
        rows if most is None else rows.drop(columns="mean_km"),
        key=selection_events.keyed(key, *style.chosen),
        chosen=selection_events.position(pairs, style.chosen),
        on_pick=pick,
        columns={
            "true": st.column_config.TextColumn(f"true {style.unit}", width=92),
            "predicted": st.column_config.TextColumn("predicted", width=92),
            "n": st.column_config.NumberColumn("n", format="localized", width=40),
            "value": st.column_config.NumberColumn("of true (%)", format="%.1f", width=74),
            "interval": st.column_config.TextColumn("95 %", width=78),
            "mean_km": _KILOMETRES,
        },
    )


def _cell_rows(matrix: Matrix, shown: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "true": [matrix.name(label) for label in shown["true"]],
            "predicted": [matrix.name(label) for label in shown["predicted"]],
            "n": shown["n"].to_numpy(),
            "value": 100 * shown["value"].to_numpy(),
            "interval": share_bars.intervals(shown, "low", "high"),
            "mean_km": shown["mean_km"].round().to_numpy(),
        }
    )


# One-sided pairs


def asymmetric(
    pairs: pd.DataFrame,
    chosen: tuple[str | None, str | None],
    *,
    on_pick: Callable[[str, str], None],
) -> None:
    """Draw two countries a row of which one is taken for the other more often than the reverse.

    Args:
        pairs: As `analysis.asymmetric_pairs`, at least one, the most certain first.
        chosen: The true and the predicted country that are filtered by, if any.
        on_pick: Called with the true and the predicted country of a row that is clicked.
    """
    codes = list(zip(pairs["country"], pairs["other"], strict=True))
    texts = {
        "country": [formats.country(code) for code in pairs["country"]],
        "other": [formats.country(code) for code in pairs["other"]],
        "interval": _points(pairs),
    }
    per_cent = {name: 100 * pairs[name] for name in ("share", "other_share", "difference")}
    names = ["country", "other", "taken", "n", "share", "other_taken", "other_n", "other_share"]
    selection_events.table(
        pairs.assign(**texts, **per_cent)[[*names, "difference", "interval"]],
        key=selection_events.keyed("asymmetric_pairs", *chosen),
        chosen=selection_events.position(codes, chosen),
        on_pick=lambda row: on_pick(*(chosen if row is None else codes[row])),
        columns={
            "country": "country A",
            "other": "country B",
            "taken": st.column_config.NumberColumn("A → B", format="localized"),
            "n": st.column_config.NumberColumn("n of A", format="localized"),
            "share": st.column_config.NumberColumn("of A (%)", format="%.1f"),
            "other_taken": st.column_config.NumberColumn("B → A", format="localized"),
            "other_n": st.column_config.NumberColumn("n of B", format="localized"),
            "other_share": st.column_config.NumberColumn("of B (%)", format="%.1f"),
            "difference": st.column_config.NumberColumn("difference (pp)", format="%+.1f"),
            "interval": _INTERVAL,
        },
    )


def _points(frame: pd.DataFrame) -> list[str]:
    ends = zip(frame["low"], frame["high"], strict=True)
    return [formats.points_interval(low, high) for low, high in ends]


# Near and far


def nearness(mistakes: pd.DataFrame, against_chance: dict[str, Any] | None) -> None:
    """Draw how many mistakes go to a neighbour, to the same continent, and farther.

    Args:
        mistakes: As `analysis.mistakes_by_nearness`, with at least one mistake.
        against_chance: As `metrics.neighbours.neighbour_confusion`; None where chance is unknown.
    """
    text = _unknown_chance(mistakes) if against_chance is None else _chance_text(against_chance)
    html.draw(html.tag("p", text, css="sc-line"))
    rows = _segments(mistakes)
    vega.draw(
        _segment_layers(rows), key="nearness", alt_text=_nearness_text(rows), height=_BAR_HEIGHT
    )
    tables.draw(
        pd.DataFrame(
            {
                "nearness": mistakes["nearness"],
                "n": mistakes["n"],
                "share": 100 * mistakes["share"],
                "interval": share_bars.intervals(mistakes, "low", "high"),
                "mean_km": mistakes["mean_km"].round(),
            }
        ),
        key="nearness_table",
        column_config={
            "nearness": "taken for",
            "n": _WHOLE,
            "share": st.column_config.NumberColumn("of mistakes (%)", format="%.1f"),
            "interval": _INTERVAL,
            "mean_km": _KILOMETRES,
        },
    )


def _unknown_chance(mistakes: pd.DataFrame) -> str:
    near = mistakes["nearness"] == "neighbour"
    start = _to_neighbours(float(mistakes.loc[near, "share"].sum()), int(mistakes["n"].sum()))
    return (
        f"{start}. How many would by chance is unknown, as this run does not hold which countries "
        "it could predict; evaluate again to see it."
    )


def _to_neighbours(share: float, errors: int) -> str:
    number = formats.count(errors)
    return (
        f"{formats.share(share)} of {number} mistakes go to a country that borders on the true one"
    )


def _chance_text(found: dict[str, Any]) -> str:
    start = _to_neighbours(found["share"], found["errors"])
    if found["ratio"] is None:
        return f"{start}. Chance would send none there."
    times = f"{found['ratio']:.1f} times"
    ends = f"{found['low']:.1f}–{found['high']:.1f}"
    return (
        f"{start}. Chance would send {formats.share(found['expected_share'])} there: it is {times} "
        f"({ends}) as often as by chance."
    )


def _segments(mistakes: pd.DataFrame) -> pd.DataFrame:
    stops = (100 * mistakes["share"]).cumsum()
    names = list(mistakes["nearness"])
    return pd.DataFrame(
        {
            "name": names,
            "start": stops - 100 * mistakes["share"],
            "stop": stops,
            "share": [formats.share(share) for share in mistakes["share"]],
            "count": [formats.count(n) for n in mistakes["n"]],
            "interval": share_bars.intervals(mistakes, "low", "high"),
            "fill": [_NEARNESS_COLOURS[name][0] for name in names],
            "ink": [_NEARNESS_COLOURS[name][1] for name in names],
        }
    ).assign(middle=lambda rows: (rows["start"] + rows["stop"]) / 2)


def _segment_layers(rows: pd.DataFrame) -> list[Spec]:
    scale = {"domain": [0, 100], "nice": False}
    axis = {"values": share_bars.SHARE_TICKS, "grid": False}
    own = {"type": "nominal", "scale": None}
    bar = vega.layer(
        rows,
        "rect",
        mark={"stroke": None},
        x=vega.quantity("start", title="share of mistakes (%)", scale=scale, axis=axis),
        x2={"field": "stop"},
        y={"value": 0},
        y2={"value": "height"},
        color=None,
        fill={"field": "fill", **own},
        tooltip=vega.tooltip(
            ("name", "taken for"), ("count", "n"), ("share", "share"), ("interval", "95 % interval")
        ),
    )
    layers = [bar, _frame(rows)]
    for field, line in (("name", -8), ("share", 8)):
        fits = (
            f"(datum.stop - datum.start) / 100 * width > {_LETTER_PIXELS} * length(datum.{field})"
        )
        layers.append(
            vega.layer(
                rows,
                "text",
                mark={"baseline": "middle", "dy": line},
                x=vega.quantity("middle", scale=scale),
                y={"value": {"expr": "height / 2"}},
                text={"condition": {"test": fits, "field": field, "type": "nominal"}, "value": ""},
                color=None,
                fill={"field": "ink", **own},
            )
        )
    return layers


def _frame(rows: pd.DataFrame) -> Spec:
    """A hairline around the bar, in a colour that the axis shares."""
    return vega.layer(
        rows.head(1),
        "rect",
        mark={"filled": False, "strokeWidth": 0.5},
        x={"value": 0},
        x2={"value": "width"},
        y={"value": 0},
        y2={"value": "height"},
        color=vega.role("muted"),
    )


def _nearness_text(rows: pd.DataFrame) -> str:
    parts = zip(rows["name"], rows["share"], rows["count"], strict=True)
    words = ", ".join(f"{name} {share} ({count})" for name, share, count in parts)
    return f"Mistakes by what the true country is taken for: {words}."
