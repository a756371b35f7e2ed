"""The layers of the map from frames of images, flows and hexagons, each with its legend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from dashboard.charts import deck_map, legends
from dashboard.charts.deck_map import Layer
from dashboard.shell import formats, html, theme

Places = tuple[npt.NDArray[Any], npt.NDArray[Any]]

ENDS, DISTANCE, CONFIDENCE = "ends", "km", "confidence"
"""What marks are coloured by, in the URL's words."""

FLOW_LAYER: Final = "flows"
"""The layer of flows; a click on one gives its `true` and `predicted` country."""

MEASURES: Final[Mapping[str, str]] = MappingProxyType(
    {DISTANCE: "distance_km", CONFIDENCE: "country_probability"}
)
"""The column behind each measure."""

_NEAREST_KM, _FARTHEST_KM = 100.0, 20_000.0
_SCALE: Final = np.log(_FARTHEST_KM / _NEAREST_KM)
_FEW_ARCS: Final = 400  # so many may have dots at their ends
# Of the most frequent flow, if it is of one image, and if it is of a thousand or more.
_WIDEST_PIXELS: Final = (3.0, float(theme.WIDEST_PIXELS))
_WIDTHS: Final = (1.0, 0.25, 0.01)  # of the most frequent flow, shown in the legend
_DARK, _PALE = 220, 130
_FULL: Final = 255
_PIXELS: Final = MappingProxyType({"radiusUnits": "pixels", "widthUnits": "pixels"})
_FROM, _TO = "@@=[x0, y0]", "@@=[x1, y1]"


@dataclass(frozen=True)
class Drawn:
    """What a form of the map consists of.

    Attributes:
        layers: The lowest first.
        fitted: Latitudes and longitudes that the view starts at.
        legend: What colours and sizes say.
        num_marks: Arcs, points, hexagons or flows.
        num_in: Images in them.
    """

    layers: Sequence[Layer]
    fitted: Sequence[Places]
    legend: Sequence[html.Html]
    num_marks: int = 0
    num_in: int = 0


def arcs(rows: pd.DataFrame, colour: str) -> Drawn:
    """Great circles from the true to the predicted places, with dots at the ends of a few.

    Args:
        rows: As `analysis.ends`.
        colour: `ENDS` or one of `MEASURES`.
    """
    drawn = _ends(rows) | _measured(rows, colour)
    alpha = int(np.interp(len(rows), [50, 500, 2000], [220, 140, 90]))
    settings = _line_colours(colour, alpha) | {"getWidth": 1.6, **_PIXELS}
    frame = pd.DataFrame(drawn)
    dots = _dots(frame) if len(rows) <= _FEW_ARCS else []
    layers = [_great_circles("arcs", frame, settings), *dots]
    return Drawn(layers, _fitted(rows), _colour_legend(colour), len(rows), len(rows))


def points(rows: pd.DataFrame, colour: str, where: str) -> Drawn:
    """Dots at the true or at the predicted places.

    Args:
        rows: As `analysis.ends`.
        colour: One of `MEASURES`.
        where: "true" or "predicted".
    """
    drawn = pd.DataFrame(_ends(rows) | _measured(rows, colour))
    is_true = where == "true"
    drawn = drawn.drop(columns=["x1", "y1"] if is_true else ["x0", "y0"])  # half of 2 MB
    settings = {
        "getPosition": _FROM if is_true else _TO,
        "getFillColor": "@@=[r, g, b, 190]",
        "getRadius": 3.5,
    }
    layer = Layer("points", "ScatterplotLayer", drawn, {**settings, **_PIXELS})
    legend = _colour_legend(colour)
    return Drawn([layer], _fitted(rows, [where]), legend, len(rows), len(rows))


