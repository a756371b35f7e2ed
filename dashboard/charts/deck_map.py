"""Draw maps of arcs, points, hexagons and flows over outlines, without tiles.

One flat map of the world, that of `geo.equal_earth`: positions are its x and y.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pydeck as pdk
import streamlit as st
from pydeck.bindings.json_tools import default_serialize
from pydeck.types import String

from dashboard.charts import map_buttons, selection_events
from dashboard.shell import theme
from streetclip.gazetteer.outlines import outline_borders, outline_features, world_edge
from streetclip.geo import MAP_HEIGHT, MAP_WIDTH

COUNTRIES: Final = "countries"
"""Layer of the outlines; a click gives the country's `code`."""

_LAND_RGBA: Final = [128, 134, 142, 50]
_HOVER_RGBA: Final = [128, 134, 142, 90]
_BORDER_RGBA: Final = [128, 134, 142, 130]
_TOOLTIP: Final = {
    "text": "{title}\n{detail}",
    "style": {"color": "#ffffff", "backgroundColor": "#1b1f24", "fontSize": "13px"},
}

_SHAPE: Final = 2.0  # width of the canvas by its height, as in theme.css
_MARGIN: Final = 1.08  # of the first view around its places
_LEAST_WIDTH: Final = 12.0  # of the first view, in degrees of the map: a middle-sized country
_SOUTHERN_EDGE: Final = -58.0  # of the first view, unless a place is farther south
_NARROWEST_PIXELS: Final = 280  # of a canvas
_CLOSEST_ZOOM: Final = 8.0  # 2⁸ pixels for a degree of the map

_DECIMALS: Final = 3  # of degrees: about 100 m
_COMMAND: Final = '"@@'  # begins what deck.gl evaluates, in texts of the data, too
_HARMLESS: Final = '"\u2060@@'  # an invisible joiner before it
_PLACE: Final = "data of this layer"

Positions = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""x and y on the map, in its degrees; NaN where they are unknown."""

NOWHERE: Final[Positions] = (np.empty(0), np.empty(0))
"""No position: the first view is the world."""


def draw(
    layers: Sequence[pdk.Layer],
    *,
    fitted: Positions | None,
    key: str,
    alt_text: str,
    on_pick: Callable[[str, Mapping[str, Any]], None],
    on_world: Callable[[bool], None],
) -> None:
    """Draw layers above the outlines, the lowest first, and the buttons of the view.

    Rows of `layers` have id, title and detail (the tooltip); `fitted`: what the first view holds,
    None for the world. `on_pick` gets layer and row (untrusted) of a clicked mark, ("", {}) for a
    click elsewhere or on the picked mark; `on_world` as of `map_buttons.draw`.
    """
    view, state = view_of(*(NOWHERE if fitted is None else fitted))
    deck = Deck([*_outlines(), *layers], views=[view], initial_view_state=state, tooltip=_TOOLTIP)
    # Only a chart of another key starts at its view state.
    resets = map_buttons.times_reset(key)
    chart_key = selection_events.keyed(key, resets, view.controller["maxBounds"])

    def picked() -> None:
        objects = st.session_state[chart_key]["selection"]["objects"]
        marks = [(name, rows[0]) for name, rows in objects.items() if rows]
        on_pick(*next((each for each in marks if isinstance(each[1], Mapping)), ("", {})))

    with st.container(key="map_canvas"):
        st.pydeck_chart(
            deck,
            height="stretch",
            key=chart_key,
            # Streamlit repeats it in the names of buttons; a table on the page has the rest.
            alt=alt_text.partition(". ")[0],
            on_select=picked,
            selection_mode="single-object",
        )
        map_buttons.draw(key, is_world=fitted is None, on_world=on_world)


@functools.cache
def _outlines() -> tuple[pdk.Layer, pdk.Layer]:
    """Layer the clickable areas of countries, then their borders and the map's edge."""
    areas = [
        {
            "type": "Feature",
            "code": feature["properties"]["code"],
            "title": feature["properties"]["name"],
            "detail": "",
            "geometry": feature["geometry"],
        }
        for feature in outline_features()
    ]
    paths = [{"path": line} for line in (*outline_borders(), world_edge())]
    land, borders = (Json(json.dumps(rows, separators=(",", ":"))) for rows in (areas, paths))
    fill = {"stroked": False, "get_fill_color": _LAND_RGBA, "highlight_color": _HOVER_RGBA}
    line = {"width_units": String("pixels"), "get_width": 0.8, "get_color": _BORDER_RGBA}
    return (
        pdk.Layer("GeoJsonLayer", land, id=COUNTRIES, pickable=True, auto_highlight=True, **fill),
        pdk.Layer("PathLayer", borders, id="borders", pickable=False, **line, get_path="path"),
    )


