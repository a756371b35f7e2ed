"""Maps of countries without tiles: a world coloured by country, and a close-up of one image."""

import json
from collections.abc import Callable
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from dashboard import formats, theme
from dashboard.components import legends
from streetclip.gazetteer.outlines import (
    OBJECT_NAME,
    country_centre,
    country_km2,
    outline_topojson,
)

HEIGHT = 420
SMALL_MAP_HEIGHT = 260

_SELECTION = "picked_country"
_ANTARCTICA = "AQ"
_TINY_KM2 = 4_000  # about one pixel on a map of the world: also drawn as a dot
_TURN_DEG = (-11, 0, 0)  # the map is cut in the Bering Strait, through no country
_FEW = f"datum.n < {theme.SMALL_N}"
_FIELDS = ["value", "n", "label", "interval", "n_label"]
_WORST_AND_BEST = 3
_NICE_DIFFERENCE = 0.05


def choropleth(
    frame: pd.DataFrame,
    *,
    key: str,
    title: str,
    scale: str = "sequential",
    domain: tuple[float, float] | None = None,
    words: Callable[[float | None], str] = formats.share,
    on_select: Callable[[str], None] | None = None,
) -> None:
    """Draw the world with each country coloured by a value; grey is a country without images.

    Fewer than `theme.SMALL_N` images are drawn pale with a dashed outline; countries too small
    to see are dots.

    Args:
        frame: country (ISO code), value, low, high, n; with the columns label and interval, these
            are the texts of the tooltip instead of `words` and `formats.interval`.
        key: Unique on the page.
        title: What the colour says, such as "country accuracy".
        scale: "sequential", or "difference" around 0.
        domain: Values at the ends of the colours; default: 0 to 1, or for differences as far as
            those with enough images go.
        words: How a value is written.
        on_select: Called with the code of a country of the frame that is clicked.
    """
    ends = domain or _domain(frame, scale)
    world = _World(_texts(frame, words), title, theme.RAMPS[scale], ends)
    chart = alt.layer(*world.layers(clickable=on_select is not None), height=HEIGHT)
    chart = chart.project(type="equalEarth", rotate=list(_TURN_DEG)).properties(
        config=theme.config()
    )
    settings: dict[str, Any] = {}
    if on_select is not None:
        codes = set(frame["country"])
        settings = {
            "on_select": lambda: _pass_on(key, codes, on_select),
            "selection_mode": [_SELECTION],
        }
    alt_text = _alt_text(frame, title, words)
    st.altair_chart(chart, width="stretch", key=key, alt=alt_text, **settings)
    parts = [legends.ramp(title, scale, words(ends[0]), words(ends[1]))]
    if (frame["n"] < theme.SMALL_N).any():
        parts.append(legends.few_key())
    legends.draw([*parts, legends.key("sc-key-none", "no images")])


