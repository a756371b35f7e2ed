"""The map of arcs, points, hexagons and flows, drawn by deck.gl over our own outlines.

Streamlit hands the JSON of a pydeck map to deck.gl. It is written here by the column: pydeck
writes each number on a line of its own, in Python. Nothing in it names an address to fetch.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard.shell import theme
from streetclip.gazetteer.outlines import outline_borders, outline_features

COUNTRIES: Final = "countries"
"""The layer of the outlines; a click on it gives the country's `code`."""

_COMMAND: Final = "@@"  # begins what deck.gl evaluates, in texts of the data, too
_JOINER: Final = "\u2060"  # is not seen
_NO_TILES: Final = "__MAP_STYLE__"  # what pydeck writes for none; without it, tiles are fetched
_LAND_RGBA: Final = (128, 134, 142, 50)
_BORDER_RGBA: Final = (128, 134, 142, 130)
_DECIMALS: Final = 3

_TILE_PIXELS: Final = 512  # of deck.gl's world at zoom 0
_FITTED_WIDTH, _FITTED_HEIGHT = 540, 440  # pixels that the data should fill
_PHONE_WIDTH: Final = 310  # likewise
_FARTHEST_ZOOM, _CLOSEST_ZOOM = -0.8, 5.0
_WORLD_ZOOM: Final = 0.2
_NORTHERNMOST_DEG: Final = 80.0

Rgb = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Layer:
    """A layer of the map.

    Attributes:
        name: Its id, which a click gives.
        kind: deck.gl's name of it.
        rows: One mark each. The columns title and detail are its tooltip.
        settings: deck.gl's properties of the layer; "@@=" begins an expression over a row.
    """

    name: str
    kind: str
    rows: pd.DataFrame
    settings: Mapping[str, Any] = field(default_factory=dict)

    def json(self) -> str:
        """The layer as JSON, its numbers rounded to about 100 m."""
        own = {"@@type": self.kind, "id": self.name, "pickable": True, **self.settings}
        rows = self.rows.to_json(orient="records", double_precision=_DECIMALS)
        return _with_data(own, rows.replace(f'"{_COMMAND}', f'"{_JOINER}{_COMMAND}'))


def draw(
    layers: Sequence[Layer],
    *,
    fitted: Sequence[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]],
    key: str,
    alt_text: str,
    on_pick: Callable[[str, Mapping[str, Any]], None],
) -> None:
    """Draw the map.

    Args:
        layers: Above the outlines, the lowest first.
        fitted: Latitudes and longitudes that the view starts at, as pairs of arrays.
        key: Unique on the page; see `picks.keyed`.
        alt_text: What the map says, in a sentence.
        on_pick: Called with the layer and the row of a mark that is clicked; with "" and no row
            where the click goes beside any, or on the mark that is picked. A row comes from the
            browser: check what is taken from it.
    """
    latitude = np.concatenate([np.empty(0), *(each for each, _ in fitted)])
    longitude = np.concatenate([np.empty(0), *(each for _, each in fitted)])
    with st.container(key="map_canvas"):
        st.pydeck_chart(
            _Map(layers, view_of(latitude, longitude, _PHONE_WIDTH if _is_phone() else None)),
            height="stretch",
            key=key,
            alt=alt_text,
            on_select=lambda: on_pick(*_picked(key)),
            selection_mode="single-object",
        )


class _Map:
    """What Streamlit asks of a `pydeck.Deck`: its JSON, its layers to prepare, its tooltip."""

    layers = ()
    _tooltip: Mapping[str, Any] = {
        "text": "{title}\n{detail}",
        "style": {"color": "#ffffff", "backgroundColor": "#1b1f24", "fontSize": "13px"},
    }

    def __init__(self, layers: Sequence[Layer], view: Mapping[str, float]) -> None:
        self._layers = layers
        self._view = view

    def to_json(self) -> str:
        head = {
            "mapStyle": _NO_TILES,
            "initialViewState": self._view,
            "views": [{"@@type": "MapView", "controller": True, "repeat": True}],
        }
        layers = ",".join([_outlines(), *(layer.json() for layer in self._layers)])
        return f'{json.dumps(head)[:-1]},"layers":[{layers}]}}'


def _with_data(settings: Mapping[str, Any], rows_json: str) -> str:
    return f'{json.dumps(settings)[:-1]},"data":{rows_json}}}'


