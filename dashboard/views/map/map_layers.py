"""Make the layers of the map: arcs, points, flows and hexagons, with their legends."""

import itertools
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pydeck as pdk
from pydeck.types import String

from dashboard.charts import deck_map, legends
from dashboard.charts.deck_map import Json, Positions
from dashboard.queries.run_queries import FLOWS
from dashboard.shell import formats, html, theme
from streetclip.geo import on_map
from streetclip.metrics.intervals import wilson_interval
from streetclip.results import great_circles

ENDS, DISTANCE, CONFIDENCE = "ends", "km", "confidence"
"""Colours of marks, by the URL's word."""
MEDIAN, ACCURACY, COUNT = "error", "accuracy", "n"
"""Colours of hexagons, by the URL's word."""

_MEASURES: Final = {DISTANCE: "distance_km", CONFIDENCE: "country_probability"}

_NEAREST_KM, _FARTHEST_KM = 100.0, 20_000.0
_SCALE: Final = np.log(_FARTHEST_KM / _NEAREST_KM)
_FEW_ARCS: Final = 400  # so many may have dots at their ends
# Of the most frequent flow, if it is of one image, and if it is of a thousand or more.
_WIDEST_PIXELS: Final = (3.0, float(theme.WIDEST_PIXELS))
_WIDTHS: Final = (1.0, 0.25, 0.01)  # of the most frequent flow, shown in the legend
_DARK, _PALE = 220, 130
_PIXELS: Final = String("pixels")
_FROM, _TO = "[x0, y0]", "[x1, y1]"
_ENDS_XY: Final = ["x0", "y0", "x1", "y1"]
_COORDINATES = [
    f"{end}_{axis}_deg" for end in ("true", "pred") for axis in ("latitude", "longitude")
]


class Drawn(NamedTuple):
    """Layers of the map, the lowest first, with what they show.

    `fitted`: positions in the first view; `num_images`: in the marks.
    """

    layers: Sequence[pdk.Layer]
    fitted: Positions
    legend: Sequence[html.Html]
    num_marks: int = 0
    num_images: int = 0


def arcs(rows: pd.DataFrame, colour: str) -> Drawn:
    """Draw great circles from true to predicted places.

    `rows`: `results.error_arcs`; `colour`: `ENDS` or one of `_MEASURES`.
    """
    marks = _marks(rows, colour)
    alpha = int(np.interp(len(rows), [50, 500, 2000], [220, 140, 90]))
    line, fitted = _great_circles("arcs", rows, marks, colour, alpha, get_width=1.6)
    layers = [line, *(_dots(marks) if len(rows) <= _FEW_ARCS else [])]
    return Drawn(layers, fitted, _colour_legend(colour), len(rows), len(rows))


def points(rows: pd.DataFrame, colour: str, where: str) -> Drawn:
    """Draw true or predicted places of `results.error_arcs`, coloured by one of `_MEASURES`."""
    is_true = where == "true"
    marks = _marks(rows, colour).drop(columns=["x1", "y1"] if is_true else ["x0", "y0"])
    layer = pdk.Layer(
        "ScatterplotLayer",
        Json(marks),
        id="points",
        pickable=True,
        get_position=_FROM if is_true else _TO,
        get_fill_color="[r, g, b, 190]",
        get_radius=3.5,
        radius_units=_PIXELS,
    )
    end = "0" if is_true else "1"
    fitted = marks[f"x{end}"].to_numpy(np.float64), marks[f"y{end}"].to_numpy(np.float64)
    return Drawn([layer], fitted, _colour_legend(colour), len(rows), len(rows))


