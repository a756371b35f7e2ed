"""A confusion matrix that can be read and clicked: rows are the truth, columns the prediction."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from dashboard.charts import legends, selection_events, share_bars, vega
from dashboard.charts.vega import Spec
from dashboard.shell import formats, theme
from streetclip.metrics.intervals import wilson_interval
from streetclip.results import OTHER, ConfusionMatrix

NORMS: Mapping[str, str] = MappingProxyType(
    {"row": "share of true", "column": "share of predicted", "count": "count"}
)
"""What the colour of a cell can say, by the URL's word."""

_PHONE_PIXELS = 700
_MOST_PHONE_LABELS = 24  # side by side
_LABEL_PIXELS = 110
_AXIS_PIXELS = 130  # of the labels above the matrix
_CELL_PIXELS = ((12, 36), (24, 25), (34, 20), (10**9, 16))  # at most so many rows: pixels of one
_MOST_TEXT_PIXELS = 6.4  # of a digit in a cell
_DARKEST = 0.2  # luminance up to which white is read better than black


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """What a matrix shows.

    Attributes:
        cells: One row a cell that is not empty: true, predicted, n, row_n and column_n (all images
            of its row and of its column), mean_km (NaN where unknown).
        rows: True classes from top to bottom.
        columns: Predicted classes from left to right.
        names: What a class is called; a class that is missing is shown as it is.
        short: Its name where there is little room.
        groups: Class → the continent it belongs to; neighbours of one group are kept together.
        closed: Classes of which no images can be shown, as "(other)".
    """

    cells: pd.DataFrame
    rows: Sequence[str]
    columns: Sequence[str]
    names: Mapping[str, str]
    short: Mapping[str, str]
    groups: Mapping[str, str]
    closed: frozenset[str] = frozenset({OTHER})

    def name(self, label: str) -> str:
        """What a class is called."""
        return self.names.get(label, label)

    @classmethod
    def of(
        cls, confusion: ConfusionMatrix, groups: Mapping[str, str], *, is_square: bool = True
    ) -> "Matrix":
        """Arrange what was counted: only rows with images, `OTHER` and nothing predicted last.

        Args:
            confusion: Of countries or of continents.
            groups: ISO code → continent.
            is_square: Whether a class has a column even if it was never predicted.
        """
        cells = confusion.cells.astype({"true": object, "predicted": object})  # quicker to read
        true, predicted = set(cells["true"]), set(cells["predicted"])
        labels = [label for label in dict.fromkeys(confusion.labels) if label != OTHER]
        rest = [label for label in (OTHER, "") if label in predicted]
        listed = {label: formats.country(label) for label in labels if label in groups}
        kept = true | predicted if is_square else predicted
        return cls(
            cells=cells.assign(mean_km=cells["distance_km_sum"] / cells["num_distances"]),
            rows=[label for label in (*labels, OTHER) if label in true],
            columns=[label for label in labels if label in kept] + rest,
            names={"": formats.country("")} | listed,
            short={"": "none", OTHER: "other"} | {label: label for label in listed},
            groups=groups,
        )


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a matrix is drawn.

    Attributes:
        norm: One of `NORMS`.
        is_diagonal_coloured: Whether right answers share the colours of the mistakes.
        chosen: The row and the column that are outlined, None for each that is not.
        unit: What a class is, as "country".
    """

    norm: str
    is_diagonal_coloured: bool
    chosen: tuple[str | None, str | None]
    unit: str


def draw(matrix: Matrix, style: Style, *, key: str, on_pick: Callable[[str, str], None]) -> None:
    """Draw a matrix with its legend.

    Args:
        matrix: What it shows.
        style: How.
        key: Unique on the page.
        on_pick: Called with the true and the predicted class of a cell that is clicked.
    """
    cells = _texts(matrix, style)
    ends = _colour_ends(cells, style)
    chart_key = selection_events.keyed(key, *style.chosen)
    pairs = set(zip(cells["true"], cells["predicted"], strict=True))

    def pick() -> None:
        clicked = selection_events.clicked_mark(chart_key) or {}
        cell = (clicked.get("true"), clicked.get("predicted"))
        if cell in pairs and matrix.closed.isdisjoint(cell):
            on_pick(*cell)

    vega.draw(
        _layers(matrix, cells, style, ends),
        key=chart_key,
        alt_text=_alt_text(matrix),
        height=_height(len(matrix.rows)),
        on_select=pick,
    )
    _legend(matrix, style, ends)


def with_shares(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells with value, low and high: their share of the row, with Wilson 95 %."""
    low, high = wilson_interval(cells["n"], cells["row_n"])
    return cells.assign(value=cells["n"] / cells["row_n"], low=low, high=high)


