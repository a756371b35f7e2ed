"""Read and list candidates, the countries and cities that a prediction chooses from.

`{"France": ["Paris", {"city": "Lyon", "region": null, "latitude": 45.75, "longitude": 4.85}]}`.
Axes: C countries, M cities of all countries together, N images.
"""

import functools
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.errors import CandidatesError, UnknownPlaceError, shown
from streetclip.files import write_text
from streetclip.gazetteer import SAME_PLACE_KM, City, Country, normalise_name
from streetclip.gazetteer.cities import listed_cities
from streetclip.gazetteer.countries import LONGEST_NAME
from streetclip.geo import haversine_km

_LOG = logging.getLogger(__name__)

_MAX_FILE_BYTES = 64 * 2**20
_SPELLED_OUT = 5
_FEWEST_INHABITANTS = 500  # below, a territory is a research station or a lone village
_COORDINATE_DIGITS = 5  # about a metre, as GeoNames has them
_KEYS = frozenset({"city", "region", "latitude", "longitude"})
_RANGES = (("latitude", 90.0), ("longitude", 180.0))

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Hold C countries and their M cities, grouped by country."""

    country_codes: tuple[str, ...]
    country_names: tuple[str, ...]  # as in the file, or names for its codes; prompts use these
    city_names: tuple[str, ...]
    city_regions: tuple[str | None, ...]
    city_country_M: Int64  # index of each city's country, 0 to C − 1
    city_offsets: Int64  # C + 1 bounds: country c has cities city_offsets[c] to city_offsets[c + 1]
    city_latitude_deg_M: Float64
    city_longitude_deg_M: Float64
    sha256: str
    path: Path


@dataclass(frozen=True)
class _City:
    name: str
    region: str | None
    latitude_deg: float
    longitude_deg: float
    is_ambiguous: bool = False


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as pairs, to find repeated keys."""


def load_candidates(path: Path) -> Candidates:
    """Read a candidates file; missing coordinates come from the gazetteer.

    Names without coordinates that fit several cities get those of the largest, with one warning.
    What cannot be used raises a `CandidatesError` that names country and city.
    """
    try:
        content = _read(path)
        entries = _countries(_parse(content))
    except (CandidatesError, UnknownPlaceError) as error:
        msg = f"{path}: {error}"
        raise CandidatesError(msg) from error.__cause__
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
    cities = [city for _, _, of_country in entries for city in of_country]
    counts = [len(of_country) for _, _, of_country in entries]
    return Candidates(
        country_codes=tuple(country.code for country, _, _ in entries),
        country_names=tuple(label for _, label, _ in entries),
        city_names=tuple(city.name for city in cities),
        city_regions=tuple(city.region for city in cities),
        city_country_M=np.repeat(np.arange(len(entries), dtype=np.int64), counts),
        city_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        city_latitude_deg_M=np.array([city.latitude_deg for city in cities], dtype=np.float64),
        city_longitude_deg_M=np.array([city.longitude_deg for city in cities], dtype=np.float64),
        sha256=hashlib.sha256(content).hexdigest(),
        path=path,
    )


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        msg = (
            f"cannot be read ({error.strerror}). Name a candidates file with "
            "--candidates_file, or make one with python jobs/build_candidates.py."
        )
        raise CandidatesError(msg) from error
    if len(content) > _MAX_FILE_BYTES:
        msg = "is larger than 64 MiB; expected a JSON list of cities by country."
        raise CandidatesError(msg)
    return content


def _parse(content: bytes) -> _Pairs:
    try:
        value = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_Pairs)
    except UnicodeDecodeError as error:
        msg = f"byte {error.start} is not UTF-8. Save the file as UTF-8."
        raise CandidatesError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"is not JSON ({shown(error)})."
        raise CandidatesError(msg) from error
    if not isinstance(value, _Pairs) or not value:
        found = f"is a JSON {_kind(value)}" if not isinstance(value, _Pairs) else "has no country"
        msg = f'{found}; expected {{"country": ["city", …], …}}.'
        raise CandidatesError(msg)
    return value


def _countries(pairs: _Pairs) -> list[tuple[Country, str, list[_City]]]:
    entries = []
    seen: dict[str, str] = {}
    for name, cities in pairs:
        country = gazetteer.resolve_country(_name(name, name, "the country's name"))
        if country.code in seen:
            first = seen[country.code]
            _fail(name, f"is the same country as {shown(first)}; expected each once")
        seen[country.code] = name
        label = gazetteer.country_label(name, country)
        entries.append((country, label, _cities(country, name, cities)))
    return entries


def _cities(country: Country, country_name: str, values: Any) -> list[_City]:
    if isinstance(values, _Pairs) or not isinstance(values, list):
        _fail(country_name, f"has a JSON {_kind(values)}; expected a list of cities")
    if not values:
        _fail(country_name, "has no city; expected at least one. Add one, or take it out")
    cities = [
        _city(country, country_name, value, number) for number, value in enumerate(values, start=1)
    ]
    places_deg = np.array([(city.latitude_deg, city.longitude_deg) for city in cities]).T
    for i, city in enumerate(cities):
        distance_km = haversine_km(city.latitude_deg, city.longitude_deg, *places_deg[:, :i])
        for j in np.flatnonzero(distance_km <= SAME_PLACE_KM).tolist():
            if _are_one(country, city, cities[j]):
                what = f"is the same city as {shown(cities[j].name)}; expected each once"
                _fail(f"{country_name}, {city.name}", f"{what}. Take one out")
    return cities