def flows(rows: pd.DataFrame, colour: str) -> Drawn:
    """Great circles between countries, as wide as the square root of their images.

    Args:
        rows: As `mapping.flows`.
        colour: `ENDS` or one of `MEASURES`.
    """
    known = rows.dropna(subset=_COORDINATES)[::-1]  # the widest on top
    if known.empty:
        return Drawn([], [], [])
    named = known.rename(columns={"mean_km": "distance_km"})
    drawn = _ends(named, "mean ") | _measured(named, colour)
    images = [f"{formats.count(n)} {_images(n)}" for n in known["n"]]
    details = [f"{n} · {detail}" for n, detail in zip(images, drawn["detail"], strict=True)]
    most = int(known["n"].max())
    codes = {"true": known["true_country"], "predicted": known["pred_country"]}
    frame = pd.DataFrame(drawn | codes | {"detail": details, "w": _widths(known["n"], most)})
    settings = {**_line_colours(colour, 190), "getWidth": "@@=w", "widthMinPixels": 1, **_PIXELS}
    legend = [*_colour_legend(colour, "mean "), *_width_legend(most)]
    layer = _great_circles(FLOW_LAYER, frame, settings)
    return Drawn([layer], _fitted(known), legend, len(known), int(known["n"].sum()))


def hexagons(rows: pd.DataFrame, colour: str) -> Drawn:
    """Hexagons by their mean; those of few images are pale.

    Args:
        rows: As `mapping.Hexagons`.
        colour: One of `MEASURES`.
    """
    rgb = deck_map.colours(share_of(rows["mean"].to_numpy(), colour))
    words = formats.kilometres if colour == DISTANCE else formats.share
    drawn = pd.DataFrame(
        {
            "cell": rows["cell"],
            "outline": rows["outline"],
            **_channels(rgb),
            "a": np.where(rows["n"] < theme.SMALL_N, _PALE, _DARK),
            "title": [f"{formats.count(n)} {_images(n)}" for n in rows["n"]],
            "detail": [f"mean {_NAMES[colour]} {words(mean)}" for mean in rows["mean"]],
        }
    )
    settings: dict[str, Any] = {"getPolygon": "@@=outline", "getFillColor": "@@=[r, g, b, a]"}
    settings |= {"getLineColor": "@@=[r, g, b]", "getLineWidth": 1, "lineWidthUnits": "pixels"}
    layer = Layer("hexagons", "PolygonLayer", drawn, settings)
    centres = (rows["latitude_deg"].to_numpy(), rows["longitude_deg"].to_numpy())
    few = [legends.few_key()] if (rows["n"] < theme.SMALL_N).any() else []
    legend = [*_colour_legend(colour, "mean "), *few]
    return Drawn([layer], [centres], legend, len(rows), int(rows["n"].sum()))


def picked(row: pd.DataFrame) -> list[Layer]:
    """The image that is picked, above all others.

    Args:
        row: As `analysis.ends`, of one image.
    """
    drawn = pd.DataFrame(_ends(row))
    settings = {**_line_colours(ENDS, _FULL), "getWidth": 4, **_PIXELS}
    return [_great_circles("picked", drawn, settings), *_dots(drawn, "picked_", radius=6)]


def share_of(values: npt.NDArray[np.float64], colour: str) -> npt.NDArray[np.float64]:
    """Where numbers stand on the scale of a measure: confidence as it is, distances by their log.

    Examples:
        >>> share_of(np.array([100.0, 2000.0, 20000.0]), "km").round(2).tolist()
        [0.0, 0.57, 1.0]
    """
    if colour == CONFIDENCE:
        return values
    with np.errstate(divide="ignore"):
        share: npt.NDArray[np.float64] = np.log(values / _NEAREST_KM) / _SCALE
    return share


# Legends


def _colour_legend(colour: str, mean: str = "") -> list[html.Html]:
    """The scale of a measure, `mean` before its name; or what the ends are."""
    if colour == ENDS:
        return [
            legends.key("sc-key-truth", "true place"),
            legends.key("sc-key-prediction", "predicted place"),
        ]
    if colour == CONFIDENCE:
        return [legends.ramp(f"{mean}confidence", "sequential", "0 %", "100 %")]
    ends = (formats.kilometres(each) for each in (_NEAREST_KM, _FARTHEST_KM))
    return [legends.ramp(f"{mean}distance, log scale", "sequential", *ends)]


