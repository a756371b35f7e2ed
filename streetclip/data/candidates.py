"""Candidates: the countries and cities that a prediction chooses from, read from JSON.

`{"France": ["Paris", {"city": "Lyon", "region": null, "latitude": 45.75, "longitude": 4.85}]}`.
Axes: C countries, M cities of all countries together, N images.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from streetclip.errors import CandidatesError, UnknownPlaceError, shown
from streetclip.gazetteer import (
    SAME_PLACE_KM,
    City,
    Country,
    country_label,
    find_city,
    is_main_name,
    listed_cities_named,
    normalise_name,
    resolve_city,
    resolve_country,
    suggest_cities,
)
from streetclip.geo import haversine_km

_LOG = logging.getLogger(__name__)

_MAX_FILE_BYTES = 64 * 2**20
_MAX_NAME_CHARACTERS = 200
_SPELLED_OUT = 5
_KEYS = frozenset({"city", "region", "latitude", "longitude"})
_RANGES = (("latitude", 90.0), ("longitude", 180.0))

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Candidates:
    """C countries and their M cities; the cities of a country stand together.

    Args:
        country_codes: C ISO 3166-1 alpha-2 codes, in the order of the file.
        country_names: C names as the file writes them, or names for its codes; prompts use these.
        city_names: M names.
        city_regions: M regions, None where the file has none.
        city_country_M: Index of each city's country, 0 to C − 1.
        city_offsets: C + 1 bounds: country c has the cities city_offsets[c] to city_offsets[c + 1].
        city_latitude_deg_M: −90 to 90.
        city_longitude_deg_M: −180 to 180.
        sha256: Of the file.
        path: The file.
    """

    country_codes: tuple[str, ...]
    country_names: tuple[str, ...]
    city_names: tuple[str, ...]
    city_regions: tuple[str | None, ...]
    city_country_M: Int64
    city_offsets: Int64
    city_latitude_deg_M: Float64
    city_longitude_deg_M: Float64
    sha256: str
    path: Path
    _country_index: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Index the countries by code."""
        countries = {code: index for index, code in enumerate(self.country_codes)}
        object.__setattr__(self, "_country_index", countries)

    def country_index(self, code: str) -> int:
        """Index of a country by ISO code; −1 where it is no candidate."""
        return self._country_index.get(code, -1)


@dataclass(frozen=True)
class _City:
    name: str
    region: str | None
    latitude_deg: float
    longitude_deg: float
    is_ambiguous: bool = False


def load_candidates(path: Path) -> Candidates:
    """Read a candidates file; coordinates that it leaves out come from the gazetteer.

    Names without coordinates that fit several cities get those of the largest, with one warning.

    Raises:
        CandidatesError: The file is missing, not JSON, empty, or has an unknown country, a country
            or a city twice (under one name or two), a city without coordinates that the gazetteer
            lacks, or a value out of its range. The message has the country and the city.
    """
    content = _read(path)
    entries: list[tuple[Country, str, list[_City]]] = []
    seen: dict[str, str] = {}
    for name, cities in _parse(path, content):
        country = _country(path, name)
        if country.code in seen:
            first = seen[country.code]
            _fail(path, name, f"is the same country as {shown(first)}; expected each once")
        seen[country.code] = name
        label = country_label(name, country)
        entries.append((country, label, _cities(path, country, name, cities)))
    _warn_of_ambiguous_names(path, entries)
    return _assemble(path, hashlib.sha256(content).hexdigest(), entries)


def _warn_of_ambiguous_names(path: Path, entries: list[tuple[Country, str, list[_City]]]) -> None:
    ambiguous = [
        f"{shown(city.name)} ({country.name}) at {city.latitude_deg:.2f}, {city.longitude_deg:.2f}"
        for country, _, cities in entries
        for city in cities
        if city.is_ambiguous
    ]
    if ambiguous:
        _LOG.warning(
            "%s: %d city name%s without coordinates fit%s several cities; the largest is used: "
            "%s%s. Add regions or coordinates.",
            path, len(ambiguous), "s" * (len(ambiguous) != 1), "s" * (len(ambiguous) == 1),
            "; ".join(ambiguous[:_SPELLED_OUT]), "; …" * (len(ambiguous) > _SPELLED_OUT),
        )  # fmt: skip


