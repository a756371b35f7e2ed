"""Map: true and predicted places of images, as arcs, points, hexagons or flows."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pydeck as pdk
import streamlit as st
from pydeck.types import String

from dashboard.charts import deck_map, legends, selection_events
from dashboard.charts.deck_map import Json
from dashboard.images import gallery_view
from dashboard.queries import run_queries
from dashboard.queries.run_queries import ARCS, AUTO, FLOWS, HEXAGONS, POINTS
from dashboard.shell import formats, html, theme, url_state, url_widgets
from dashboard.shell.page_query import View
from dashboard.views import frame
from dashboard.views.map import click_handlers, country_flows
from streetclip.results.filters import Selection

Places = tuple[npt.NDArray[Any], npt.NDArray[Any]]

_ENDS, _DISTANCE, _CONFIDENCE = "ends", "km", "confidence"
"""Colours of marks, by the URL's word."""

_MEASURES: Final = {_DISTANCE: "distance_km", _CONFIDENCE: "country_probability"}

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
_FORMS = {each: each.capitalize() for each in (AUTO, ARCS, POINTS, HEXAGONS, FLOWS)}
_COLOURS = {_ENDS: "True/predicted", _DISTANCE: "Distance", _CONFIDENCE: "Confidence"}
_PLACES = {"true": "True place", "predicted": "Predicted place"}
_ORDER = "farthest"


class Drawn(NamedTuple):
    """Layers of the map, the lowest first, with what they show.

    `fitted`: latitudes and longitudes in the first view; `num_images`: in the marks.
    """

    layers: Sequence[pdk.Layer]
    fitted: Places
    legend: Sequence[html.Html]
    num_marks: int = 0
    num_images: int = 0


def render() -> None:
    """Draw the page."""
    frame.show("Map", _body, defaults=Selection(country_correct=False))


def _body(view: View) -> None:
    if frame.is_empty(view):
        return
    total = run_queries.num_error_arcs(view)
    form, colour, where = _choices(total)
    drawn = _drawn(view, form, colour, where)
    routes = run_queries.routes(view)
    words = country_flows.words(
        form,
        is_by_scale=url_state.page_option("layer", [*_FORMS], AUTO) == AUTO,
        num_marks=drawn.num_marks,
        num_drawn=drawn.num_images,
        num_selected=run_queries.num_selected(view),
        num_placed=drawn.num_images if form == HEXAGONS else total,  # they need one place only
        num_pairs=len(routes),
    )
    html.remark(words)
    image_id = url_state.page_id(gallery_view.IMAGE)
    image = None if image_id is None else run_queries.error_arc(view, image_id)
    choices = form, colour, where, click_handlers.times_unpicked()
    above = [] if image is None or image.empty else picked(image)
    left, right = st.columns([5, 3], gap="medium")
    with left:
        deck_map.draw(
            [*drawn.layers, *above],
            fitted=drawn.fitted,
            key=selection_events.keyed("map", view.run_id, view.selection, *choices),
            alt_text=country_flows.alt_text(routes),
            on_pick=partial(click_handlers.pick, view),
        )
        legends.draw(drawn.legend)
        key = selection_events.keyed("map_table", view.selection)
        country_flows.table(routes, key=key, on_pick=partial(click_handlers.pair, view))
    with right:
        _panel(view, None if image is None else image_id, form, where)