def _texts(matrix: Matrix, style: Style) -> pd.DataFrame:
    """Cells with what colour, text and tooltip say."""
    cells = with_shares(matrix.cells)
    is_right = cells["true"] == cells["predicted"]
    is_rolled = cells["true"].isin(matrix.closed) | cells["predicted"].isin(matrix.closed)
    of_column = cells["n"] / cells["column_n"]
    shown = {"row": 100 * cells["value"], "column": 100 * of_column, "count": cells["n"]}[
        style.norm
    ]
    write = _count_text if style.norm == "count" else _share_text
    rows = pd.DataFrame(
        {
            "true": cells["true"],
            "predicted": cells["predicted"],
            "shown": shown.astype("float64"),
            "apart": is_rolled | (is_right & (not style.is_diagonal_coloured)),
            "right": is_right,
            "text": [write(value) for value in shown],
            "true_name": [matrix.name(label) for label in cells["true"]],
            "predicted_name": [matrix.name(label) for label in cells["predicted"]],
            "n_label": [
                f"{formats.count(n)} of {formats.count(row_n)}"
                for n, row_n in zip(cells["n"], cells["row_n"], strict=True)
            ],
            "label": [formats.share(value) for value in cells["value"]],
            "interval": share_bars.intervals(cells, "low", "high"),
            "column_label": [formats.share(value) for value in of_column],
            "km_label": [formats.kilometres(km) for km in cells["mean_km"]],
        }
    )
    parts = rows[["true_name", "predicted_name", "n_label", "label"]].itertuples(index=False)
    return rows.assign(
        words=[f"{true} taken for {said}: {n}, {share}" for true, said, n, share in parts]
    )


def _share_text(per_cent: float) -> str:
    rounded = int(per_cent + 0.5)
    return str(rounded) if rounded else ""


def _count_text(n: float) -> str:
    for limit, unit in ((1_000_000, "M"), (1_000, "k")):
        if n >= limit:
            return f"{n / limit:.0f}{unit}" if n >= 10 * limit else f"{n / limit:.1f}{unit}"
    return f"{n:.0f}"


def _colour_ends(cells: pd.DataFrame, style: Style) -> tuple[float, float]:
    """The values that get the first and the last colour."""
    counted = cells.loc[~cells["apart"] & (cells["predicted"] != ""), "shown"]
    most = float(counted.max()) if len(counted) else 1.0
    return 0.0, max(most, 1.0 if style.norm == "count" else 0.1)


def _height(num_rows: int) -> int:
    pixels = next(pixels for most, pixels in _CELL_PIXELS if num_rows <= most)
    return _AXIS_PIXELS + pixels * num_rows


# The layers


def _layers(
    matrix: Matrix, cells: pd.DataFrame, style: Style, ends: tuple[float, float]
) -> list[Spec]:
    x, y = _axes(matrix, style.unit)
    layers = [_ground(), _cells(cells, style, ends, x, y)]
    layers += _borders(matrix, x, y)
    return [*layers, _cell_texts(cells, x, y), *_outline(matrix, style, x, y)]


def _axes(matrix: Matrix, unit: str) -> tuple[Spec, Spec]:
    """Classes in order, with short names where there is little room."""
    gap = {"paddingInner": 0.06, "paddingOuter": 0}
    x = vega.name(
        "predicted",
        title=f"predicted {unit}",
        scale={"domain": list(matrix.columns), **gap},
        axis=_axis(matrix, matrix.columns, is_narrow=True) | {"orient": "top", "labelAngle": -90},
    )
    y = vega.name(
        "true",
        title=f"true {unit}",
        scale={"domain": list(matrix.rows), **gap},
        axis=_axis(matrix, matrix.rows, is_narrow=False),
    )
    return x, y


def _axis(matrix: Matrix, labels: Sequence[str], *, is_narrow: bool) -> Spec:
    long = json.dumps({label: matrix.name(label) for label in labels})
    every = 2 if is_narrow and len(labels) > _MOST_PHONE_LABELS else 1
    short = json.dumps(
        {
            label: "" if position % every else matrix.short.get(label, matrix.name(label))
            for position, label in enumerate(labels)
        }
    )
    return {
        "labelExpr": f"windowSize()[0] < {_PHONE_PIXELS} ? {short}[datum.value]"
        f" : {long}[datum.value]",
        "labelLimit": _LABEL_PIXELS,
        "labelOverlap": False,
        "ticks": False,
        "domain": False,
        "grid": False,
        "labelFlush": False,
    }


def _ground() -> Spec:
    """Behind everything: an empty cell has the colour of 0."""
    return vega.layer(
        pd.DataFrame({"ground": [0]}),
        "rect",
        mark={"stroke": None, "fill": theme.SEQUENTIAL[0]},
        x={"value": 0},
        x2={"value": "width"},
        y={"value": 0},
        y2={"value": "height"},
        color=vega.role("muted"),
    )


