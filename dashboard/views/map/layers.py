"""Make the layers and legends of the map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pydeck as pdk
from pydeck.types import String

from dashboard.charts import deck_map, legends
from dashboard.charts.deck_json import Json
from dashboard.shell import formats, html, theme

Places = tuple[npt.NDArray[Any], npt.NDArray[Any]]

ENDS, DISTANCE, CONFIDENCE = "ends", "km", "confidence"
"""Colours of marks, by the URL's word."""

FLOW_LAYER: Final = "flows"
"""Layer of flows; a click gives the `true` and `predicted` country."""

MEASURES: Final[Mapping[str, str]] = {
    DISTANCE: "distance_km",
    CONFIDENCE: "country_probability",
}
"""Columns of the measures."""

_NEAREST_KM, _FARTHEST_KM = 100.0, 20_000.0
_SCALE: Final = np.log(_FARTHEST_KM / _NEAREST_KM)
_FEW_ARCS: Final = 400  # so many may have dots at their ends
# Of the most frequent flow, if it is of one image, and if it is of a thousand or more.
_WIDEST_PIXELS: Final = (3.0, float(theme.WIDEST_PIXELS))
_WIDTHS: Final = (1.0, 0.25, 0.01)  # of the most frequent flow, shown in the legend
_DARK, _PALE = 220, 130
_PIXELS: Final = String("pixels")
_FROM, _TO = "[x0, y0]", "[x1, y1]"
_COORDINATES = [
    f"{end}_{axis}_deg" for end in ("true", "pred") for axis in ("latitude", "longitude")
]


@dataclass(frozen=True)
class Drawn:
    """Layers of the map, the lowest first, with what they show.

    `fitted`: latitudes and longitudes in the first view; `num_in`: images in the marks.
    """

    layers: Sequence[pdk.Layer]
    fitted: Places
    legend: Sequence[html.Html]
    num_marks: int = 0
    num_in: int = 0


def arcs(rows: pd.DataFrame, colour: str) -> Drawn:
    """Draw great circles from true to predicted places.

    `rows`: `results.error_arcs`; `colour`: `ENDS` or one of `MEASURES`.
    """
    marks = _marks(rows, colour)
    alpha = int(np.interp(len(rows), [50, 500, 2000], [220, 140, 90]))
    layers = [_great_circles("arcs", marks, colour, alpha, get_width=1.6)]
    if len(rows) <= _FEW_ARCS:
        layers += _dots(marks)
    return Drawn(layers, _fitted(rows), _colour_legend(colour), len(rows), len(rows))


def points(rows: pd.DataFrame, colour: str, where: str) -> Drawn:
    """Draw true or predicted places of `results.error_arcs`, coloured by one of `MEASURES`."""
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
    return Drawn(
        [layer],
        _fitted(rows, ["true" if is_true else "pred"]),
        _colour_legend(colour),
        len(rows),
        len(rows),
    )


def flows(rows: pd.DataFrame, colour: str) -> Drawn:
    """Draw great circles between countries, wider for more images.

    `rows`: `map_data.flows`; `colour`: `ENDS` or one of `MEASURES`.
    """
    known = rows.dropna(subset=_COORDINATES)[::-1]  # the widest on top
    if known.empty:
        return Drawn([], (np.empty(0), np.empty(0)), [])
    most = int(known["n"].max())
    marks = _marks(known.rename(columns={"mean_km": "distance_km"}), colour, "mean ")
    images = [images_text(n) for n in known["n"]]
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
        legend.append(legends.key(f"sc-width-{max(1, round(width))}", images_text(n)))
    layer = _great_circles(FLOW_LAYER, marks, colour, 190, get_width="w", width_min_pixels=1)
    return Drawn([layer], _fitted(known), legend, len(known), int(known["n"].sum()))


