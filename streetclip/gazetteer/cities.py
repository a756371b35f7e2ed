"""Cities by (country, name): never by name alone."""

import difflib
import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from streetclip.gazetteer.geonames import read_geonames
from streetclip.gazetteer.names import normalise_name

SMALLEST_LISTED = 15_000
"""Every place with this many inhabitants, and every capital, is in the list read first."""

# Parts of cities that GeoNames lists as cities: "Paris 15 Vaugirard", "Zürich (Kreis 11)".
_NUMBERED_PART = re.compile(r"(Paris|Lyon|Marseille) \d|Sector \d|.*\(Kreis \d")
_PARTS_OF_CITIES = frozenset(
    ("US", name)
    for name in ("Brooklyn", "Queens", "Manhattan", "The Bronx", "Staten Island", "South Boston",
                 "New South Memphis")
)  # fmt: skip

# GeoNames numbers the first-level divisions of these countries; elsewhere regions have no names.
_REGIONS: Mapping[str, Mapping[str, str]] = {
    "AU": {
        "01": "Australian Capital Territory",
        "02": "New South Wales",
        "03": "Northern Territory",
        "04": "Queensland",
        "05": "South Australia",
        "06": "Tasmania",
        "07": "Victoria",
        "08": "Western Australia",
    },
    "CA": {
        "01": "Alberta",
        "02": "British Columbia",
        "03": "Manitoba",
        "04": "New Brunswick",
        "05": "Newfoundland and Labrador",
        "07": "Nova Scotia",
        "08": "Ontario",
        "09": "Prince Edward Island",
        "10": "Quebec",
        "11": "Saskatchewan",
        "12": "Yukon",
        "13": "Northwest Territories",
        "14": "Nunavut",
    },
    "GB": {"ENG": "England", "NIR": "Northern Ireland", "SCT": "Scotland", "WLS": "Wales"},
}


@dataclass(frozen=True, slots=True)
class City:
    """A populated place.

    Args:
        country_code: ISO 3166-1 alpha-2.
        name: English or local name in Latin letters.
        region: State or province where known: in Australia, Canada, the United Kingdom and the
            United States; else None.
        latitude_deg: −90 to 90.
        longitude_deg: −180 to 180.
        population: Inhabitants, 0 where unknown.
    """

    country_code: str
    name: str
    region: str | None
    latitude_deg: float
    longitude_deg: float
    population: int


def find_city(country_code: str, name: str, region: str | None = None) -> City | None:
    """Find a city of a country by name; None if GeoNames has none.

    Tried in this order: the names of places above 15,000 people, their other names ("München"),
    the names of places above 500. The last list takes seconds to read, and is read only then.

    Args:
        country_code: ISO 3166-1 alpha-2.
        name: Compared by `normalise_name`.
        region: Prefer the city of that region among several of one name; else the most populous.

    Examples:
        >>> find_city("CR", "San José").latitude_deg, find_city("US", "San Jose").latitude_deg
        (9.93388, 37.33939)
        >>> find_city("US", "Portland", region="Maine").longitude_deg
        -70.2589
    """
    key = normalise_name(name)
    if not key:
        return None
    for index in (_listed_by_name, _listed_by_alternate_name, _small_by_name):
        found = index(country_code).get(key)
        if found:
            same_region = normalise_name(region or "")
            in_region = (c for c in found if normalise_name(c.region or "") == same_region)
            return next(in_region, found[0]) if same_region else found[0]
    return None


def most_populous_cities(
    country_code: str, limit: int, min_population: int = SMALLEST_LISTED
) -> list[City]:
    """The largest cities of a country, most populous first; of one name only the largest.

    Boroughs and numbered districts are left out.

    Args:
        country_code: ISO 3166-1 alpha-2.
        limit: How many at most.
        min_population: Smallest city to take.

    Examples:
        >>> [city.name for city in most_populous_cities("NZ", limit=2)]
        ['Auckland', 'Christchurch']
    """
    by_country = _listed() if min_population >= SMALLEST_LISTED else _small()
    chosen: dict[str, City] = {}
    for city in by_country.get(country_code, ()):
        if city.population < min_population or len(chosen) == limit:
            break
        if not _is_part_of_city(city):
            chosen.setdefault(normalise_name(city.name), city)
    return list(chosen.values())


