"""Maps of countries without tiles: a world coloured by country, and a close-up of one image."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard.charts import legends, selection_events, vega
from dashboard.charts.vega import Spec
from dashboard.shell import formats, theme
from streetclip.gazetteer import countries
from streetclip.gazetteer.outlines import (
    OBJECT_NAME,
    country_centre,
    country_km2,
    outline_topojson,
)

HEIGHT: Final = 420
"""Pixels of a map of the world where there is room; on a phone it is lower."""

SMALL_MAP_HEIGHT: Final = 260

Place = tuple[float, float]
Words = Callable[[float | None], str]

_ANTARCTICA = "AQ"
_TINY_KM2 = 4_000  # about one pixel on a map of the world: also drawn as a dot
_TURN_DEG = (-11, 0, 0)  # the map is cut in the Bering Strait, through no country
_FEW = f"datum.n < {theme.SMALL_N}"
_FIELDS = ("value", "n", "label", "interval", "n_label")
_NAMED = 3
_NICE_DIFFERENCE = 0.05
_OUTLINES = "outlines"


_VIEWS: Final[Mapping[str, tuple[float, float, float]]] = {
    "Africa": (2.0, 18.0, 52.0),
    "Antarctica": (-90.0, 0.0, 35.0),
    "Asia": (30.0, 88.0, 60.0),
    "Europe": (54.0, 17.0, 30.0),
    "North America": (42.0, -92.0, 58.0),
    "Oceania": (-20.0, 152.0, 52.0),
    "South America": (-22.0, -60.0, 52.0),
}
"""Middle (latitude and longitude) and radius of the view of a continent, in degrees."""


def choropleth(
    frame: pd.DataFrame,
    *,
    key: str,
    title: str,
    scale: str = "sequential",
    domain: tuple[float, float] | None = None,
    words: Words = formats.share,
    on_select: Callable[[str], None] | None = None,
) -> None:
    """Draw the world with each country coloured by a value; grey is a country without images.

    Where all countries of the frame are on one continent, the view is of that.

    Fewer than `theme.SMALL_N` images are drawn pale with a dashed outline; countries too small
    to see are dots.

    Args:
        frame: country (ISO code), value, low, high, n; with the columns label and interval, these
            are the texts of the tooltip instead of `words` and `formats.interval`.
        key: Unique on the page; see `picks.keyed`.
        title: What the colour says, such as "country accuracy".
        scale: "sequential", or "difference" around 0.
        domain: Values at the ends of the colours; default: 0 to 1, or for differences as far as
            those with enough images go.
        words: How a value is written.
        on_select: Called with the code of a country of the frame that is clicked.
    """
    ends = domain or _domain(frame, scale)
    colours = {"domain": list(ends), "range": list(theme.RAMPS[scale]), "clamp": True}
    spec = world_specification(
        _texts(frame, words), title, colours, clickable=on_select is not None
    )
    settings: dict[str, Any] = {}
    if on_select is not None:
        codes = set(frame["country"])
        settings = {"on_select": lambda: _pass_on(key, codes, on_select)}
    with st.container(key=f"map_of_world_{key}"):
        st.vega_lite_chart(
            spec,
            width="stretch",
            height="stretch",
            key=key,
            alt=_alt_text(frame, title, words),
            **settings,
        )
    parts = [legends.ramp(title, scale, words(ends[0]), words(ends[1]))]
    if (frame["n"] < theme.SMALL_N).any():
        parts.append(legends.few_key())
    legends.draw([*parts, legends.key("sc-key-none", "no images")])


def small_map(
    truth: Place | None,
    prediction: Place | None,
    *,
    key: str,
    alt_text: str,
) -> None:
    """Draw where an image was taken and where it was placed, with the great circle between them.

    Args:
        truth: Latitude and longitude in degrees; None where unknown.
        prediction: As `truth`.
        key: Unique on the page.
        alt_text: What the map says, in a sentence.
    """
    places = {"true": truth, "predicted": prediction}
    known = {name: place for name, place in places.items() if place is not None}
    if known:
        st.vega_lite_chart(close_up_specification(known), width="stretch", key=key, alt=alt_text)


def world_specification(rows: pd.DataFrame, title: str, colours: Spec, *, clickable: bool) -> Spec:
    """The chart of `choropleth`.

    Args:
        rows: country, value, n, label, interval, n_label.
        title: What the colour says.
        colours: Vega-Lite's scale.
        clickable: Whether a country can be picked.
    """
    view = _view_of(rows["country"])
    # It takes a quarter of the map, and is drawn when there are images of it.
    has_antarctica = bool((rows["country"] == _ANTARCTICA).any())
    seen = None if has_antarctica else f"datum.properties.code != '{_ANTARCTICA}'"
    params = selection_events.mark("country") if clickable else []
    shapes = _valued_shapes(rows) | _valued(title, colours) | {"params": params}
    clip = view is not None
    cursor = "pointer" if clickable else "default"
    shapes["mark"] = {"type": "geoshape", "cursor": cursor, "clip": clip}
    layers = [_land(seen, clip=clip), shapes, *_dots(rows, title, colours, clip=clip)]
    projection: Spec = {"type": "equalEarth", "rotate": list(_TURN_DEG)}
    if view is not None:
        latitude_deg, longitude_deg, radius_deg = view
        projection = _azimuthal(latitude_deg, longitude_deg, _radius_scale(radius_deg))
    return vega.specification(layers, HEIGHT) | {"projection": projection}


def _view_of(codes: "pd.Series[str]") -> tuple[float, float, float] | None:
    """The view of the continent that all countries are on; None where there is no such one."""
    known = countries()
    found = {known[code].continent for code in codes if code in known}
    return _VIEWS[found.pop()] if len(found) == 1 else None


def close_up_specification(places: Mapping[str, Place]) -> Spec:
    """The chart of `small_map`.

    Args:
        places: Latitude and longitude in degrees of "true", of "predicted", or of both.
    """
    layers = [_land(clip=True)]
    if len(places) > 1:
        layers.append(_great_circle([*places.values()]))
    for name, role, below in (("true", "right", -13), ("predicted", "wrong", 14)):
        if name in places:
            layers += _labelled_point(name, places[name], role, below)
    projection = _projection_around([*places.values()])
    return vega.specification(layers, SMALL_MAP_HEIGHT) | {"projection": projection}


def _land(seen: str | None = None, *, clip: bool = False) -> Spec:
    """All countries in grey, with their borders; brings the outlines into the chart.

    They are text: Vega-Lite takes it far faster than lists.
    """
    data = {"name": _OUTLINES, "values": outline_topojson(), "format": _topojson_format()}
    mark = {"type": "geoshape", "clip": clip, "fillOpacity": 0.2, "strokeOpacity": 0.45}
    return {
        "data": data,
        "transform": [{"filter": "true" if seen is None else seen}, vega.role_column("muted")],
        "mark": mark | {"strokeWidth": 0.5},
        "encoding": {"color": vega.role_channel(), "stroke": vega.role_channel()},
    }


def _topojson_format() -> Spec:
    return {"type": "topojson", "feature": OBJECT_NAME}


def _text(json_text: str, name: str) -> Spec:
    return {"name": name, "values": json_text, "format": {"type": "json"}}


def _valued_shapes(rows: pd.DataFrame) -> Spec:
    """The outlines of the countries that have images, each with its row."""
    found = {"data": _text(rows.to_json(orient="records"), "rows"), "key": "country"}
    return {
        "data": {"name": _OUTLINES, "format": _topojson_format()},
        "transform": [
            {"calculate": "datum.properties.code", "as": "country"},
            {"calculate": "datum.properties.name", "as": "name"},
            {"lookup": "country", "from": found | {"fields": list(_FIELDS)}},
            {"filter": "datum.n > 0"},
            vega.role_column("muted"),
        ],
    }


def _valued(title: str, colours: Spec) -> Spec:
    """The encoding of a mark by value; few images make it pale and dashed."""

    def when_few(few: Any, enough: Any) -> Spec:
        return {"condition": {"test": _FEW, "value": few}, "value": enough}

    encoding = {
        "fill": {"field": "value", "type": "quantitative", "scale": colours, "legend": None},
        "stroke": vega.role_channel(),
        "fillOpacity": when_few(theme.PALE_OPACITY, 1),
        "strokeDash": when_few([2, 2], [1, 0]),
        "strokeWidth": when_few(0.9, 0.5),
        "tooltip": vega.tooltip(
            ("name", "country"), ("label", title), ("interval", "95 % interval"), ("n_label", "n")
        ),
    }
    return {"encoding": encoding}


def _dots(rows: pd.DataFrame, title: str, colours: Spec, *, clip: bool) -> list[Spec]:
    """Countries that are smaller than a pixel, once more as dots."""
    is_tiny = [country_km2(code) < _TINY_KM2 for code in rows["country"]]
    tiny = rows[np.array(is_tiny, dtype=np.bool_)]
    places = [country_centre(code) for code in tiny["country"]]
    known = [place is not None for place in places]
    if not any(known):
        return []
    tiny = tiny[known].assign(
        latitude_deg=[place[0] for place in places if place is not None],
        longitude_deg=[place[1] for place in places if place is not None],
        name=[formats.country(code) for code in tiny.loc[known, "country"]],
    )
    dots = _valued(title, colours)
    dots["encoding"] |= {
        "latitude": vega.quantity("latitude_deg"),
        "longitude": vega.quantity("longitude_deg"),
    }
    data = _text(tiny.to_json(orient="records"), "tiny")
    mark = {"type": "point", "filled": True, "size": 36, "opacity": 1, "cursor": "pointer"}
    mark["clip"] = clip
    return [dots | {"data": data, "mark": mark, "transform": [vega.role_column("muted")]}]


def _great_circle(places: list[Place]) -> Spec:
    """d3-geo draws a line of two points as the shortest way on the sphere."""
    ends = [[longitude, latitude] for latitude, longitude in places]
    line = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": ends}}
    return {
        "data": _text(json.dumps(line), "great_circle"),
        "mark": {"type": "geoshape", "filled": False, "strokeWidth": 1.5, "clip": True},
        "transform": [vega.role_column("ink")],
        "encoding": {"color": vega.role_channel()},
    }


def _labelled_point(name: str, place: Place, role: str, below: int) -> list[Spec]:
    """A place and its name, so many pixels below it."""
    rows = pd.DataFrame({"name": [name], "latitude_deg": [place[0]], "longitude_deg": [place[1]]})
    where: dict[str, Any] = {
        "latitude": vega.quantity("latitude_deg"),
        "longitude": vega.quantity("longitude_deg"),
    }
    dot = {"filled": True, "size": 90, "opacity": 1}
    text = {"dy": below, "fontWeight": "bold"}
    return [
        vega.layer(rows, "point", mark=dot, color=vega.role(role), **where),
        vega.layer(rows, "text", mark=text, text=vega.words("name"), **where),
    ]


_FILLED = 0.34  # of the width and of the height, from the middle to a place
_LEAST_RADIUS_DEG = 5.0  # of the closest view: a middle-sized country


def _projection_around(places: list[Place]) -> Spec:
    """Equal-area around the middle of one or two places (Lambert 1772), wide enough for both."""
    first, last = (_unit_vector(*place) for place in (places[0], places[-1]))
    middle = first + last
    if np.linalg.norm(middle) < 1e-6:  # noqa: PLR2004 -- opposite places: any middle will do
        middle = _unit_vector(0.0, places[0][1] + 90.0)
    latitude_deg = float(np.degrees(np.arctan2(middle[2], np.hypot(*middle[:2]))))
    longitude_deg = float(np.degrees(np.arctan2(middle[1], middle[0])))
    x, y = _projected(first, latitude_deg, longitude_deg)
    least = float(np.sin(np.radians(_LEAST_RADIUS_DEG)))
    fits = (
        f"{_FILLED} * width / {max(abs(x), least / 2):.6f}",
        f"{_FILLED} * height / {max(abs(y), least / 2):.6f}",
    )
    return _azimuthal(latitude_deg, longitude_deg, f"min({', '.join(fits)})")


def _radius_scale(radius_deg: float) -> str:
    """The scale at which what is within a radius of the middle is in view."""
    reach = 2 * np.sin(np.radians(radius_deg) / 2)  # of the projection at scale 1
    return f"min(width, 2 * height) / 2 / {reach:.6f}"


def _azimuthal(latitude_deg: float, longitude_deg: float, scale: str) -> Spec:
    """Equal-area around a place (Lambert 1772).

    Args:
        latitude_deg: Of the middle.
        longitude_deg: Likewise.
        scale: Vega's expression for pixels per unit, of `width` and `height`.
    """
    return {
        "type": "azimuthalEqualArea",
        "rotate": [-longitude_deg, -latitude_deg, 0],
        "scale": {"expr": scale},
        "translate": {"expr": "[width / 2, height / 2]"},
    }


def _projected(
    vector: npt.NDArray[np.float64], latitude_deg: float, longitude_deg: float
) -> tuple[float, float]:
    """Where a place is on the map around a middle, on a sphere of radius 1 (Snyder 1987, 24-2)."""
    longitude = np.radians(longitude_deg)
    east = np.array([-np.sin(longitude), np.cos(longitude), 0.0])
    north = np.cross(_unit_vector(latitude_deg, longitude_deg), east)
    ahead = float(vector @ np.cross(east, north))
    k = np.sqrt(2 / max(1 + ahead, 1e-9))
    return float(k * (vector @ east)), float(k * (vector @ north))


def _unit_vector(latitude_deg: float, longitude_deg: float) -> npt.NDArray[np.float64]:
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    across = np.cos(latitude)
    return np.array([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)])


def _texts(frame: pd.DataFrame, words: Words) -> pd.DataFrame:
    """The rows of the map with the texts of its tooltip."""
    texts = {"n_label": [formats.count(n) for n in frame["n"]]}
    if "label" not in frame:
        texts["label"] = [words(value) for value in frame["value"]]
    if "interval" not in frame:
        ends = zip(frame["low"], frame["high"], strict=True)
        texts["interval"] = [formats.interval(*each) for each in ends]
    return frame.assign(**texts)[["country", *_FIELDS]]


def _domain(frame: pd.DataFrame, scale: str) -> tuple[float, float]:
    if scale == "sequential":
        return 0.0, 1.0
    farthest = frame.loc[frame["n"] >= theme.SMALL_N, "value"].abs().max()
    steps = 1.0 if np.isnan(farthest) else max(float(np.ceil(farthest / _NICE_DIFFERENCE)), 1.0)
    return -steps * _NICE_DIFFERENCE, steps * _NICE_DIFFERENCE


def _pass_on(key: str, codes: set[str], on_select: Callable[[str], None]) -> None:
    """Hand a click on; one on a country without images, or beside any, says nothing."""
    mark = selection_events.clicked_mark(key) or {}
    if mark.get("country") in codes:
        on_select(mark["country"])


def _alt_text(frame: pd.DataFrame, title: str, words: Words) -> str:
    enough = frame[frame["n"] >= theme.SMALL_N].sort_values("value", ascending=False)
    start = f"Map of the world: {title} of {formats.count(len(frame))} countries"
    if enough.empty:
        return f"{start}, none with {theme.SMALL_N} images or more."
    pairs = zip(enough["country"], enough["value"], strict=True)
    named = [f"{formats.country(code)} {words(value)}" for code, value in pairs]
    return f"{start}. Highest: {', '.join(named[:_NAMED])}. Lowest: {', '.join(named[-_NAMED:])}."
