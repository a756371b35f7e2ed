"""Draw maps of arcs, points, hexagons and flows over outlines, without tiles."""

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

from dashboard.shell import theme
from streetclip.gazetteer.outlines import outline_borders, outline_features

COUNTRIES: Final = "countries"
"""Layer of the outlines; a click gives the country's `code`."""

_LAND_RGBA: Final = [128, 134, 142, 50]
_BORDER_RGBA: Final = [128, 134, 142, 130]
_TOOLTIP: Final = {
    "text": "{title}\n{detail}",
    "style": {"color": "#ffffff", "backgroundColor": "#1b1f24", "fontSize": "13px"},
}

_TILE_PIXELS: Final = 512  # of deck.gl's world at zoom 0
_FITTED_WIDTH, _FITTED_HEIGHT = 540, 440  # pixels that the data should fill
_PHONE_WIDTH: Final = 310  # likewise
_FARTHEST_ZOOM, _CLOSEST_ZOOM = -0.8, 5.0
_NORTHERNMOST_DEG: Final = 80.0

_DECIMALS: Final = 3  # of degrees: about 100 m
_COMMAND: Final = '"@@'  # begins what deck.gl evaluates, in texts of the data, too
_HARMLESS: Final = '"\u2060@@'  # an invisible joiner before it
_PLACE: Final = "data of this layer"

Degrees = npt.NDArray[np.float64]


def draw(
    layers: Sequence[pdk.Layer],
    *,
    fitted: tuple[Degrees, Degrees],
    key: str,
    alt_text: str,
    on_pick: Callable[[str, Mapping[str, Any]], None],
) -> None:
    """Draw layers above the outlines, the lowest first.

    Rows of `layers` have id, title and detail (the tooltip); `fitted`: latitudes and longitudes in
    the first view. `on_pick` gets layer and row (untrusted) of a clicked mark, ("", {}) for a click
    elsewhere or on the picked mark.
    """
    is_phone = "Mobi" in (st.context.headers.get("User-Agent") or "")  # the width is not known
    deck = Deck(
        [*_outlines(), *layers],
        views=[pdk.View("MapView", controller=True, repeat=True)],
        initial_view_state=view_of(*fitted, _PHONE_WIDTH if is_phone else None),
        tooltip=_TOOLTIP,
    )

    def picked() -> None:
        objects = st.session_state[key]["selection"]["objects"]
        marks = [(name, rows[0]) for name, rows in objects.items() if rows]
        on_pick(*next((each for each in marks if isinstance(each[1], Mapping)), ("", {})))

    with st.container(key="map_canvas"):
        st.pydeck_chart(
            deck,
            height="stretch",
            key=key,
            # Streamlit repeats it in the names of buttons; a table on the page has the rest.
            alt=alt_text.partition(". ")[0],
            on_select=picked,
            selection_mode="single-object",
        )


@functools.cache
def _outlines() -> tuple[pdk.Layer, pdk.Layer]:
    """Layer the clickable areas of countries, then their borders."""
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
    paths = [{"path": line} for line in outline_borders()]
    land, borders = (Json(json.dumps(rows, separators=(",", ":"))) for rows in (areas, paths))
    colour = {"get_fill_color": _LAND_RGBA}
    line = {"width_units": String("pixels"), "get_width": 0.8, "get_color": _BORDER_RGBA}
    return (
        pdk.Layer("GeoJsonLayer", land, id=COUNTRIES, pickable=True, stroked=False, **colour),
        pdk.Layer("PathLayer", borders, id="borders", pickable=False, **line, get_path="path"),
    )


def view_of(
    latitude_deg: Degrees, longitude_deg: Degrees, width: int | None = None
) -> pdk.ViewState:
    """Fit the view to places in degrees, else to the world.

    `width`: most pixels that the places fill. Places across the antimeridian stay together.
    """
    known = ~(np.isnan(latitude_deg) | np.isnan(longitude_deg))
    if not known.any():
        return pdk.ViewState(latitude=20.0, longitude=10.0, zoom=0.2)
    west, span = _shortest_span(longitude_deg[known])
    latitude = np.radians(latitude_deg[known].clip(-_NORTHERNMOST_DEG, _NORTHERNMOST_DEG))
    y = np.arcsinh(np.tan(latitude))  # Mercator
    low, high = float(y.min()), float(y.max())
    zoom = min(
        np.log2((width or _FITTED_WIDTH) / _TILE_PIXELS * 360 / max(span, 1e-6)),
        np.log2(_FITTED_HEIGHT / _TILE_PIXELS * 2 * np.pi / max(high - low, 1e-6)),
    )
    return pdk.ViewState(
        latitude=round(float(np.degrees(np.arctan(np.sinh((low + high) / 2)))), 3),
        longitude=round((west + span / 2 + 180) % 360 - 180, 3),
        zoom=round(float(np.clip(zoom, _FARTHEST_ZOOM, _CLOSEST_ZOOM)), 2),
    )


def _shortest_span(longitude_deg: Degrees) -> tuple[float, float]:
    """Find west end and width of the smallest arc of longitudes."""
    ordered = np.unique(longitude_deg % 360)
    gaps = np.diff(ordered, append=ordered[0] + 360)
    widest = int(gaps.argmax())
    return float(ordered[(widest + 1) % len(ordered)]), float(360 - gaps[widest])


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