def _width_legend(most: int) -> list[html.Html]:
    """What the width of a flow says.

    Args:
        most: Images of the widest one.
    """
    numbers = dict.fromkeys(max(1, round(share * most)) for share in _WIDTHS)
    widths = _widths(np.array([*numbers]), most)
    return [
        legends.key(f"sc-width-{max(1, round(width))}", f"{formats.count(n)} {_images(n)}")
        for n, width in zip(numbers, widths, strict=True)
    ]


def _widths(n: Any, most: int) -> npt.NDArray[np.float64]:
    """Pixels of flows: their areas are as their numbers, and many images make wide ones."""
    least, widest = _WIDEST_PIXELS
    scale = least + (widest - least) * min(1.0, np.log10(most) / 3)
    widths: npt.NDArray[np.float64] = scale * np.sqrt(np.asarray(n) / most)
    return widths


# Rows


def _fitted(rows: pd.DataFrame, ends: Sequence[str] = ("true", "predicted")) -> list[Places]:
    """The places of images or flows, for the view to start at."""
    columns = {"true": "true", "predicted": "pred"}
    return [
        (
            rows[f"{columns[end]}_latitude_deg"].to_numpy(),
            rows[f"{columns[end]}_longitude_deg"].to_numpy(),
        )
        for end in ends
    ]


_COORDINATES = [
    f"{end}_{axis}_deg" for end in ("true", "pred") for axis in ("latitude", "longitude")
]
_NAMES: Mapping[str, str] = MappingProxyType({DISTANCE: "distance", CONFIDENCE: "confidence"})


def _ends(rows: pd.DataFrame, mean: str = "") -> dict[str, Any]:
    """The columns that every line and dot of images or flows has."""
    codes = [*rows["true_country"].unique(), *rows["pred_country"].unique()]
    names = {code: formats.country(code) for code in codes}
    pairs = zip(rows["true_country"], rows["pred_country"], strict=True)
    numbers = zip(rows["distance_km"], rows["country_probability"], strict=True)
    ids = {"id": rows["image_id"].to_numpy()} if "image_id" in rows else {}
    return ids | {
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


def _measured(rows: pd.DataFrame, colour: str) -> dict[str, Any]:
    if colour == ENDS:
        return {}
    values = rows[MEASURES[colour]].to_numpy(dtype=np.float64)
    return _channels(deck_map.colours(share_of(values, colour)))


def _channels(rgb: deck_map.Rgb) -> dict[str, Any]:
    return dict(zip("rgb", rgb.T, strict=True))


def _line_colours(colour: str, alpha: int) -> dict[str, Any]:
    if colour == ENDS:
        return {
            "getSourceColor": deck_map.rgba(theme.RIGHT, alpha),
            "getTargetColor": deck_map.rgba(theme.WRONG, alpha),
        }
    own = f"@@=[r, g, b, {alpha}]"
    return {"getSourceColor": own, "getTargetColor": own}


def _great_circles(name: str, rows: pd.DataFrame, settings: Mapping[str, Any]) -> Layer:
    ends = {"getSourcePosition": _FROM, "getTargetPosition": _TO, "wrapLongitude": True}
    return Layer(name, "GreatCircleLayer", rows, {**ends, **settings})


def _dots(rows: pd.DataFrame, prefix: str = "", radius: float = 3) -> list[Layer]:
    return [
        Layer(
            f"{prefix}{name}",
            "ScatterplotLayer",
            rows,
            {"getPosition": at, "getFillColor": deck_map.rgba(colour, 230), "getRadius": radius}
            | _PIXELS,
        )
        for name, at, colour in (("truths", _FROM, theme.RIGHT), ("predictions", _TO, theme.WRONG))
    ]


def _images(n: int) -> str:
    return "image" if n == 1 else "images"
