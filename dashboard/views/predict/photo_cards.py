"""Draw predicted photos: a map of all, a card each, and a table."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import pydeck as pdk
import streamlit as st
from pydeck.types import String

from dashboard.charts import deck_map, legends, tables
from dashboard.charts.deck_map import Json
from dashboard.images.dropped_photos import Dropped
from dashboard.shell import formats, html, theme, url_state
from streetclip.geo import on_map
from streetclip.results import great_circles

_PHOTO: Final = "photo"  # the URL's parameter: the number of the photo to show first
_EXTENT, _WORLD = "extent", "world"
_PER_ROW: Final = 3
_PIXELS: Final = String("pixels")
_ENDS: Final = ("true", "pred")
_AXES: Final = ("latitude", "longitude")


def draw(photos: Sequence[Dropped]) -> None:
    """Draw the map, the cards and the table; what was picked on the map comes first."""
    rows = pd.DataFrame([each.fields | {"number": i} for i, each in enumerate(photos, 1)])
    rows = rows[[bool(each.fields) and not each.problem for each in photos]]
    located = int(rows["distance_km"].notna().sum()) if len(rows) else 0
    html.remark(
        f"{formats.count(len(rows))} of {formats.images(len(photos))} predicted; "
        f"{formats.count(located)} with GPS in their EXIF, shown as the true place. The others "
        "have no truth, and no accuracy is claimed."
    )
    if len(rows):
        _map(rows)
    picked = url_state.page_id(_PHOTO) or 0
    order = sorted(range(1, len(photos) + 1), key=lambda number: number != picked)
    for start in range(0, len(order), _PER_ROW):
        cells = st.columns(_PER_ROW, gap="medium")
        for cell, number in zip(cells, order[start : start + _PER_ROW], strict=False):
            with cell:
                _card(number, photos[number - 1])
    if len(rows):
        with st.expander("Table: all predictions", key="photos_table"):
            _table(rows)


def _map(rows: pd.DataFrame) -> None:
    named = zip(rows["number"], rows["image_filename"], strict=True)
    marks = pd.DataFrame(
        {
            "number": rows["number"],
            "title": [f"{number}. {formats.plain(name, 80)}" for number, name in named],
            "detail": [_confidence(row) for _, row in rows.iterrows()],
        }
    )
    for end in _ENDS:
        degrees = (rows[f"{end}_{axis}_deg"].to_numpy(np.float64) for axis in _AXES)
        marks[f"{end}_x"], marks[f"{end}_y"] = on_map(*degrees)
    layers = [_dots(marks, "pred", theme.WRONG)]
    is_located = rows["distance_km"].notna().to_numpy()
    if is_located.any():
        layers = [_ways(rows[is_located], marks[is_located]), *layers]
        layers.append(_dots(marks[is_located], "true", theme.CORRECT))
    is_world = url_state.page_option(_EXTENT, [_WORLD], "") == _WORLD
    deck_map.draw(
        layers,
        fitted=None if is_world else _positions(marks),
        key="photos_map",
        alt_text=f"A map of where {formats.images(len(rows))} were placed. The table lists them.",
        on_pick=_pick,
        on_world=lambda is_world: url_state.change(**{_EXTENT: _WORLD if is_world else None}),
    )
    names = {"sc-key-prediction": "predicted place", "sc-key-truth": "GPS in the photo's EXIF"}
    legends.draw([legends.key(*each) for each in names.items()])


def _positions(marks: pd.DataFrame) -> deck_map.Positions:
    x, y = (marks[[f"{end}_{axis}" for end in _ENDS]].to_numpy().ravel() for axis in "xy")
    return x, y


def _dots(marks: pd.DataFrame, end: str, colour: str) -> pdk.Layer:
    return pdk.Layer(
        "ScatterplotLayer",
        Json(marks),
        id=f"photos_{end}",
        pickable=True,
        get_position=f"[{end}_x, {end}_y]",
        get_fill_color=deck_map.rgba(colour, 230),
        get_radius=6,
        radius_units=_PIXELS,
    )


def _ways(rows: pd.DataFrame, marks: pd.DataFrame) -> pdk.Layer:
    pieces = great_circles(rows)
    lines = marks.iloc[pieces["arc"]].reset_index(drop=True).assign(path=pieces["path"])
    return pdk.Layer(
        "PathLayer",
        Json(lines),
        id="photos_ways",
        pickable=True,
        get_path="path",
        position_format=String("XY"),
        get_color=deck_map.rgba(theme.APART, 200),
        get_width=1.6,
        width_units=_PIXELS,
    )


def _pick(_layer: str, mark: Mapping[str, Any]) -> None:
    number = mark.get("number")
    url_state.change(**{_PHOTO: str(number) if isinstance(number, int) else None})


def _card(number: int, photo: Dropped) -> None:
    name = formats.plain(photo.name, 80)
    if photo.picture.jpeg:
        st.image(photo.picture.jpeg, alt=f"Photo {number}: {name}", width="stretch")
    html.draw(html.tag("p", html.tag("strong", f"{number}. ", html.name(name)), css="sc-line"))
    if photo.problem:
        html.notice("No prediction", formats.plain(photo.problem, 400), css="sc-alert")
        return
    fields = photo.fields
    html.definitions(
        ("Predicted place", _place(fields, "pred")),
        ("Confidence", _confidence(fields)),
        ("True place", _truth(fields)),
        ("Top countries", [_ranked(formats.country(code), p) for code, p in _top(fields)]),
        ("Cities within it", [_ranked(city, p) for city, _, p in _top(fields, "cities")]),
    )


def _place(fields: Mapping[str, Any], end: str) -> str:
    city = fields[f"{end}_city"]
    named = [formats.plain(city, 80)] if isinstance(city, str) and city else []
    return ", ".join([*named, formats.country(fields[f"{end}_country"])])


def _confidence(fields: Any) -> str:
    sure, of_city = (formats.share(fields[f"{of}_probability"]) for of in ("country", "city"))
    return f"country {sure}, city within it {of_city}"


def _truth(fields: Mapping[str, Any]) -> str:
    if not isinstance(fields["truth_source"], str):
        return "unknown: no GPS in its EXIF"
    place = "at sea"
    if isinstance(fields["true_country"], str):
        place = _place(fields, "true")
    return f"{place}, by GPS in its EXIF, {formats.kilometres(fields['distance_km'])} away"


def _top(fields: Mapping[str, Any], of: str = "countries") -> list[Any]:
    return json.loads(fields[f"top_{of}"])


def _ranked(name: str, probability: float) -> str:
    return f"{formats.share(probability)} {formats.plain(name, 60)}"


def _table(rows: pd.DataFrame) -> None:
    shown = rows.assign(image_filename=[formats.plain(each, 80) for each in rows["image_filename"]])
    columns = {
        "number": tables.whole("photo"),
        "image_filename": tables.text("file"),
        "pred_country": tables.country("predicted country"),
        "country_probability": tables.per_cent("confidence (%)"),
        "pred_city": tables.text("predicted city"),
        "city_probability": tables.per_cent("within the country (%)"),
        "distance_km": tables.decimal("km from its GPS", form="%,.0f"),
    }
    tables.show(shown, columns, key="photos_rows")
