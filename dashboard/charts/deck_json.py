"""Turn pydeck maps into compact JSON."""

import json
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import pydeck as pdk
from pydeck.bindings.json_tools import default_serialize

_DECIMALS: Final = 3  # of degrees: about 100 m
_COMMAND: Final = '"@@'  # begins what deck.gl evaluates, in texts of the data, too
_HARMLESS: Final = '"\u2060@@'  # an invisible joiner before it
_PLACE: Final = "data of this layer"


class Json:
    """Data of a map layer as JSON text."""

    def __init__(self, rows: pd.DataFrame | str) -> None:
        if isinstance(rows, pd.DataFrame):
            text = rows.to_json(orient="records", double_precision=_DECIMALS)
            rows = text.replace(_COMMAND, _HARMLESS)
        self.text = rows


class Deck(pdk.Deck):
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
