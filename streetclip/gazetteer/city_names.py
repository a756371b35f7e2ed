"""Find the city that a name means, or that it is ambiguous.

A city is (country, region, name) with its other names and its place: two names of one place are
one city, one name in two regions is two cities.
"""

import difflib
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from streetclip.gazetteer.cities import (
    City,
    all_cities,
    alternate_names,
    listed_cities,
    region_names,
)
from streetclip.gazetteer.countries import LONGEST_NAME, find_country, normalise_name, sovereign_of
from streetclip.geo import haversine_km

SAME_PLACE_KM = 15.0
"""Two places of one name within this distance are one city."""

# A name that several cities bear means the largest only if no other comes near it.
_RIVAL_SHARE = 0.1
_RIVAL_POPULATION = 100_000
_RIVAL_POPULATION_BY_OTHER_NAME = 200_000

_QUALIFIED = re.compile(r"^(?P<name>[^,(（]+)[,(（]\s*(?P<region>[^)）]+?)[)）]?\s*$")
_CITY_OF = re.compile(r"^(?:the )?city of | city$")

# What a region is, not what it is called: "State of Maine", "Hubei Province", "Tokyo Prefecture".
_KINDS = frozenset(
    {
        "state", "province", "region", "prefecture", "department", "departamento", "provincia",
        "estado", "county", "canton", "governorate", "district", "oblast", "krai", "kray",
        "republic", "emirate", "land", "voivodeship", "municipality", "division", "territory",
        "of", "the", "free", "do", "de", "la", "el",
    }
)  # fmt: skip

_ByName = Mapping[str, tuple[City, ...]]


@dataclass(frozen=True, slots=True)
class CityMeant:
    """Hold the city that a name means, if any, and others of that name elsewhere.

    With `city` None, the name is ambiguous among the others, which are most populous first.
    """

    city: City | None
    others: tuple[City, ...] = ()

    @property
    def is_ambiguous(self) -> bool:
        """Return whether several cities could be meant and none is largest."""
        return self.city is None and bool(self.others)


def resolve_city(country_code: str, name: str, region: str | None = None) -> CityMeant:
    """Decide which city of a country a name means.

    A region that the gazetteer knows leaves the cities of that region; one that it does not know
    is ignored. Of several cities left, more than 15 km apart, the most populous is meant only if
    it is clearly the largest: every other has less than a tenth of its inhabitants, and less than
    100,000. A city that bears the name as its main name counts before cities that have it among
    their other names, unless one of those has 200,000 inhabitants or more than it.

    Examples:
        >>> resolve_city("US", "Springfield").is_ambiguous
        True
        >>> resolve_city("JP", "東京").city.name
        'Tokyo'
    """
    bearers = _bearers(country_code, name, region)
    if not bearers:
        return CityMeant(None)
    keys = name_keys(name)
    as_main_name = [city for city in bearers if normalise_name(city.name) in keys]
    first = (as_main_name or bearers)[0]
    others = tuple(city for city in bearers if _distance_km(city, first) > SAME_PLACE_KM)
    if any(_is_rival(city, first, city in as_main_name or not as_main_name) for city in others):
        return CityMeant(None, bearers)
    return CityMeant(first, others)


def find_city(country_code: str, name: str, region: str | None = None) -> City | None:
    """Find a country's most populous city of a name; None if none.

    For lists that people write by hand; `resolve_city` decides what an image's label means.
    Cities that have the name as their main one count before others ("Halle (Saale)"). A region
    that the gazetteer knows excludes cities elsewhere.
    """
    bearers = _bearers(country_code, name, region)
    keys = set(name_keys(name))
    if any(normalise_name(city.name) in keys for city in bearers):
        return next(city for city in bearers if not keys.isdisjoint(name_keys(city.name)))
    return bearers[0] if bearers else None


def suggest_cities(country_code: str, name: str) -> list[str]:
    """Suggest cities above 15,000 people for an unknown name, best first."""
    by_key = {normalise_name(city.name): city.name for city in listed_cities(country_code)[::-1]}
    keys = difflib.get_close_matches(normalise_name(name), by_key, n=3, cutoff=0.6)
    return [by_key[key] for key in keys]


def listed_cities_named(country_code: str, name: str) -> tuple[City, ...]:
    """Find cities above 15,000 people by any name, most populous first."""
    listed = _listed_by_name(country_code)
    return next((listed[key] for key in name_keys(name) if key in listed), ())


def in_region(cities: Sequence[City], name: str, region: str | None) -> tuple[City, ...]:
    """Select the cities that a region allows: all if it is unknown.

    A region that is called like the city surrounds it ("Moscow Oblast") and allows it. A
    territory with a code of its own ("Puerto Rico" in the United States) allows none: its cities
    are listed under that code.
    """
    if not cities:
        return ()
    country_code = cities[0].country_code
    known = known_region(country_code, name, region)
    if known is None:
        return tuple(cities)
    inside = tuple(city for city in cities if city.region == known)
    if inside or _find_territory(country_code, known) is not None:
        return inside
    around = {_bare_region(region or ""), _bare_region(known)} - {""}
    return tuple(city for city in cities if not around.isdisjoint(names_of(city)))


