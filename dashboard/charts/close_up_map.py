"""Draw a small map of an image's true and predicted place."""

import json
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd

from dashboard.charts import channels
from dashboard.charts.channels import role, stroke
from streetclip.gazetteer.outlines import OBJECT_NAME, outline_topojson

HEIGHT: Final = 260

Place = tuple[float, float]
"""Latitude and longitude in degrees."""

_OUTLINES = "outlines"
_FILLED = 0.34  # of the width and of the height, from the middle to a place
_LEAST_RADIUS_DEG = 5.0  # of the closest view: a middle-sized country


def small_map(truth: Place | None, prediction: Place | None, *, key: str, alt_text: str) -> None:
    """Draw an image's true and predicted place, joined by a great circle."""
    places = [place for place in (truth, prediction) if place is not None]
    if not places:
        return
    layers = [land(clip=True)]
    if len(places) > 1:
        # d3-geo draws a line of two points as the shortest way on the sphere.
        ends = [[longitude, latitude] for latitude, longitude in places]
        line = json.dumps({"type": "LineString", "coordinates": ends})
        arc = alt.Chart(inline_json(line, "great_circle")).mark_geoshape(
            aria=False, filled=False, strokeWidth=1.5, clip=True
        )
        layers.append(arc.encode(role("ink")))
    for name, place, colour, below in (
        ("true", truth, "correct", -13),
        ("predicted", prediction, "wrong", 14),
    ):
        if place is not None:
            rows = pd.DataFrame([(name, *place)], columns=["name", "latitude_deg", "longitude_deg"])
            dot = alt.Chart(rows).mark_point(filled=True, size=90, opacity=1)
            text = alt.Chart(rows).mark_text(dy=below, fontWeight="bold")
            layers.append(dot.encode(role(colour), **position()))
            layers.append(text.encode(role("ink"), alt.Text("name:N"), **position()))
    channels.show(
        layers,
        key=key,
        alt_text=alt_text,
        height=HEIGHT,
        projection=_projection_around(places[0], places[-1]),
    )


def land(seen: str = "true", *, clip: bool = False) -> alt.Chart:
    """Draw countries in grey where Vega's expression `seen` holds; adds the outlines."""
    data = alt.InlineData(
        name=_OUTLINES,
        values=outline_topojson(),  # a text, which Vega-Lite takes far faster than lists
        format=alt.TopoDataFormat(type="topojson", feature=OBJECT_NAME),
    )
    shapes = alt.Chart(data).transform_filter(seen)
    return shapes.mark_geoshape(
        aria=False, clip=clip, fillOpacity=0.2, strokeOpacity=0.45, strokeWidth=0.5
    ).encode(role("muted"), stroke("muted"))


def outlines() -> alt.NamedData:
    """Refer to the outlines that `land` adds."""
    return alt.NamedData(_OUTLINES, format=alt.TopoDataFormat(type="topojson", feature=OBJECT_NAME))


def inline_json(text: str, name: str) -> alt.InlineData:
    """Make data of a map layer from JSON text."""
    return alt.InlineData(name=name, values=text, format=alt.JsonDataFormat(type="json"))


def position() -> dict[str, Any]:
    """Encode the columns latitude_deg and longitude_deg."""
    return {
        "latitude": alt.Latitude("latitude_deg:Q"),
        "longitude": alt.Longitude("longitude_deg:Q"),
    }


def azimuthal(latitude_deg: float, longitude_deg: float, scale: str) -> alt.Projection:
    """Make the equal-area projection (Lambert 1772); `scale`: Vega expression, px per unit."""
    return alt.Projection(
        type="azimuthalEqualArea",
        rotate=[-longitude_deg, -latitude_deg, 0],
        scale=alt.ExprRef(scale),
        translate=alt.ExprRef("[width / 2, height / 2]"),
    )


def _projection_around(first: Place, last: Place) -> alt.Projection:
    """Centre the projection between two places, wide enough for both."""
    middle = _unit_vector(*first) + _unit_vector(*last)
    if np.linalg.norm(middle) < 1e-6:  # noqa: PLR2004 -- opposite places: any middle will do
        middle = _unit_vector(0.0, first[1] + 90.0)
    latitude_deg = float(np.degrees(np.arctan2(middle[2], np.hypot(*middle[:2]))))
    longitude_deg = float(np.degrees(np.arctan2(middle[1], middle[0])))
    # Project the first place on a sphere of radius 1 (Snyder 1987, 22-4, 22-5, 24-2).
    latitude, centre = np.radians(first[0]), np.radians(latitude_deg)
    apart = np.radians(first[1] - longitude_deg)
    ahead = np.sin(centre) * np.sin(latitude) + np.cos(centre) * np.cos(latitude) * np.cos(apart)
    k = np.sqrt(2 / max(1 + ahead, 1e-9))
    x = k * np.cos(latitude) * np.sin(apart)
    y = k * (np.cos(centre) * np.sin(latitude) - np.sin(centre) * np.cos(latitude) * np.cos(apart))
    least = np.sin(np.radians(_LEAST_RADIUS_DEG)) / 2
    width, height = (max(abs(each), least) for each in (x, y))
    fit = f"min({_FILLED} * width / {width:.6f}, {_FILLED} * height / {height:.6f})"
    return azimuthal(latitude_deg, longitude_deg, fit)


def _unit_vector(latitude_deg: float, longitude_deg: float) -> np.ndarray:
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    across = np.cos(latitude)
    return np.array([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)])