def hexagons(rows: pd.DataFrame, colour: str) -> Drawn:
    """Colour `map_data.Hexagons` by the mean of one of `MEASURES`."""
    is_few = rows["n"] < theme.SMALL_N
    words = formats.kilometres if colour == DISTANCE else formats.share
    name = "distance" if colour == DISTANCE else "confidence"
    marks = rows[["cell", "outline"]].assign(
        **_colours(rows["mean"], colour),
        a=np.where(is_few, _PALE, _DARK),
        title=[images_text(n) for n in rows["n"]],
        detail=[f"mean {name} {words(mean)}" for mean in rows["mean"]],
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
    centres = (rows["latitude_deg"].to_numpy(), rows["longitude_deg"].to_numpy())
    legend = _colour_legend(colour, "mean ") + ([legends.few_key()] if is_few.any() else [])
    return Drawn([layer], centres, legend, len(rows), int(rows["n"].sum()))


def picked(row: pd.DataFrame) -> list[pdk.Layer]:
    """Draw the picked image, one row of `results.error_arcs`."""
    marks = _marks(row, ENDS)
    line = _great_circles("picked", marks, ENDS, 255, get_width=4)
    return [line, *_dots(marks, "picked_", radius=6)]


def share_of(values: npt.NDArray[np.float64], colour: str) -> npt.NDArray[np.float64]:
    """Scale a measure to [0, 1]: confidence unchanged, distances by their log.

    Examples:
        >>> share_of(np.array([100.0, 2000.0, 20000.0]), "km").round(2).tolist()
        [0.0, 0.57, 1.0]
    """
    if colour == CONFIDENCE:
        return values
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(values / _NEAREST_KM) / _SCALE, dtype=np.float64)


def _colour_legend(colour: str, mean: str = "") -> list[html.Html]:
    """Explain the scale of a measure, or the two ends."""
    if colour == ENDS:
        return [
            legends.key("sc-key-truth", "true place"),
            legends.key("sc-key-prediction", "predicted place"),
        ]
    if colour == CONFIDENCE:
        return [legends.ramp(f"{mean}confidence", "sequential", "0 %", "100 %")]
    bounds = (formats.kilometres(each) for each in (_NEAREST_KM, _FARTHEST_KM))
    return [legends.ramp(f"{mean}distance, log scale", "sequential", *bounds)]


def _widths(n: Any, most: int) -> npt.NDArray[np.float64]:
    """Compute pixels of flows, proportional to the square root of their images."""
    least, widest = _WIDEST_PIXELS
    scale = least + (widest - least) * min(1.0, np.log10(most) / 3)
    widths: npt.NDArray[np.float64] = scale * np.sqrt(np.asarray(n) / most)
    return widths


def _fitted(rows: pd.DataFrame, ends: Sequence[str] = ("true", "pred")) -> Places:
    """Join the places of images or flows."""
    latitude_deg, longitude_deg = (
        np.concatenate([rows[f"{end}_{axis}_deg"].to_numpy() for end in ends])
        for axis in ("latitude", "longitude")
    )
    return latitude_deg, longitude_deg


def _marks(rows: pd.DataFrame, colour: str, mean: str = "") -> pd.DataFrame:
    """Make the columns of every line and dot."""
    codes = [*rows["true_country"].unique(), *rows["pred_country"].unique()]
    names = {code: formats.country(code) for code in codes}
    pairs = zip(rows["true_country"], rows["pred_country"], strict=True)
    numbers = zip(rows["distance_km"], rows["country_probability"], strict=True)
    columns = {
        "x0": rows["true_longitude_deg"].to_numpy(),
        "y0": rows["true_latitude_deg"].to_numpy(),
        "x1": rows["pred_longitude_deg"].to_numpy(),
        "y1": rows["pred_latitude_deg"].to_numpy(),
        "title": [f"{names[true]} → {names[predicted]}" for true, predicted in pairs],
        "detail": [
            f"{mean}{formats.kilometres(km)} · {mean}confidence {formats.share(sure)}"
            for km, sure in numbers
        ],
    }
    if "image_id" in rows:
        columns["id"] = rows["image_id"].to_numpy()
    return pd.DataFrame(columns | _colours(rows.get(MEASURES.get(colour)), colour))


def _colours(values: "pd.Series[float] | None", colour: str) -> dict[str, Any]:
    """Compute red, green and blue of a measure; nothing for `ENDS`."""
    if values is None:
        return {}
    rgb = deck_map.colours(share_of(values.to_numpy(dtype=np.float64), colour))
    return dict(zip("rgb", rgb.T, strict=True))


def _great_circles(
    name: str, marks: pd.DataFrame, colour: str, alpha: int, **settings: Any
) -> pdk.Layer:
    ends: Any = (deck_map.rgba(each, alpha) for each in (theme.CORRECT, theme.WRONG))
    source, target = ends if colour == ENDS else [f"[r, g, b, {alpha}]"] * 2
    return pdk.Layer(
        "GreatCircleLayer",
        Json(marks),
        id=name,
        pickable=True,
        get_source_position=_FROM,
        get_target_position=_TO,
        get_source_color=source,
        get_target_color=target,
        wrap_longitude=True,
        width_units=_PIXELS,
        **settings,
    )


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


def images_text(n: int) -> str:
    """Write a number of images."""
    return f"{formats.count(n)} {'image' if n == 1 else 'images'}"