def _assemble(
    path: Path, sha256: str, entries: list[tuple[Country, str, list[_City]]]
) -> Candidates:
    cities = [city for _, _, of_country in entries for city in of_country]
    counts = [len(of_country) for _, _, of_country in entries]
    return Candidates(
        country_codes=tuple(country.code for country, _, _ in entries),
        country_names=tuple(name for _, name, _ in entries),
        city_names=tuple(city.name for city in cities),
        city_regions=tuple(city.region for city in cities),
        city_country_M=np.repeat(np.arange(len(entries), dtype=np.int64), counts),
        city_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        city_latitude_deg_M=np.array([city.latitude_deg for city in cities], dtype=np.float64),
        city_longitude_deg_M=np.array([city.longitude_deg for city in cities], dtype=np.float64),
        sha256=sha256,
        path=path,
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        msg = (
            f"{path}: cannot be read ({error.strerror}). Name a candidates file with "
            "--candidates_file, or make one with python jobs/build_candidates.py."
        )
        raise CandidatesError(msg) from error
    if len(content) > _MAX_FILE_BYTES:
        msg = f"{path}: is larger than 64 MiB; expected a JSON list of cities by country."
        raise CandidatesError(msg)
    return content


def _parse(path: Path, content: bytes) -> list[tuple[str, Any]]:
    """The (country, cities) pairs of the file; JSON objects stay pairs, so that repeats show."""
    try:
        value = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_Pairs)
    except UnicodeDecodeError as error:
        msg = f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8."
        raise CandidatesError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path}: is not JSON ({shown(error)})."
        raise CandidatesError(msg) from error
    if not isinstance(value, _Pairs):
        msg = f'{path}: is a JSON {_kind(value)}; expected {{"country": ["city", …], …}}.'
        raise CandidatesError(msg)
    if not value:
        msg = f'{path}: has no country; expected {{"country": ["city", …], …}}.'
        raise CandidatesError(msg)
    return value


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs."""


def _country(path: Path, name: str) -> Country:
    try:
        return resolve_country(_name(path, name, name, "the country's name"))
    except UnknownPlaceError as error:
        msg = f"{path}: {error}"
        raise CandidatesError(msg) from None


def _cities(path: Path, country: Country, country_name: str, values: Any) -> list[_City]:
    if isinstance(values, _Pairs) or not isinstance(values, list):
        _fail(path, country_name, f"has a JSON {_kind(values)}; expected a list of cities")
    if not values:
        _fail(path, country_name, "has no city; expected at least one. Add one, or take it out")
    cities: list[_City] = []
    spelled: dict[str, list[_City]] = {}
    for number, value in enumerate(values, start=1):
        city = _city(path, country, country_name, value, number)
        of_name = spelled.setdefault(normalise_name(city.name), [])
        _check_twins(path, country_name, city, [twin for twin in of_name if _are_one(city, twin)])
        of_name.append(city)
        cities.append(city)
    for city, twin in _near_pairs(cities):
        _check_twins(
            path, country_name, city, [twin] if _have_one_place(country, city, twin) else []
        )
    return cities


def _check_twins(path: Path, country_name: str, city: _City, twins: Sequence[_City]) -> None:
    if twins:
        what = f"is the same city as {shown(twins[0].name)}; expected each once. Take one out"
        _fail(path, f"{country_name}, {city.name}", what)


def _are_one(city: _City, twin: _City) -> bool:
    """Whether neither region nor place tells two entries of one name apart."""
    regions = normalise_name(city.region or ""), normalise_name(twin.region or "")
    if all(regions) and regions[0] != regions[1]:
        return False
    return _distance_km(city, twin) <= SAME_PLACE_KM


def _distance_km(city: _City, other: City | _City) -> float:
    return float(
        haversine_km(city.latitude_deg, city.longitude_deg, other.latitude_deg, other.longitude_deg)
    )


def _near_pairs(cities: Sequence[_City]) -> Iterator[tuple[_City, _City]]:
    """Pairs of differently named cities within 15 km, the later one of the file first."""
    latitudes_deg = np.array([city.latitude_deg for city in cities])
    longitudes_deg = np.array([city.longitude_deg for city in cities])
    for i, city in enumerate(cities):
        distance_km = haversine_km(
            city.latitude_deg, city.longitude_deg, latitudes_deg[:i], longitudes_deg[:i]
        )
        for j in np.flatnonzero(distance_km <= SAME_PLACE_KM).tolist():
            if normalise_name(cities[j].name) != normalise_name(city.name):
                yield city, cities[j]


def _have_one_place(country: Country, city: _City, twin: _City) -> bool:
    """Whether two names are those of one city of the gazetteer, such as Bombay and Mumbai."""
    # Two main names are two cities; other names take seconds to read, and are mostly spared here.
    if all(is_main_name(country.code, each.name) for each in (city, twin)):
        return False
    place = _place(country, city)
    return place is not None and place == _place(country, twin)


def _place(country: Country, city: _City) -> City | None:
    """The gazetteer's city that an entry is: of its main name if there is one."""
    key = normalise_name(city.name)
    here = [
        place
        for place in listed_cities_named(country.code, city.name)
        if _distance_km(city, place) <= SAME_PLACE_KM
    ]
    return min(here, key=lambda place: normalise_name(place.name) != key, default=None)


