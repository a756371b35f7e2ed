"""Cities of GeoNames by country: their names, regions, places and populations."""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from streetclip.gazetteer.countries import normalise_name
from streetclip.gazetteer.data_files import country_table, read_geonames, read_table

_SMALLEST_LISTED = 15_000
"""Every place with this many inhabitants, and every capital, is in the list read first."""

# Parts of cities that GeoNames lists as cities: "Paris 15 Vaugirard", "Zürich (Kreis 11)".
_NUMBERED_PART = re.compile(r"(Paris|Lyon|Marseille) \d|Sector \d|.*\(Kreis \d|.* kerület$")


@dataclass(frozen=True, slots=True)
class City:
    """Describe a populated place of GeoNames, or another with `geoname_id` 0.

    `region` is the English name of the first-level division; it is None and population 0 where
    unknown.
    """

    country_code: str
    name: str
    region: str | None
    latitude_deg: float
    longitude_deg: float
    population: int
    geoname_id: int = 0


_ByCountry = Mapping[str, tuple[City, ...]]


def most_populous_cities(
    country_code: str, limit: int, min_population: int = _SMALLEST_LISTED
) -> list[City]:
    """List a country's largest cities, most populous first, each name once.

    Boroughs, districts and quarters are left out; see data/README.md.
    """
    by_country = _listed() if min_population >= _SMALLEST_LISTED else all_cities()
    chosen: dict[str, City] = {}
    for city in by_country.get(country_code, ()):
        if city.population < min_population or len(chosen) == limit:
            break
        if not is_part_of_city(city):
            chosen.setdefault(normalise_name(city.name), city)
    return list(chosen.values())


def is_part_of_city(city: City) -> bool:
    """Return whether a place is a borough, district or quarter of a city."""
    return city.geoname_id in _parts_of_cities() or is_numbered_part(city.name)


def is_numbered_part(name: str) -> bool:
    """Return whether a name shows a numbered district of a city."""
    return _NUMBERED_PART.match(name) is not None


def listed_cities(country_code: str) -> tuple[City, ...]:
    """List capital and places above 15,000 people, most populous first."""
    return _listed().get(country_code, ())


@functools.cache
def all_cities() -> _ByCountry:
    """Read all places above 500 people by country; takes seconds."""

    def read(row: dict[str, Any]) -> Any:
        return _city(row) if "geonameid" in row else row

    return _by_country(read_geonames("cities500.json", read).values())


@functools.cache
def _listed() -> _ByCountry:
    return _by_country(alternate_names())


@functools.cache
def alternate_names() -> Mapping[City, tuple[str, ...]]:
    """Read other names of listed places, in all languages and scripts."""

    def read(row: dict[str, Any]) -> Any:
        return (_city(row), tuple(row["alternatenames"])) if "geonameid" in row else row

    return dict(read_geonames("cities15000.json", read).values())


@functools.cache
def region_names() -> Mapping[str, Mapping[str, list[str]]]:
    """Read names of first-level divisions, English first, by country and admin1 code."""
    table: Mapping[str, Mapping[str, list[str]]] = read_table("regions.json")
    return table


@functools.cache
def _parts_of_cities() -> frozenset[int]:
    return frozenset(read_table("parts_of_cities.json"))


def _by_country(cities: Iterable[City]) -> _ByCountry:
    """Group by country, most populous first; ties by name and place."""
    grouped: dict[str, list[City]] = {}
    for city in cities:
        grouped.setdefault(city.country_code, []).append(city)
    for group in grouped.values():
        group.sort(key=lambda c: (-c.population, c.name, c.latitude_deg, c.longitude_deg))
    return {code: tuple(group) for code, group in grouped.items()}


@functools.cache
def _relisted() -> Mapping[int, str]:
    """Map the ids of places that GeoNames lists under another country to their own."""
    rows = country_table()["countries"].items()
    return {place: code for code, row in rows for place in row.get("places", ())}


def _city(row: dict[str, Any]) -> City:
    country_code = _relisted().get(row["geonameid"], row["countrycode"])
    names = region_names().get(country_code, {}).get(row["admin1code"])
    return City(
        country_code=country_code,
        name=row["name"],
        region=names[0] if names else None,
        latitude_deg=row["latitude"],
        longitude_deg=row["longitude"],
        population=row["population"],
        geoname_id=row["geonameid"],
    )