def known_region(country_code: str, name: str, region: str | None) -> str | None:
    """Find a label's region by English name, given or in the name.

    Territories of the country with an ISO code of their own count as regions.
    """
    for text in filter(None, (region, _split(name)[1])):
        found = find_region(country_code, text) or _find_territory(country_code, text)
        if found is not None:
            return found
    return None


def find_region(country_code: str, text: str) -> str | None:
    """Find a division's English name by any name, if exactly one fits.

    Names in English and the country's languages and ISO 3166-2 codes are understood, with or
    without the kind of division.

    Examples:
        >>> find_region("US", "ME"), find_region("US", "State of Maine")
        ('Maine', 'Maine')
    """
    key = normalise_name(text).removeprefix(f"{country_code.lower()} ")
    names, bare_names = _regions_by_key(country_code)
    return names.get(key) or bare_names.get(_bare_region(key))


def _bare_region(text: str) -> str:
    """Normalise a region's name without its kind: "Moscow Oblast" is "moscow"."""
    key = normalise_name(text)
    return " ".join(word for word in key.split() if word not in _KINDS) or key


@functools.cache
def _regions_by_key(country_code: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Map unambiguous full and bare division names to English names."""
    tables: tuple[dict[str, set[str]], dict[str, set[str]]] = ({}, {})
    for of_region in region_names().get(country_code, {}).values():
        # The English names of two divisions may be one: then the code tells nothing.
        for name in of_region:
            for table, key in zip(tables, (normalise_name(name), _bare_region(name)), strict=True):
                table.setdefault(key, set()).add(of_region[0])
    names, bare_names = (
        {key: next(iter(found)) for key, found in table.items() if len(found) == 1}
        for table in tables
    )
    return names, bare_names


@functools.lru_cache(maxsize=2**16)
def name_keys(name: str) -> tuple[str, ...]:
    """Normalise a name: full, without additions, without "City" or "City of".

    Examples:
        >>> name_keys("City of Portland, Maine")
        ('city of portland maine', 'city of portland', 'portland')
    """
    keys = [normalise_name(name)]
    head, _ = _split(name)
    if head:
        keys.append(normalise_name(head))
    keys.append(_CITY_OF.sub("", keys[-1]))
    return tuple(key for key in dict.fromkeys(keys) if key)


@functools.lru_cache(maxsize=2**14)
def names_of(city: City) -> frozenset[str]:
    """Normalise all names of a listed city."""
    names = {normalise_name(name) for name in (city.name, *alternate_names().get(city, ()))}
    return frozenset(names - {""})


def _bearers(country_code: str, name: str, region: str | None) -> tuple[City, ...]:
    """Find cities of a name in the region, most populous first.

    Places below 15,000 people take seconds to read, so they are read only if no larger one fits.
    """
    for key in name_keys(name):
        for by_name in (_listed_by_name, _small_by_name):
            found = in_region(by_name(country_code).get(key, ()), name, region)
            if found:
                return found
    return ()


def _find_territory(country_code: str, text: str) -> str | None:
    """Find the English name of a country's territory with its own code."""
    found = find_country(text)
    if found is None or sovereign_of(found.code) != country_code:
        return None
    return found.name


def _split(name: str) -> tuple[str, str]:
    """Split a name from an addition; blanks if it has none."""
    found = _QUALIFIED.match(name) if len(name) <= LONGEST_NAME else None
    return (found["name"], found["region"]) if found else ("", "")


def _is_rival(city: City, first: City, by_main_name: bool) -> bool:
    if city.population >= first.population:
        return True
    if by_main_name:
        return city.population >= min(_RIVAL_SHARE * first.population, _RIVAL_POPULATION)
    return city.population >= _RIVAL_POPULATION_BY_OTHER_NAME


def _distance_km(one: City, other: City) -> float:
    here, there = (one.latitude_deg, one.longitude_deg), (other.latitude_deg, other.longitude_deg)
    # Most names have one bearer, which is compared with itself.
    return 0.0 if here == there else float(haversine_km(*here, *there))


@functools.cache
def main_names(country_code: str) -> frozenset[str]:
    """Normalise the main names of a country's cities above 15,000 people."""
    return frozenset(normalise_name(city.name) for city in listed_cities(country_code))


@functools.cache
def _listed_by_name(country_code: str) -> _ByName:
    return _by_name((key, city) for city in listed_cities(country_code) for key in names_of(city))


@functools.cache
def _small_by_name(country_code: str) -> _ByName:
    cities = all_cities().get(country_code, ())
    return _by_name((normalise_name(city.name), city) for city in cities)


def _by_name(named: Iterable[tuple[str, City]]) -> _ByName:
    grouped: dict[str, list[City]] = {}
    for key, city in named:
        if key:
            grouped.setdefault(key, []).append(city)
    return {key: tuple(group) for key, group in grouped.items()}