def _choices(total: int) -> tuple[str, str, str]:
    """Draw the choices; return form, colour and place to draw."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        form = run_queries.form_of(url_widgets.segmented("Draw as", "layer", _FORMS, AUTO), total)
        is_line = form in (ARCS, FLOWS)
        shown = _COLOURS if is_line else {k: v for k, v in _COLOURS.items() if k != _ENDS}
        colour = url_widgets.segmented("Colour by", "colour", shown, next(iter(shown)))
        where = "true" if is_line else url_widgets.segmented("Draw at", "at", _PLACES, "true")
    return form, colour, where


def _drawn(view: View, form: str, colour: str, where: str) -> Drawn:
    if form == FLOWS:
        return flows(run_queries.flows(view), colour)
    if form == HEXAGONS:
        return hexagons(run_queries.hexagons(view, where, _MEASURES[colour]).rows, colour)
    rows = run_queries.error_arcs(view, form)
    return arcs(rows, colour) if form == ARCS else points(rows, colour, where)


def _panel(view: View, image_id: int | None, form: str, where: str) -> None:
    """Draw the images of the clicked mark, else the largest errors."""
    cell = url_state.page_id(click_handlers.CELL)
    if image_id is not None:
        st.header("The image", anchor=False)
        gallery_view.few(view, [image_id], 1, key="map_image", order=_ORDER)
        click_handlers.way_back()
    elif form == HEXAGONS and cell is not None:
        st.header("In the hexagon", anchor=False)
        ids, total = run_queries.in_hexagon(view, where, cell, gallery_view.PREVIEW_SIZE)
        gallery_view.few(
            view, ids, total, key="map_cell", order=_ORDER, words="largest error first"
        )
        click_handlers.way_back()
    else:
        st.header("Largest error", anchor=False)
        gallery_view.preview(view, key="map_images", order=_ORDER)


# Layers


def arcs(rows: pd.DataFrame, colour: str) -> Drawn:
    """Draw great circles from true to predicted places.

    `rows`: `results.error_arcs`; `colour`: `_ENDS` or one of `_MEASURES`.
    """
    marks = _marks(rows, colour)
    alpha = int(np.interp(len(rows), [50, 500, 2000], [220, 140, 90]))
    layers = [_great_circles("arcs", marks, colour, alpha, get_width=1.6)]
    layers += _dots(marks) if len(rows) <= _FEW_ARCS else []
    return Drawn(layers, _fitted(rows), _colour_legend(colour), len(rows), len(rows))


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
    fitted = _fitted(rows, ["true" if is_true else "pred"])
    return Drawn([layer], fitted, _colour_legend(colour), len(rows), len(rows))


def flows(rows: pd.DataFrame, colour: str) -> Drawn:
    """Draw great circles between countries, wider for more images.

    `rows`: `results.flows`; `colour`: `_ENDS` or one of `_MEASURES`.
    """
    known = rows.dropna(subset=_COORDINATES)[::-1]  # the widest on top
    if known.empty:
        return Drawn([], (np.empty(0), np.empty(0)), [])
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
    layer = _great_circles(FLOWS, marks, colour, 190, get_width="w", width_min_pixels=1)
    return Drawn([layer], _fitted(known), legend, len(known), int(known["n"].sum()))


def hexagons(rows: pd.DataFrame, colour: str) -> Drawn:
    """Colour `run_queries.Hexagons` by the mean of one of `_MEASURES`."""
    is_few = rows["n"] < theme.SMALL_N
    words = formats.kilometres if colour == _DISTANCE else formats.share
    name = "distance" if colour == _DISTANCE else "confidence"
    marks = rows[["cell", "outline"]].assign(
        **_colours(rows["mean"], colour),
        a=np.where(is_few, _PALE, _DARK),
        title=[formats.images(n) for n in rows["n"]],
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
    marks = _marks(row, _ENDS)
    line = _great_circles("picked", marks, _ENDS, 255, get_width=4)
    return [line, *_dots(marks, "picked_", radius=6)]


def share_of(values: npt.NDArray[Any], colour: str) -> npt.NDArray[Any]:
    """Scale a measure to [0, 1]: confidence unchanged, distances by their log.

    Examples:
        >>> share_of(np.array([100.0, 2000.0, 20000.0]), "km").round(2).tolist()
        [0.0, 0.57, 1.0]
    """
    if colour == _CONFIDENCE:
        return values
    with np.errstate(divide="ignore"):
        return np.log(values / _NEAREST_KM) / _SCALE


def _colour_legend(colour: str, mean: str = "") -> list[html.Html]:
    """Explain the scale of a measure, or the two ends."""
    if colour == _ENDS:
        keys = {"sc-key-truth": "true place", "sc-key-prediction": "predicted place"}
        return [legends.key(*each) for each in keys.items()]
    if colour == _CONFIDENCE:
        return [legends.ramp(f"{mean}confidence", "sequential", "0 %", "100 %")]
    bounds = (formats.kilometres(each) for each in (_NEAREST_KM, _FARTHEST_KM))
    return [legends.ramp(f"{mean}distance, log scale", "sequential", *bounds)]


def _widths(n: Any, most: int) -> npt.NDArray[np.float64]:
    """Compute pixels of flows, proportional to the square root of their images."""
    least, widest = _WIDEST_PIXELS
    scale = least + (widest - least) * min(1.0, np.log10(most) / 3)
    return scale * np.sqrt(np.asarray(n) / most)


def _fitted(rows: pd.DataFrame, ends: Sequence[str] = ("true", "pred")) -> Places:
    """Join the places of images or flows."""
    latitudes = [rows[f"{end}_latitude_deg"].to_numpy() for end in ends]
    longitudes = [rows[f"{end}_longitude_deg"].to_numpy() for end in ends]
    return np.concatenate(latitudes), np.concatenate(longitudes)


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
    return pd.DataFrame(columns | _colours(rows.get(_MEASURES.get(colour)), colour))


def _colours(values: "pd.Series[float] | None", colour: str) -> dict[str, Any]:
    """Compute red, green and blue of a measure; nothing for `_ENDS`."""
    if values is None:
        return {}
    rgb = deck_map.colours(share_of(values.to_numpy(dtype=np.float64), colour))
    return dict(zip("rgb", rgb.T, strict=True))


def _great_circles(
    name: str, marks: pd.DataFrame, colour: str, alpha: int, **settings: Any
) -> pdk.Layer:
    ends: Any = (deck_map.rgba(each, alpha) for each in (theme.CORRECT, theme.WRONG))
    source, target = ends if colour == _ENDS else [f"[r, g, b, {alpha}]"] * 2
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