def flows(rows: pd.DataFrame, colour: str) -> Drawn:
    """Draw great circles between countries, wider for more images.

    `rows`: `results.flows`; `colour`: `ENDS` or one of `_MEASURES`.
    """
    known = rows.dropna(subset=_COORDINATES)[::-1]  # the widest on top
    if known.empty:
        return Drawn([], deck_map.NOWHERE, [])
    most = int(known["n"].max())
    marks = _marks(known, colour, "mean ")
    images = [formats.images(n) for n in known["n"]]
    marks = marks.assign(
        detail=[f"{n} · {detail}" for n, detail in zip(images, marks["detail"], strict=True)],
        true=known["true_country"].to_numpy(),
        predicted=known["pred_country"].to_numpy(),
        w=_widths(known["n"], most),
    )
    # Widths of the legend: those of the most frequent flow, of a quarter and of a hundredth.
    numbers = dict.fromkeys(max(1, round(share * most)) for share in _WIDTHS)
    legend = _colour_legend(colour, "mean ")
    for n, width in zip(numbers, _widths(np.array([*numbers]), most), strict=True):
        legend.append(legends.key(f"sc-width-{max(1, round(width))}", formats.images(n)))
    layer, fitted = _great_circles(
        FLOWS, known, marks, colour, 190, get_width="w", width_min_pixels=1
    )
    return Drawn([layer], fitted, legend, len(known), int(known["n"].sum()))


def hexagons(rows: pd.DataFrame, colour: str) -> Drawn:
    """Colour `results.hexagon_counts` by a word of `_OF_HEXAGONS`."""
    shares, details, legend = _hexagon_values(rows, colour)
    is_few = (rows["n"] < theme.SMALL_N) & (colour != COUNT)
    marks = rows[["cell", "outline"]].assign(
        **_rgb(deck_map.colours(shares)),
        a=np.where(is_few, _PALE, _DARK),
        title=[formats.images(n) for n in rows["n"]],
        detail=details,
    )
    layer = pdk.Layer(
        "PolygonLayer",
        Json(marks),
        id="hexagons",
        pickable=True,
        get_polygon="outline",
        get_fill_color="[r, g, b, a]",
        get_line_color="[r, g, b]",
        get_line_width=1,
        line_width_units=_PIXELS,
    )
    legends_shown = [legend, legends.few_key()] if is_few.any() else [legend]
    corners = np.array(rows["outline"].tolist(), dtype=np.float64).reshape(-1, 2)
    return Drawn(
        [layer], (corners[:, 0], corners[:, 1]), legends_shown, len(rows), int(rows["n"].sum())
    )


def _hexagon_values(
    rows: pd.DataFrame, colour: str
) -> tuple[npt.NDArray[np.float64], list[str], html.Html]:
    """Scale a measure of hexagons to [0, 1], write it for tooltips, and explain its colours."""
    n = rows["n"].to_numpy(np.float64)
    if colour == COUNT:
        most = max(2.0, n.max(initial=0.0))
        legend = legends.ramp("images, log scale", "sequential", "1", formats.count(most))
        return np.log(n) / np.log(most), [""] * len(rows), legend
    if colour == ACCURACY:
        correct = rows["country_correct"].to_numpy()
        bounds = zip(*wilson_interval(correct, n), strict=True)
        details = [
            f"country accuracy {formats.share(share)} ({formats.interval(*pair)})"
            for share, pair in zip(correct / n, bounds, strict=True)
        ]
        return correct / n, details, legends.ramp("country accuracy", "sequential", "0 %", "100 %")
    medians = rows["median_km"].to_numpy(np.float64)
    details = [f"median error {formats.kilometres(each)}" for each in medians]
    return share_of(medians, DISTANCE), details, _distance_ramp("median error")


def picked(row: pd.DataFrame) -> list[pdk.Layer]:
    """Draw the picked image, one row of `results.error_arcs`."""
    marks = _marks(row, ENDS)
    line, _ = _great_circles("picked", row, marks, ENDS, 255, get_width=4)
    return [line, *_dots(marks, "picked_", radius=6)]


def share_of(values: npt.NDArray[Any], colour: str) -> npt.NDArray[Any]:
    """Scale a measure to [0, 1]: confidence unchanged, distances by their log.

    Examples:
        >>> share_of(np.array([100.0, 2000.0, 20000.0]), "km").round(2).tolist()
        [0.0, 0.57, 1.0]
    """
    if colour == CONFIDENCE:
        return values
    with np.errstate(divide="ignore"):
        return np.log(values / _NEAREST_KM) / _SCALE


def _colour_legend(colour: str, mean: str = "") -> list[html.Html]:
    """Explain the scale of a measure, or the two ends."""
    if colour == ENDS:
        keys = {"sc-key-truth": "true place", "sc-key-prediction": "predicted place"}
        return [legends.key(*each) for each in keys.items()]
    if colour == CONFIDENCE:
        return [legends.ramp(f"{mean}confidence", "sequential", "0 %", "100 %")]
    return [_distance_ramp(f"{mean}distance")]