@functools.cache
def _outlines() -> str:
    """The layers of all countries: their areas, which can be clicked, and their borders.

    Borders are lines of their own: as outlines of the areas each would be drawn twice, and be
    looked through at every move of the mouse, which takes seconds without a graphics card.
    """
    land = {
        "@@type": "GeoJsonLayer",
        "id": COUNTRIES,
        "pickable": True,
        "stroked": False,
        "getFillColor": _LAND_RGBA,
    }
    borders = {
        "@@type": "PathLayer",
        "id": "borders",
        "pickable": False,
        "widthUnits": "pixels",
        "getWidth": 0.8,
        "getColor": _BORDER_RGBA,
        "getPath": "@@=path",
    }
    features = [_area(feature) for feature in outline_features()]
    paths = [{"path": line} for line in outline_borders()]
    return f"{_with_data(land, _json(features))},{_with_data(borders, _json(paths))}"


def _area(feature: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "code": feature["properties"]["code"],
        "title": feature["properties"]["name"],
        "detail": "",
        "geometry": feature["geometry"],
    }


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _picked(key: str) -> tuple[str, Mapping[str, Any]]:
    objects = st.session_state[key]["selection"]["objects"]
    for layer, rows in objects.items():
        if rows and isinstance(rows[0], Mapping):
            return layer, rows[0]
    return "", {}


def _is_phone() -> bool:
    """Whether the browser says that it is a phone's; the map's width is not known here."""
    return "Mobi" in (st.context.headers.get("User-Agent") or "")


def view_of(
    latitude_deg: npt.NDArray[np.float64],
    longitude_deg: npt.NDArray[np.float64],
    width: int | None = None,
) -> dict[str, float]:
    """The view that holds some places: its centre and deck.gl's zoom.

    Args:
        latitude_deg: Of the places; NaN is left out.
        longitude_deg: Likewise. Places on both sides of the antimeridian stay together.
        width: Pixels that the places should fill at most; default: as on a desktop.

    Returns:
        latitude, longitude and zoom; of the whole world where there is no place.
    """
    known = ~(np.isnan(latitude_deg) | np.isnan(longitude_deg))
    if not known.any():
        return {"latitude": 20.0, "longitude": 10.0, "zoom": _WORLD_ZOOM}
    west, span = _shortest_span(longitude_deg[known])
    top = _NORTHERNMOST_DEG
    y = _mercator(latitude_deg[known].clip(-top, top))
    low, high = float(y.min()), float(y.max())
    zoom = min(
        np.log2((width or _FITTED_WIDTH) / _TILE_PIXELS * 360 / max(span, 1e-6)),
        np.log2(_FITTED_HEIGHT / _TILE_PIXELS * 2 * np.pi / max(high - low, 1e-6)),
    )
    return {
        "latitude": round(float(np.degrees(np.arctan(np.sinh((low + high) / 2)))), _DECIMALS),
        "longitude": round((west + span / 2 + 180) % 360 - 180, _DECIMALS),
        "zoom": round(float(np.clip(zoom, _FARTHEST_ZOOM, _CLOSEST_ZOOM)), 2),
    }


def _mercator(latitude_deg: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    y: npt.NDArray[np.float64] = np.arcsinh(np.tan(np.radians(latitude_deg)))
    return y


def _shortest_span(longitude_deg: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The west end and the width of the smallest part of the circle that holds all longitudes."""
    ordered = np.unique(longitude_deg % 360)
    gaps = np.diff(ordered, append=ordered[0] + 360)
    widest = int(gaps.argmax())
    return float(ordered[(widest + 1) % len(ordered)]), float(360 - gaps[widest])


def colours(share: npt.NDArray[np.float64]) -> Rgb:
    """Colours of the sequential scale.

    Args:
        share: N numbers; 0 is its low end, 1 its high end; beyond them the ends hold, and NaN is
            grey.

    Returns:
        Red, green and blue, 0 to 255, N × 3.
    """
    stops = np.array([_rgb(each) for each in theme.SEQUENTIAL])
    at = np.linspace(0, 1, len(stops))
    known = np.nan_to_num(share)
    found = np.column_stack([np.interp(known, at, stops[:, i]) for i in range(3)])
    found[np.isnan(share)] = _rgb(theme.APART)
    return found.round().astype(np.int64)


def rgba(colour: str, alpha: int) -> list[int]:
    """A colour of the theme as deck.gl takes it; alpha from 0 to 255."""
    return [*_rgb(colour), alpha]


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue
