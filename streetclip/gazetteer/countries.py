"""Countries by ISO 3166-1 code: names, continents, borders and sovereign states."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from streetclip.gazetteer.data_files import country_additions, read_geonames
from streetclip.gazetteer.names import normalise_name

_CONTINENT_NAMES = {
    "AF": "Africa", "AN": "Antarctica", "AS": "Asia", "EU": "Europe", "NA": "North America",
    "OC": "Oceania", "SA": "South America",
}  # fmt: skip
CONTINENTS = tuple(_CONTINENT_NAMES.values())

_CONTINENT_KEYS: Mapping[str, str] = {
    **{name.casefold(): name for name in CONTINENTS},
    **{code.casefold(): name for code, name in _CONTINENT_NAMES.items()},
    **dict.fromkeys(("australia", "australia and oceania", "australasia", "pacific"), "Oceania"),
    **dict.fromkeys(("northern america", "central america", "middle america"), "North America"),
    "caribbean": "North America", "latin america": "South America", "middle east": "Asia",
}  # fmt: skip
# Regions that reach beyond the continent of their alias.
_VAGUE_REGIONS = {
    "latin america": {"North America", "South America"},
    "caribbean": {"North America", "South America"},
}
# GeoNames still lists Serbia and Montenegro, and the Netherlands Antilles.
_DISSOLVED = {"CS", "AN"}
# Land borders that GeoNames gives on neither side.
_MORE_NEIGHBOURS = (("CN", "HK"), ("CN", "MO"))


@dataclass(frozen=True)
class Country:
    """Describe a country or territory of ISO 3166-1, or Kosovo (XK).

    `name` and `capital` are in English, without "the"; `neighbours` are codes across land borders.
    """

    code: str
    name: str
    continent: str
    capital: str
    population: int
    neighbours: frozenset[str]
    iso3: str


@functools.cache
def countries() -> Mapping[str, Country]:
    """Read all countries, by ISO 3166-1 alpha-2 code in alphabetical order."""
    rows: dict[str, dict[str, Any]] = read_geonames("countries.json")
    rows = {code: row for code, row in sorted(rows.items()) if code not in _DISSOLVED}
    neighbours = _neighbours(rows)
    found = {}
    for code, row in rows.items():
        corrected = {**row, **country_additions().get(code, {})}
        found[code] = Country(
            code=code,
            name=corrected["name"].strip(),
            continent=_CONTINENT_NAMES[row["continentcode"]],
            capital=corrected["capital"].strip(),
            population=row["population"],
            neighbours=frozenset(neighbours[code]),
            iso3=row["iso3"],
        )
    return MappingProxyType(found)


def _neighbours(rows: Mapping[str, dict[str, Any]]) -> dict[str, set[str]]:
    """Collect borders in both directions; GeoNames lacks some."""
    found: dict[str, set[str]] = {code: set() for code in rows}
    pairs = [(code, other) for code, row in rows.items() for other in row["neighbours"].split(",")]
    for code, other in (*pairs, *_MORE_NEIGHBOURS):
        if other in found:
            found[code].add(other)
            found[other].add(code)
    return found


def are_neighbours(code_a: str, code_b: str) -> bool:
    """Return whether two countries share a land border; unknown codes share none."""
    country = countries().get(code_a)
    return country is not None and code_b in country.neighbours


def sovereign_of(code: str) -> str | None:
    """Return the code of a territory's state; None for a state.

    Examples:
        >>> sovereign_of("GL"), sovereign_of("DK")
        ('DK', None)
    """
    return country_additions().get(code, {}).get("sovereign")


def find_continent(text: str) -> str | None:
    """Find a continent's canonical name by name, alias or GeoNames code."""
    return _CONTINENT_KEYS.get(normalise_name(text).removeprefix("the "))


def is_on_continent(country_code: str, continent: str) -> bool:
    """Return whether a part of a country lies on a continent."""
    more = country_additions().get(country_code, {}).get("continents", ())
    key = normalise_name(continent).removeprefix("the ")
    meant = _VAGUE_REGIONS.get(key, {_CONTINENT_KEYS.get(key)})
    return not meant.isdisjoint({countries()[country_code].continent, *more})