def small_map(
    truth: tuple[float, float] | None,
    prediction: tuple[float, float] | None,
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
    ends = {"true": truth, "predicted": prediction}
    known = {name: place for name, place in ends.items() if place is not None}
    if not known:
        return
    view = _CloseUp(tuple(known.values()))
    chart = alt.layer(*view.layers(known), height=SMALL_MAP_HEIGHT)
    chart = chart.project(**view.projection()).properties(config=theme.config())
    st.altair_chart(chart, width="stretch", key=key, alt=alt_text)


class _World:
    """The layers of a world map, lowest first."""

    def __init__(
        self,
        frame: pd.DataFrame,
        title: str,
        colours: tuple[str, ...],
        ends: tuple[float, float],
    ) -> None:
        self._frame = frame
        self._title = title
        self._scale = alt.Scale(domain=list(ends), range=list(colours), clamp=True)

    def layers(self, *, clickable: bool) -> list[alt.Chart]:
        cursor = "pointer" if clickable else "default"
        shapes = self._shapes()
        valued = shapes.transform_filter("datum.n > 0")
        filled = self._coloured(valued.mark_geoshape(cursor=cursor, stroke=None))
        if clickable:
            filled = filled.add_params(
                alt.selection_point(name=_SELECTION, fields=["country"], on="click")
            )
        few = valued.transform_filter(_FEW)
        dashes = few.mark_geoshape(filled=False, strokeDash=[2, 2], strokeWidth=0.8)
        land = [_land(seen=self._seen), filled, _borders(seen=self._seen)]
        return [*land, theme.in_role(dashes, "ink"), *self._dots(cursor)]

    @property
    def _seen(self) -> str:
        """Antarctica takes a quarter of the map: it is drawn when there are images of it."""
        has_images = (self._frame["country"] == _ANTARCTICA).any()
        return "true" if has_images else f"datum.properties.code != '{_ANTARCTICA}'"

    def _shapes(self) -> alt.Chart:
        """Each outline with the row of its country."""
        rows = alt.LookupData(data=_inline(self._frame, "rows"), key="country", fields=_FIELDS)
        shapes = alt.Chart(_outlines()).transform_calculate(
            country="datum.properties.code", name="datum.properties.name"
        )
        return shapes.transform_lookup(lookup="country", from_=rows)

    def _dots(self, cursor: str) -> list[alt.Chart]:
        tiny = self._frame[[country_km2(code) < _TINY_KM2 for code in self._frame["country"]]]
        places = [country_centre(code) for code in tiny["country"]]
        tiny = tiny.assign(
            latitude_deg=[None if place is None else place[0] for place in places],
            longitude_deg=[None if place is None else place[1] for place in places],
            name=[formats.country(code) for code in tiny["country"]],
        ).dropna(subset="latitude_deg")
        if tiny.empty:
            return []
        base = alt.Chart(_inline(tiny, "tiny")).encode(
            latitude="latitude_deg:Q", longitude="longitude_deg:Q"
        )
        rim = base.mark_circle(size=52, opacity=1)
        dot = base.mark_circle(size=30, cursor=cursor)
        return [theme.in_role(rim, "muted"), self._coloured(dot)]

    def _coloured(self, mark: alt.Chart) -> alt.Chart:
        opacity = alt.when(_FEW).then(alt.value(theme.PALE_OPACITY)).otherwise(alt.value(1))
        return mark.encode(
            fill=alt.Fill("value:Q", scale=self._scale, legend=None),
            opacity=opacity,
            tooltip=[
                alt.Tooltip("name:N", title="country"),
                alt.Tooltip("label:N", title=self._title),
                alt.Tooltip("interval:N", title="95 % interval"),
                alt.Tooltip("n_label:N", title="n"),
            ],
        )


class _CloseUp:
    """A map around one or two places: their middle in its middle, north up there."""

    _MARGIN = 1.45
    _LEAST_DEG = 4.0  # half the width of the closest view

    def __init__(self, places: tuple[tuple[float, float], ...]) -> None:
        points = np.array([_unit_vector(*place) for place in places])
        self._ends = points
        middle = points.sum(axis=0)
        if np.linalg.norm(middle) < 1e-6:  # noqa: PLR2004 -- opposite places: any middle will do
            middle = _unit_vector(0.0, places[0][1] + 90.0)
        self.latitude_deg = float(np.degrees(np.arctan2(middle[2], np.hypot(*middle[:2]))))
        self.longitude_deg = float(np.degrees(np.arctan2(middle[1], middle[0])))
        cosine = float(np.clip(points[0] @ points[-1], -1, 1))
        half_deg = float(np.degrees(np.arccos(cosine))) / 2
        self.radius_deg = float(np.clip(half_deg * self._MARGIN, self._LEAST_DEG, 180.0))

    def projection(self) -> dict[str, Any]:
        """Equal-area around the middle (Lambert 1772), so that the line between the ends fits."""
        reach = 2 * np.sin(np.radians(self.radius_deg) / 2)
        return {
            "type": "azimuthalEqualArea",
            "rotate": [-self.longitude_deg, -self.latitude_deg, 0],
            "scale": alt.ExprRef(f"min(width, 2 * height) / 2 / {reach:.6f} / 2 * 1.6"),
            "translate": alt.ExprRef("[width / 2, height / 2]"),
        }

    def layers(self, places: dict[str, tuple[float, float]]) -> list[alt.Chart]:
        rows = pd.DataFrame(
            [(name, *place) for name, place in places.items()],
            columns=["end", "latitude_deg", "longitude_deg"],
        )
        layers = [_land(clip=True), _borders(clip=True)]
        if len(rows) > 1:
            layers.append(_great_circle(rows))
        for end, role, above in (("true", "right", True), ("predicted", "wrong", False)):
            base = alt.Chart(rows[rows["end"] == end]).encode(
                latitude="latitude_deg:Q", longitude="longitude_deg:Q"
            )
            text = base.mark_text(dy=-13 if above else 14, fontWeight="bold")
            layers += [
                theme.in_role(base.mark_circle(size=90, opacity=1), role),
                theme.in_role(text.encode(text="end:N"), "ink"),
            ]
        return layers


def _unit_vector(latitude_deg: float, longitude_deg: float) -> "np.ndarray[Any, Any]":
    latitude, longitude = np.radians([latitude_deg, longitude_deg])
    return np.array(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ]
    )