def view_of(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> tuple[pdk.View, pdk.ViewState]:
    """Fit the view to positions on the map, else to the world, at any width of the canvas."""
    known = ~(np.isnan(x) | np.isnan(y))
    west, east, south, north = -MAP_WIDTH / 2, MAP_WIDTH / 2, _SOUTHERN_EDGE, MAP_HEIGHT / 2
    if known.any():
        west, east, south, north = (
            float(extreme) for each in (x[known], y[known]) for extreme in (each.min(), each.max())
        )
    wanted = _MARGIN * max(east - west, _SHAPE * (north - south))
    width = float(np.clip(wanted, _LEAST_WIDTH, 1.02 * MAP_WIDTH))
    centre_x = _within((west + east) / 2, width, -MAP_WIDTH / 2, MAP_WIDTH / 2)
    edge = min(_SOUTHERN_EDGE, south)
    centre_y = _within((south + north) / 2, width / _SHAPE, edge, MAP_HEIGHT / 2)
    # deck.gl knows the canvas: it zooms in until the bounds fill the width, from far away. They are
    # higher than the canvas, so that the height does not count in full screen, either.
    reach = width / 2, width / 2 * 0.8
    bounds = [
        [centre_x - reach[0], centre_y - reach[1]],
        [centre_x + reach[0], centre_y + reach[1]],
    ]
    view = pdk.View("OrthographicView", controller={"maxBounds": bounds}, flipY=False)
    state = pdk.ViewState(
        target=[centre_x, centre_y, 0],
        zoom=float(np.log2(_NARROWEST_PIXELS / width)),
        max_zoom=_CLOSEST_ZOOM,
    )
    return view, state


def _within(centre: float, extent: float, low: float, high: float) -> float:
    """Move a view's centre so that it shows as little beyond the map as it can."""
    room = max(0.0, (high - low - extent) / 2)
    return round(float(np.clip(centre, (low + high) / 2 - room, (low + high) / 2 + room)), 3)


def colours(share: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Map N shares to N × 3 RGB (0-255), NaN to grey."""
    stops = np.array([_rgb(each) for each in theme.SEQUENTIAL])
    at = np.linspace(0, 1, len(stops))
    known = np.nan_to_num(share)
    found = np.column_stack([np.interp(known, at, stops[:, i]) for i in range(3)])
    found[np.isnan(share)] = _rgb(theme.APART)
    return found.round().astype(np.int64)


def rgba(colour: str, alpha: int) -> list[int]:
    """Convert a colour of the theme for deck.gl; alpha: 0 to 255."""
    return [*_rgb(colour), alpha]


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


# JSON


class Json:
    """Data of a map layer as JSON text."""

    def __init__(self, rows: pd.DataFrame | str) -> None:
        if isinstance(rows, pd.DataFrame):
            text = rows.to_json(orient="records", double_precision=_DECIMALS)
            rows = text.replace(_COMMAND, _HARMLESS)
        self.text = rows


class Deck(pdk.Deck):  # type: ignore[misc]  # pydeck has no types
    """A map without tiles and without keys of tile servers."""

    def __init__(self, layers: Sequence[pdk.Layer], **options: Any) -> None:
        super().__init__(list(layers), map_provider=None, **options)
        self.carto_key = self.mapbox_key = self.google_maps_key = None

    def to_json(self) -> str:
        """Write the map compactly, the JSON text of its layers unchanged."""
        texts: list[str] = []

        def default(value: Any) -> Any:
            if not isinstance(value, Json):
                return default_serialize(value)
            texts.append(value.text)
            return _PLACE

        around = json.dumps(self, default=default, separators=(",", ":")).split(f'"{_PLACE}"')
        pairs = zip(around, [*texts, ""], strict=True)
        return "".join(before + text for before, text in pairs)