def suggest_cities(country_code: str, name: str, limit: int = 3) -> list[str]:
    """Names of the cities above 15,000 people that an unknown name may mean, best first."""
    index = _listed_by_name(country_code)
    keys = difflib.get_close_matches(normalise_name(name), index, n=limit, cutoff=0.6)
    return [index[key][0].name for key in keys]


def largest_listed_place(country_code: str) -> City | None:
    """The most populous place of a country in the list read first, however small: its capital."""
    return next(iter(_listed().get(country_code, ())), None)


def all_cities() -> Mapping[str, tuple[City, ...]]:
    """Every place above 500 people by country code, most populous first; takes seconds to read."""
    return _small()


_Alternates = Mapping[City, tuple[str, ...]]
_ByCountry = Mapping[str, tuple[City, ...]]
_ByName = Mapping[str, tuple[City, ...]]


@functools.cache
def _listed_with_alternates() -> _Alternates:
    regions = _regions()

    def read(row: dict[str, Any]) -> Any:
        return (_city(row, regions), tuple(row["alternatenames"])) if "geonameid" in row else row

    return dict(read_geonames("cities15000.json", read).values())


@functools.cache
def _listed() -> _ByCountry:
    return _by_country(_listed_with_alternates())


@functools.cache
def _small() -> _ByCountry:
    regions = _regions()

    def read(row: dict[str, Any]) -> Any:
        return _city(row, regions) if "geonameid" in row else row

    return _by_country(read_geonames("cities500.json", read).values())


@functools.cache
def _listed_by_name(country_code: str) -> _ByName:
    return _by_name((city.name, city) for city in _listed().get(country_code, ()))


@functools.cache
def _listed_by_alternate_name(country_code: str) -> _ByName:
    alternates = _listed_with_alternates()
    cities = _listed().get(country_code, ())
    return _by_name((name, city) for city in cities for name in alternates[city])


@functools.cache
def _small_by_name(country_code: str) -> _ByName:
    return _by_name((city.name, city) for city in _small().get(country_code, ()))


def _is_part_of_city(city: City) -> bool:
    numbered = _NUMBERED_PART.match(city.name) is not None
    return numbered or (city.country_code, city.name) in _PARTS_OF_CITIES


def _by_country(cities: Iterable[City]) -> _ByCountry:
    """Most populous first; ties by name and place, so that the order is the same everywhere."""
    grouped: dict[str, list[City]] = {}
    for city in cities:
        grouped.setdefault(city.country_code, []).append(city)
    return {
        code: tuple(
            sorted(group, key=lambda c: (-c.population, c.name, c.latitude_deg, c.longitude_deg))
        )
        for code, group in grouped.items()
    }


def _by_name(named: Iterable[tuple[str, City]]) -> _ByName:
    grouped: dict[str, list[City]] = {}
    for name, city in named:
        key = normalise_name(name)
        if key:
            grouped.setdefault(key, []).append(city)
    return {key: tuple(group) for key, group in grouped.items()}


def _regions() -> Mapping[str, Mapping[str, str]]:
    states: dict[str, dict[str, Any]] = read_geonames("us_states.json")
    return {**_REGIONS, "US": {code: state["name"] for code, state in states.items()}}


def _city(row: dict[str, Any], regions: Mapping[str, Mapping[str, str]]) -> City:
    return City(
        country_code=row["countrycode"],
        name=row["name"],
        region=regions.get(row["countrycode"], {}).get(row["admin1code"]),
        latitude_deg=row["latitude"],
        longitude_deg=row["longitude"],
        population=row["population"],
    )