def _city(path: Path, country: Country, country_name: str, value: Any, number: int) -> _City:
    where = f"{country_name}, city {number}"
    if isinstance(value, str):
        return _with_coordinates(path, country, country_name, _name(path, where, value, "city"))
    if not isinstance(value, _Pairs):
        _fail(path, where, f"is a JSON {_kind(value)}; expected a name or an object with 'city'")
    fields = dict(value)
    unknown = [key for key in fields if key not in _KEYS]
    if unknown or len(fields) != len(value):
        what = f"has the key {shown(unknown[0])}" if unknown else "has a key twice"
        _fail(path, where, f"{what}; expected city, region, latitude, longitude, each once")
    name = _name(path, where, fields.get("city"), "city")
    where = f"{country_name}, {name}"
    region = fields.get("region")
    region = None if region is None or region == "" else _name(path, where, region, "region")
    latitude_deg, longitude_deg = (
        _coordinate(path, where, key, fields.get(key), bound) for key, bound in _RANGES
    )
    if latitude_deg is None or longitude_deg is None:
        if latitude_deg is not longitude_deg:
            _fail(path, where, "has one coordinate; expected both or none")
        return _with_coordinates(path, country, country_name, name, region)
    return _City(name, region, latitude_deg, longitude_deg)


def _with_coordinates(
    path: Path, country: Country, country_name: str, name: str, region: str | None = None
) -> _City:
    found = find_city(country.code, name, region)
    if found is None:
        nearest = suggest_cities(country.code, name)
        advice = f". Did you mean {', '.join(map(shown, nearest))}?" if nearest else ""
        where = f"{country_name}, {name}"
        place = country.name if region is None else f"{region}, {country.name}"
        _fail(
            path,
            where,
            "has no coordinates, and the gazetteer has no such city in "
            f"{place}; expected 'latitude' and 'longitude' with it{advice}",
        )
    is_ambiguous = resolve_city(country.code, name, region).is_ambiguous
    return _City(name, region, found.latitude_deg, found.longitude_deg, is_ambiguous)


def _name(path: Path, where: str, value: Any, what: str) -> str:
    if not isinstance(value, str):
        found = "missing" if value is None else f"a JSON {_kind(value)}"
        _fail(path, where, f"{what} is {found}; expected text")
    name = value.strip()
    if not name.isprintable() or not normalise_name(name) or len(name) > _MAX_NAME_CHARACTERS:
        _fail(
            path,
            where,
            f"{what} is {shown(value)}; expected 1 to {_MAX_NAME_CHARACTERS} printable "
            "characters, letters among them",
        )
    return name


def _coordinate(path: Path, where: str, key: str, value: Any, bound: float) -> float | None:
    if value is None:
        return None
    # A whole number may be too large for a float: compare before converting.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not -bound <= value <= bound:
        _fail(path, where, f"{key} is {shown(value)}; expected a number, −{bound:g} to {bound:g}")
    return float(value)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, _Pairs):
        return "object"
    names = {list: "list", str: "text", bool: "true or false", int: "number", float: "number"}
    return names[type(value)]


def _fail(path: Path, where: str, what: str) -> NoReturn:
    msg = f"{path}: {shown(where)}: {what}" + ("" if what.endswith("?") else ".")
    raise CandidatesError(msg)
