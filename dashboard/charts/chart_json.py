"""Turn Altair charts and pydeck maps into JSON quickly.

Altair's validation, type inference and deep copies and pydeck's indented JSON take ten times as
long as the rest; tests validate every specification instead.
"""

import functools
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import pandas as pd
import pydeck as pdk
from pydeck.bindings.json_tools import default_serialize

from dashboard.shell import theme

_DECIMALS: Final = 3  # of degrees: about 100 m
_COMMAND: Final = '"@@'  # begins what deck.gl evaluates, in texts of the data, too
_HARMLESS: Final = '"\u2060@@'  # an invisible joiner before it
_PLACE: Final = "data of this layer"

alt.utils.schemapi.disable_debug_mode()


def specification(layers: Sequence[alt.Chart], **properties: Any) -> dict[str, Any]:
    """Layer charts, the lowest first, their frames as datasets named after their content.

    Charts without rows are left out, unless they can be clicked: a screen reader would stop there.
    Equals `alt.layer(*layers).to_dict()`, for channels whose types are written out, as in "km:Q".
    """
    names: dict[int, str] = {}
    frames: dict[str, pd.DataFrame] = {}
    drawn = []
    for layer in layers:
        parts = to_plain(layer)
        rows = parts["data"]
        if isinstance(rows, pd.DataFrame):
            if rows.empty and "params" not in parts:
                continue
            if id(rows) not in names:
                names[id(rows)] = f"rows_{_digest(rows)}"
                frames[names[id(rows)]] = rows
            parts["data"] = to_plain(alt.NamedData(names[id(rows)]))
        drawn.append(parts)
    chart = alt.LayerChart(**properties)
    return {
        **theme.altair_theme(),
        "$schema": alt.SCHEMA_URL,
        **to_plain(chart),
        "layer": drawn,
        "datasets": frames,
    }


def _digest(rows: pd.DataFrame) -> str:
    """Hash a frame's content: the browser draws a chart again when its datasets' names change."""
    columns = [rows[name].to_numpy() for name in rows]
    values = [each.tolist() if each.dtype == object else each.tobytes() for each in columns]
    return hashlib.blake2b(repr([list(rows), values]).encode(), digest_size=8).hexdigest()


def to_plain(value: Any) -> Any:
    """Convert an Altair object to what `json` writes; frames stay as they are."""
    if isinstance(value, alt.SchemaBase):
        settings = value._kwds  # noqa: SLF001 -- `to_dict` looks at each value eight times
        found = {key: to_plain(each) for key, each in settings.items() if each is not alt.Undefined}
        if "shorthand" in found:
            field = dict(_parsed(found.pop("shorthand")))
            if "type" not in settings:  # as of secondary channels such as X2
                field.pop("type", None)
            elif "type" not in {**field, **found}:
                msg = f"write the type of {field}, as in 'km:Q'"
                raise ValueError(msg)
            found |= field
        if isinstance(found.get("mark"), str):
            found["mark"] = to_plain(alt.MarkDef(found["mark"]))
        return found
    if isinstance(value, dict):
        return {key: to_plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value


@functools.cache
def _parsed(shorthand: str) -> dict[str, Any]:
    return alt.utils.parse_shorthand(shorthand)


class Json:
    """Data of a map layer as JSON text: of a frame, which pandas writes quickly, or as it is."""

    def __init__(self, rows: pd.DataFrame | str) -> None:
        if isinstance(rows, pd.DataFrame):
            text = rows.to_json(orient="records", double_precision=_DECIMALS)
            rows = text.replace(_COMMAND, _HARMLESS)
        self.text = rows


class Deck(pdk.Deck):
    """A map without tiles and without the keys of tile servers that pydeck finds."""

    def __init__(self, layers: Sequence[pdk.Layer], **options: Any) -> None:
        super().__init__(list(layers), map_provider=None, **options)
        self.carto_key = self.mapbox_key = self.google_maps_key = None

    def to_json(self) -> str:
        """Write the map compactly, the data of its layers as they are."""
        texts: list[str] = []

        def default(value: Any) -> Any:
            if not isinstance(value, Json):
                return default_serialize(value)
            texts.append(value.text)
            return _PLACE

        around = json.dumps(self, default=default, separators=(",", ":")).split(f'"{_PLACE}"')
        pairs = zip(around, [*texts, ""], strict=True)
        return "".join(before + text for before, text in pairs)