def _distance_ramp(title: str) -> html.Html:
    bounds = (formats.kilometres(each) for each in (_NEAREST_KM, _FARTHEST_KM))
    return legends.ramp(f"{title}, log scale", "sequential", *bounds)


def _widths(n: Any, most: int) -> npt.NDArray[np.float64]:
    """Compute pixels of flows, proportional to the square root of their images."""
    least, widest = _WIDEST_PIXELS
    scale = least + (widest - least) * min(1.0, np.log10(most) / 3)
    return scale * np.sqrt(np.asarray(n) / most)


def _marks(rows: pd.DataFrame, colour: str, mean: str = "") -> pd.DataFrame:
    """Make the columns of every line and dot."""
    codes = [*rows["true_country"].unique(), *rows["pred_country"].unique()]
    names = {code: formats.country(code) for code in codes}
    pairs = zip(rows["true_country"], rows["pred_country"], strict=True)
    numbers = zip(rows["distance_km"], rows["country_probability"], strict=True)
    true_lat, true_lon, pred_lat, pred_lon = (rows[name].to_numpy() for name in _COORDINATES)
    positions = (*on_map(true_lat, true_lon), *on_map(pred_lat, pred_lon))
    columns: dict[str, Any] = dict(zip(_ENDS_XY, positions, strict=True)) | {
        "title": [f"{names[true]} → {names[predicted]}" for true, predicted in pairs],
        "detail": [
            f"{mean}{formats.kilometres(km)} · {mean}confidence {formats.share(sure)}"
            for km, sure in numbers
        ],
    }
    if "image_id" in rows:
        columns["id"] = rows["image_id"].to_numpy()
    return pd.DataFrame(columns | _colours(rows.get(_MEASURES.get(colour)), colour))


def _colours(values: "pd.Series[float] | None", colour: str) -> dict[str, Any]:
    """Compute red, green and blue of a measure; nothing for `ENDS`."""
    if values is None:
        return {}
    return _rgb(deck_map.colours(share_of(values.to_numpy(dtype=np.float64), colour)))


def _rgb(colours_N3: npt.NDArray[np.int64]) -> dict[str, Any]:
    return dict(zip("rgb", colours_N3.T, strict=True))


def _great_circles(
    name: str, ends: pd.DataFrame, marks: pd.DataFrame, colour: str, alpha: int, **settings: Any
) -> tuple[pdk.Layer, Positions]:
    """Layer the ways between the places of `ends`, whose marks these are, in the same order.

    By `ENDS`, each half has the colour of its end.
    """
    pieces = great_circles(ends, halves=colour == ENDS)
    lines = marks.drop(columns=_ENDS_XY).iloc[pieces["arc"]].reset_index(drop=True)
    if colour == ENDS:
        of_ends = np.array(
            [deck_map.rgba(each, alpha)[:3] for each in (theme.CORRECT, theme.WRONG)]
        )
        lines = lines.assign(**_rgb(of_ends[pieces["half"]]))
    layer = pdk.Layer(
        "PathLayer",
        Json(lines.assign(path=pieces["path"])),
        id=name,
        pickable=True,
        get_path="path",
        position_format=String("XY"),
        get_color=f"[r, g, b, {alpha}]",
        width_units=_PIXELS,
        joint_rounded=True,
        **settings,
    )
    points = np.array([*itertools.chain.from_iterable(pieces["path"])]).reshape(-1, 2)
    return layer, (points[:, 0], points[:, 1])


def _dots(marks: pd.DataFrame, prefix: str = "", radius: float = 3) -> list[pdk.Layer]:
    return [
        pdk.Layer(
            "ScatterplotLayer",
            Json(marks),
            id=f"{prefix}{name}",
            pickable=True,
            get_position=at,
            get_fill_color=deck_map.rgba(colour, 230),
            get_radius=radius,
            radius_units=_PIXELS,
        )
        for name, at, colour in (
            ("truths", _FROM, theme.CORRECT),
            ("predictions", _TO, theme.WRONG),
        )
    ]