def _cells(cells: pd.DataFrame, style: Style, ends: tuple[float, float], x: Spec, y: Spec) -> Spec:
    scale: Spec = {"domain": list(ends), "range": list(theme.SEQUENTIAL), "clamp": True}
    if style.norm == "count":
        scale["type"] = "symlog"
    apart = {"test": "datum.apart", "value": theme.APART}
    rect = vega.layer(
        cells,
        "rect",
        mark={"cursor": "pointer", "strokeWidth": 1.5},
        x=x,
        y=y,
        color=None,
        fill=vega.quantity("shown", scale=scale, legend=None) | {"condition": apart},
        stroke={
            "condition": {"test": "datum.right && !datum.apart", "value": "#ffffff"},
            "value": None,
        },
        description=vega.words("words"),
        tooltip=vega.tooltip(
            ("true_name", f"true {style.unit}"),
            ("predicted_name", f"predicted {style.unit}"),
            ("n_label", "n"),
            ("label", "share of true"),
            ("interval", "95 % interval"),
            ("column_label", "share of predicted"),
            ("km_label", "mean distance"),
        ),
    )
    return rect | {"params": selection_events.mark("true", "predicted")}


def _cell_texts(cells: pd.DataFrame, x: Spec, y: Spec) -> Spec:
    fits = f"bandwidth('x') >= {_MOST_TEXT_PIXELS} * length(datum.text) + 3 && bandwidth('y') >= 12"
    readable = f"luminance(scale('fill', datum.shown)) > {_DARKEST} ? '#000000' : '#ffffff'"
    return vega.layer(
        cells,
        "text",
        mark={"fontSize": 11, "baseline": "middle"},
        x=x,
        y=y,
        text={"condition": {"test": fits, "field": "text", "type": "nominal"}, "value": ""},
        color=None,
        fill={
            "condition": {"test": "datum.apart", "value": "#ffffff"},
            "value": {"expr": readable},
        },
    )


def _borders(matrix: Matrix, x: Spec, y: Spec) -> list[Spec]:
    """Lines where one continent ends and the next begins."""
    layers = []
    for field, labels, axis in (("true", matrix.rows, y), ("predicted", matrix.columns, x)):
        first = _first_of_groups(labels, matrix.groups)
        if not first:
            continue
        channel = "y" if field == "true" else "x"
        at: dict[str, Any] = {channel: axis | {"bandPosition": 0}}
        rows = pd.DataFrame({field: first})
        layers.append(
            vega.layer(
                rows, "rule", mark={"strokeWidth": 1, "stroke": "#ffffff", "opacity": 0.6}, **at
            )
        )
    return layers


def _first_of_groups(labels: Sequence[str], groups: Mapping[str, str]) -> list[str]:
    """The labels at which a new group begins, if each group stands together."""
    of = [groups.get(label, label) for label in labels]
    changes = [i for i in range(1, len(of)) if of[i] != of[i - 1]]
    stands_together = len(changes) + 1 == len(set(of))
    return [labels[i] for i in changes] if stands_together and len(changes) + 1 < len(of) else []


def _outline(matrix: Matrix, style: Style, x: Spec, y: Spec) -> list[Spec]:
    """A frame around the chosen cell, or the chosen row or column."""
    true, predicted = style.chosen
    places: dict[str, Any] = {}
    if true in matrix.rows:
        places["y"] = y
    if predicted in matrix.columns:
        places["x"] = x
    wanted = [each for each in style.chosen if each is not None]
    if not wanted or len(places) < len(wanted):
        return []
    whole = {"x": ({"value": 0}, {"value": "width"}), "y": ({"value": 0}, {"value": "height"})}
    for channel in {"x", "y"} - set(places):
        places[channel], places[f"{channel}2"] = whole[channel]
    frame = {"filled": False, "strokeWidth": 3, "opacity": 1}
    rows = pd.DataFrame({"true": [true], "predicted": [predicted]})
    return [vega.layer(rows, "rect", mark=frame, color=vega.role("wrong"), **places)]


# Words


def _legend(matrix: Matrix, style: Style, ends: tuple[float, float]) -> None:
    if style.norm == "count":
        title, words = "images (log scale)", tuple(formats.count(end) for end in ends)
    else:
        title = f"{NORMS[style.norm]} {style.unit}"
        words = tuple(formats.share(end / 100) for end in ends)
    parts = [legends.ramp(title, "sequential", *words)]
    apart = [] if style.is_diagonal_coloured else ["right answers"]
    apart += sorted(matrix.closed.intersection((*matrix.rows, *matrix.columns)))
    if apart:
        parts.append(legends.key("sc-key-apart", " and ".join(apart)))
    legends.draw(parts)


def _alt_text(matrix: Matrix) -> str:
    wrong = matrix.cells[matrix.cells["true"] != matrix.cells["predicted"]]
    most = with_shares(wrong).sort_values("n", ascending=False, kind="stable").head(3)
    parts = [
        f"{matrix.name(true)} taken for {matrix.name(predicted)} {formats.count(n)} times"
        for true, predicted, n in zip(most["true"], most["predicted"], most["n"], strict=True)
    ]
    size = f"{len(matrix.rows)} true by {len(matrix.columns)} predicted"
    return f"Confusion matrix, {size}. Most frequent mistakes: {'; '.join(parts) or 'none'}."