def _city(country: Country, country_name: str, value: Any, number: int) -> _City:
    where = f"{country_name}, city {number}"
    if not isinstance(value, str | _Pairs):
        _fail(where, f"is a JSON {_kind(value)}; expected a name or an object with 'city'")
    fields = {"city": value} if isinstance(value, str) else dict(value)
    unknown = [key for key in fields if key not in _KEYS]
    if unknown or (isinstance(value, _Pairs) and len(fields) != len(value)):
        what = f"has the key {shown(unknown[0])}" if unknown else "has a key twice"
        _fail(where, f"{what}; expected city, region, latitude, longitude, each once")
    name = _name(where, fields.get("city"), "city")
    where = f"{country_name}, {name}"
    region = fields.get("region")
    region = None if region is None or region == "" else _name(where, region, "region")
    latitude_deg, longitude_deg = (
        _coordinate(where, key, fields.get(key), bound) for key, bound in _RANGES
    )
    if latitude_deg is not None and longitude_deg is not None:
        return _City(name, region, latitude_deg, longitude_deg)
    if latitude_deg is not longitude_deg:
        _fail(where, "has one coordinate; expected both or none")
    found = gazetteer.find_city(country.code, name, region)
    if found is None:
        nearest = gazetteer.suggest_cities(country.code, name)
        advice = f". Did you mean {', '.join(map(shown, nearest))}?" if nearest else ""
        place = country.name if region is None else f"{region}, {country.name}"
        what = f"has no coordinates, and the gazetteer has no such city in {place}"
        _fail(where, f"{what}; expected 'latitude' and 'longitude' with it{advice}")
    is_ambiguous = gazetteer.resolve_city(country.code, name, region).is_ambiguous
    return _City(name, region, found.latitude_deg, found.longitude_deg, is_ambiguous)


def _name(where: str, value: Any, what: str) -> str:
    if not isinstance(value, str):
        found = "missing" if value is None else f"a JSON {_kind(value)}"
        _fail(where, f"{what} is {found}; expected text")
    name = value.strip()
    if not name.isprintable() or not normalise_name(name):  # also if too long
        expected = f"1 to {LONGEST_NAME} printable characters, letters among them"
        _fail(where, f"{what} is {shown(value)}; expected {expected}")
    return name


def _coordinate(where: str, key: str, value: Any, bound: float) -> float | None:
    if value is None:
        return None
    # A whole number may be too large for a float: compare before converting.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not -bound <= value <= bound:
        _fail(where, f"{key} is {shown(value)}; expected a number, −{bound:g} to {bound:g}")
    return float(value)


def _are_one(country: Country, city: _City, twin: _City) -> bool:
    """Return whether two entries within 15 km are one city."""
    if normalise_name(city.name) == normalise_name(twin.name):
        regions = {normalise_name(each.region or "") for each in (city, twin)}
        return "" in regions or len(regions) == 1
    # Two main names are two cities; other names take seconds to read, and are mostly spared here.
    if gazetteer.main_names(country.code).issuperset(normalise_name(e.name) for e in (city, twin)):
        return False
    place = _place(country, city)
    return place is not None and place == _place(country, twin)


def _place(country: Country, city: _City) -> City | None:
    """Find the gazetteer's city of an entry, by main name first."""
    key = normalise_name(city.name)
    here = [
        place
        for place in gazetteer.listed_cities_named(country.code, city.name)
        if haversine_km(
            city.latitude_deg, city.longitude_deg, place.latitude_deg, place.longitude_deg
        )
        <= SAME_PLACE_KM
    ]
    return min(here, key=lambda place: normalise_name(place.name) != key, default=None)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, _Pairs):
        return "object"
    names = {list: "list", str: "text", bool: "true or false", int: "number", float: "number"}
    return names[type(value)]


def _fail(where: str, what: str) -> NoReturn:
    msg = f"{shown(where)}: {what}" + ("" if what.endswith("?") else ".")
    raise CandidatesError(msg)


def list_cities(
    country_codes: Sequence[str] = (), *, cities_per_country: int, min_population: int
) -> dict[str, list[City]]:
    """List countries' most populous cities, by country name in alphabetical order.

    A country without a city of `min_population` gives its largest place; no codes mean all.
    """
    chosen = {}
    for code in country_codes or gazetteer.countries():
        country = gazetteer.countries()[code]
        if country.population < _FEWEST_INHABITANTS and not country_codes:
            continue
        cities = gazetteer.most_populous_cities(code, cities_per_country, min_population)
        cities = cities or list(listed_cities(code)[:1])
        if cities:
            chosen[country.name] = cities
    return dict(sorted(chosen.items()))


def write_cities(path: Path, cities: Mapping[str, Sequence[City]]) -> None:
    """Write a candidates file atomically, one city a line."""
    dump = functools.partial(json.dumps, ensure_ascii=False, allow_nan=False)
    countries_text = []
    for name, of_country in cities.items():
        lines = ",\n".join(f"    {dump(_json_entry(city))}" for city in of_country)
        countries_text.append(f"  {dump(name)}: [\n{lines}\n  ]")
    write_text(path, "{\n" + ",\n".join(countries_text) + "\n}\n")


def _json_entry(city: City) -> dict[str, Any]:
    region = {} if city.region is None else {"region": city.region}
    latitude, longitude = (
        round(v, _COORDINATE_DIGITS) for v in (city.latitude_deg, city.longitude_deg)
    )
    return {"city": city.name, **region, "latitude": latitude, "longitude": longitude}
