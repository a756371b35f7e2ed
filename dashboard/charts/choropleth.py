"""Draw a world map without tiles, its countries coloured by a value."""

from collections.abc import Callable, Mapping
from typing import Final

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts import channels, legends, selection_events
from dashboard.charts.channels import FEW, share_tooltip, stroke, tooltip, when
from dashboard.charts.close_up_map import azimuthal, inline_json, land, outlines, position
from dashboard.shell import formats, theme
from streetclip.gazetteer import countries
from streetclip.gazetteer.outlines import country_centre, country_km2
from streetclip.geo import MAP_MIDDLE_DEG

HEIGHT: Final = 420
"""Pixels of a map of the world on a desktop."""

_ANTARCTICA = "AQ"
_TINY_KM2 = 4_000  # about one pixel on a map of the world: also drawn as a dot
_NAMED = 3
_NICE_DIFFERENCE = 0.05
_FIELDS = ("value", "n", "label", "interval", "n_label")

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
    words: Callable[[float | None], str] = formats.share,
    on_select: Callable[[str], None],
) -> None:
    """Draw a map of countries by a value, grey without images.

    `frame`: country (ISO code), value, n, and the tooltip's texts label and interval, "" for none.
    `scale`: "sequential", or "difference" around 0. `domain`: values at the ends of the colours;
    default: 0 to 1, or the largest difference. `on_select` gets the code of a clicked country.
    """
    bounds = domain or _domain(frame, scale)
    colours = alt.Scale(domain=list(bounds), range=list(theme.RAMPS[scale]), clamp=True)
    known, continent_of = set(frame["country"]), countries()
    continents = {continent_of[code].continent for code in known if code in continent_of}
    view = _VIEWS[continents.pop()] if len(continents) == 1 else None

    rows = frame.assign(n_label=frame["n"].map(formats.count))

    def pick() -> None:
        code = selection_events.clicked_mark(key).get("country", "")
        if code in known:
            on_select(code)

    with st.container(key=f"map_of_world_{key}"):
        channels.show(
            _layers(rows[["country", *_FIELDS]], title, colours, clip=view is not None),
            key=key,
            alt_text=_alt_text(frame, title, words),
            height=HEIGHT,
            on_select=pick,
            fill=True,
            projection=_projection(view),
        )
    parts = [legends.ramp(title, scale, words(bounds[0]), words(bounds[1]))]
    if (frame["n"] < theme.SMALL_N).any():
        parts.append(legends.few_key())
    legends.draw([*parts, legends.key("sc-key-none", "no images")])


def _domain(frame: pd.DataFrame, scale: str) -> tuple[float, float]:
    if scale == "sequential":
        return 0.0, 1.0
    farthest = frame.loc[frame["n"] >= theme.SMALL_N, "value"].abs().max()
    steps = 1.0 if np.isnan(farthest) else max(float(np.ceil(farthest / _NICE_DIFFERENCE)), 1.0)
    return -steps * _NICE_DIFFERENCE, steps * _NICE_DIFFERENCE


def _projection(view: tuple[float, float, float] | None) -> alt.Projection:
    if view is None:
        return alt.Projection(type="equalEarth", rotate=[-MAP_MIDDLE_DEG, 0, 0])
    latitude_deg, longitude_deg, radius_deg = view
    reach = 2 * np.sin(np.radians(radius_deg) / 2)  # of the projection at scale 1
    return azimuthal(latitude_deg, longitude_deg, f"min(width, 2 * height) / 2 / {reach:.6f}")


def _layers(rows: pd.DataFrame, title: str, colours: alt.Scale, *, clip: bool) -> list[alt.Chart]:
    """Layer countries in grey, coloured by value, and tiny as dots."""
    # Antarctica takes a quarter of the map: draw it only with images.
    has_antarctica = bool((rows["country"] == _ANTARCTICA).any())
    seen = "true" if has_antarctica else f"datum.properties.code != '{_ANTARCTICA}'"
    channels_by_value = {
        "fill": alt.Fill("value:Q", scale=colours, legend=None),
        "stroke": stroke("muted"),
        "fillOpacity": alt.FillOpacityValue(1, condition=when(FEW, theme.PALE_OPACITY)),
        "strokeDash": alt.StrokeDashValue([1, 0], condition=when(FEW, [2, 2])),
        "strokeWidth": alt.StrokeWidthValue(0.5, condition=when(FEW, 0.9)),
        "tooltip": share_tooltip(title, name="country")
        if rows["interval"].any()
        else tooltip(name="country", label=title),
    }
    found = inline_json(rows.to_json(orient="records"), "rows")
    shapes = (
        alt.Chart(outlines())
        .transform_calculate(country="datum.properties.code", name="datum.properties.name")
        .transform_lookup("country", alt.LookupData(found, key="country", fields=list(_FIELDS)))
        .transform_filter("datum.n > 0")
        .mark_geoshape(cursor="pointer", clip=clip)
        .encode(**channels_by_value)
        .add_params(selection_events.mark("country"))
    )
    layers = [land(seen, clip=clip), shapes]
    tiny = _tiny_countries(rows)
    if len(tiny):
        dots = alt.Chart(inline_json(tiny.to_json(orient="records"), "tiny")).mark_point(
            filled=True, size=36, opacity=1, cursor="pointer", clip=clip
        )
        layers.append(dots.encode(**channels_by_value, **position()))
    return layers


def _tiny_countries(rows: pd.DataFrame) -> pd.DataFrame:
    """Select countries smaller than a pixel, with their names and centres."""
    centres = {
        code: centre
        for code in rows["country"]
        if country_km2(code) < _TINY_KM2 and (centre := country_centre(code)) is not None
    }
    tiny = rows[rows["country"].isin(list(centres))]
    return tiny.assign(
        latitude_deg=[centres[code][0] for code in tiny["country"]],
        longitude_deg=[centres[code][1] for code in tiny["country"]],
        name=[formats.country(code) for code in tiny["country"]],
    )


def _alt_text(frame: pd.DataFrame, title: str, words: Callable[[float | None], str]) -> str:
    enough = frame[frame["n"] >= theme.SMALL_N].sort_values("value", ascending=False)
    start = f"Map of the world: {title} of {formats.count(len(frame))} countries"
    if enough.empty:
        return f"{start}, none with {theme.SMALL_N} images or more."
    pairs = zip(enough["country"], enough["value"], strict=True)
    named = [f"{formats.country(code)} {words(value)}" for code, value in pairs]
    return f"{start}. Highest: {', '.join(named[:_NAMED])}. Lowest: {', '.join(named[-_NAMED:])}."