# Data with a name stays where it is written. Without one, Altair moves it to the top of the
# specification, where Streamlit takes it for a table.
_OUTLINES = "outlines"


def _outlines() -> alt.NamedData:
    """The outlines that `_land`, the lowest layer, brings into the chart."""
    return alt.NamedData(name=_OUTLINES, format=_topojson_format())


def _topojson_format() -> alt.TopoDataFormat:
    return alt.TopoDataFormat(type="topojson", feature=OBJECT_NAME)


def _inline(frame: pd.DataFrame, name: str) -> alt.InlineData:
    """Rows as text: a specification takes it without checking every value."""
    return _text(frame.to_json(orient="records"), name)


def _text(json_text: str, name: str) -> alt.InlineData:
    return alt.InlineData(name=name, values=json_text, format={"type": "json"})


def _land(*, seen: str = "true", clip: bool = False) -> alt.Chart:
    outlines = alt.InlineData(name=_OUTLINES, values=outline_topojson(), format=_topojson_format())
    land = alt.Chart(outlines).mark_geoshape(opacity=0.2, stroke=None, clip=clip)
    return theme.in_role(land.transform_filter(seen), "muted")


def _borders(*, seen: str = "true", clip: bool = False) -> alt.Chart:
    lines = alt.Chart(_outlines()).mark_geoshape(
        filled=False, strokeWidth=0.5, opacity=0.45, clip=clip
    )
    return theme.in_role(lines.transform_filter(seen), "muted")


def _great_circle(rows: pd.DataFrame) -> alt.Chart:
    """d3-geo draws a line of two points as the shortest way on the sphere."""
    ends = rows[["longitude_deg", "latitude_deg"]].to_numpy().tolist()
    line = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": ends}}
    mark = alt.Chart(_text(json.dumps(line), "great_circle")).mark_geoshape(
        filled=False, strokeWidth=1.5, clip=True
    )
    return theme.in_role(mark, "ink")


def _texts(frame: pd.DataFrame, words: Callable[[float | None], str]) -> pd.DataFrame:
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
    enough = frame.loc[frame["n"] >= theme.SMALL_N, "value"].abs()
    farthest = 0.0 if enough.empty else float(enough.max())
    nice = max(np.ceil(farthest / _NICE_DIFFERENCE), 1) * _NICE_DIFFERENCE
    return -float(nice), float(nice)


def _pass_on(key: str, codes: set[str], on_select: Callable[[str], None]) -> None:
    """Hand a click on; one on a country without images, or beside any, says nothing."""
    picked = st.session_state[key].selection.get(_SELECTION) or []
    code = next((each.get("country") for each in picked), None)
    if code in codes:
        on_select(code)


def _alt_text(frame: pd.DataFrame, title: str, words: Callable[[float | None], str]) -> str:
    enough = frame[frame["n"] >= theme.SMALL_N].sort_values("value", ascending=False)
    start = f"Map of the world: {title} of {formats.count(len(frame))} countries"
    if enough.empty:
        return f"{start}, none with {theme.SMALL_N} images or more."
    named = [f"{formats.country(c)} {words(v)}" for c, v in enough[["country", "value"]].to_numpy()]
    highest, lowest = named[:_WORST_AND_BEST], named[-_WORST_AND_BEST:]
    return f"{start}. Highest: {', '.join(highest)}. Lowest: {', '.join(lowest)}."
