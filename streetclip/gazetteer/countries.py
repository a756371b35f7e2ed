"""Countries by ISO 3166 code, under every name that data sets give them."""

import difflib
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from streetclip.errors import UnknownPlaceError, shown
from streetclip.gazetteer.aliases import ALIASES, CORRECTIONS, HINTS, MORE_CONTINENTS
from streetclip.gazetteer.geonames import read_geonames
from streetclip.gazetteer.names import normalise_name
from streetclip.gazetteer.territories import (
    SOVEREIGNS,
    sovereign_in_status,
    split_sovereign,
    split_status,
)

_CONTINENT_NAMES = {
    "AF": "Africa",
    "AN": "Antarctica",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
CONTINENTS = tuple(_CONTINENT_NAMES.values())

_CONTINENT_ALIASES = {
    "australia": "Oceania",
    "australia and oceania": "Oceania",
    "australasia": "Oceania",
    "pacific": "Oceania",
    "northern america": "North America",
    "central america": "North America",
    "middle america": "North America",
    "caribbean": "North America",
    "latin america": "South America",
    "middle east": "Asia",
}
# What reaches beyond the continent of its alias.
_VAGUE_REGIONS = {
    "latin america": {"North America", "South America"},
    "caribbean": {"North America", "South America"},
}
_CODES_IN_USE = frozenset({"USA"})
# GeoNames still lists Serbia and Montenegro, and the Netherlands Antilles.
_DISSOLVED = {"CS", "AN"}
# Land borders that GeoNames gives on neither side.
_MORE_NEIGHBOURS = (("CN", "HK"), ("CN", "MO"))

_REP = re.compile(r"\brep\.", re.IGNORECASE)
_IS = re.compile(r"\bis\.", re.IGNORECASE)
_LONGEST_NAME = 200
# "Federal Republic of Germany", "Kingdom of the Netherlands"; not "State of Georgia". With any
# words before "Republic", "Greenland (Kingdom of Denmark)" would be Denmark.
_FORMAL = re.compile(
    r"(?:(?:federal|federative|democratic|socialist|islamic|arab|peoples|popular|plurinational"
    r"|bolivarian|co ?operative|hashemite|oriental|eastern|independent|sovereign|autonomous"
    r"|federated|grand) )*"
    r"(?:republic|kingdom|commonwealth|duchy|principality|sultanate|union|emirate|federation)"
    r" of (?:the )?(.+)"
    r"|(?:independent|federated|plurinational) states? of (?:the )?(.+)"
)


@dataclass(frozen=True)
class Country:
    """A country or territory that has its own ISO 3166-1 code (and Kosovo, as XK).

    Args:
        code: ISO 3166-1 alpha-2.
        name: English name, as captions and pages show it; without "the".
        continent: One of `CONTINENTS`.
        capital: English name, "" where there is none.
        population: Inhabitants, 0 where there are none.
        neighbours: Codes of those it shares a land border with.
        iso3: ISO 3166-1 alpha-3.
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
    """All countries, by ISO 3166-1 alpha-2 code in alphabetical order.

    Examples:
        >>> countries()["GE"].name, countries()["GE"].continent
        ('Georgia', 'Asia')
    """
    rows: dict[str, dict[str, Any]] = read_geonames("countries.json")
    rows = {code: row for code, row in sorted(rows.items()) if code not in _DISSOLVED}
    neighbours = _neighbours(rows)
    return MappingProxyType(
        {code: _country(row, frozenset(neighbours[code])) for code, row in rows.items()}
    )


def find_country(text: str) -> Country | None:
    """Find a country by code, name or alias; None if there is none.

    Case, accents, punctuation and a leading "the" do not matter. Codes are ISO 3166-1 alpha-2
    and alpha-3.

    Examples:
        >>> [find_country(name).code for name in ("USA", "the netherlands", "Côte d'Ivoire", "ge")]
        ['US', 'NL', 'CI', 'GE']
    """
    return _find_country(text) if len(text) <= _LONGEST_NAME else None


def resolve_country(text: str) -> Country:
    """Find a country, or say which ones have a name like that.

    Raises:
        UnknownPlaceError: No country has that name or code.
    """
    country = find_country(text)
    if country is None:
        nearest = suggest_countries(text)
        advice = f"Did you mean {_either(nearest)}?" if nearest else "Is it a country at all?"
        msg = (
            f"country {shown(text)} is unknown; expected an English name or an ISO 3166 code. "
            f"{advice}"
        )
        raise UnknownPlaceError(msg)
    return country


def suggest_countries(text: str, limit: int = 3) -> list[str]:
    """Names of the countries that an unknown name may mean, best first.

    Examples:
        >>> suggest_countries("Untied States", limit=1)
        ['United States']
        >>> suggest_countries("England")
        ['United Kingdom']
    """
    return list(_suggest_countries(text[:_LONGEST_NAME])[:limit])


def country_label(text: str, country: Country) -> str:
    """The name of a country in captions: as written, unless that is a code or names its state too.

    "USA" is how people write that country, and stays.

    Examples:
        >>> label = lambda text: country_label(text, find_country(text))
        >>> label("FRA"), label("USA"), label(" Holland "), label("Greenland (Denmark)")
        ('France', 'USA', 'Holland', 'Greenland')
    """
    name = text.strip()
    is_code = name.upper() in {country.code, country.iso3} and name.upper() not in _CODES_IN_USE
    return country.name if is_code or _named_with_sovereign(name) else name


def find_continent(text: str) -> str | None:
    """The canonical name of a continent, from a name, an alias or a GeoNames code.

    Examples:
        >>> find_continent("north america"), find_continent("EU"), find_continent("Atlantis")
        ('North America', 'Europe', None)
    """
    return _continent_keys().get(normalise_name(text).removeprefix("the "))


def is_on_continent(country_code: str, continent: str) -> bool:
    """Whether a part of a country lies on a continent, by any of its names.

    Examples:
        >>> is_on_continent("TR", "Europe"), is_on_continent("TR", "Middle East")
        (True, True)
        >>> is_on_continent("FR", "Asia"), is_on_continent("MX", "Latin America")
        (False, True)
    """
    name = find_continent(continent)
    country = countries()[country_code]
    on = {country.continent, *MORE_CONTINENTS.get(country_code, ())}
    key = normalise_name(continent).removeprefix("the ")
    return not on.isdisjoint(_VAGUE_REGIONS.get(key, {name}))


def are_neighbours(code_a: str, code_b: str) -> bool:
    """Whether two countries share a land border; unknown codes share none."""
    country = countries().get(code_a)
    return country is not None and code_b in country.neighbours


@functools.lru_cache(maxsize=2**14)
def _find_country(text: str) -> Country | None:
    for spelling in _spellings(text):
        code = _code(normalise_name(spelling).removeprefix("the "))
        if code:
            return countries()[code]
    return _find_twice_named(text) or _named_with_sovereign(text)


@functools.lru_cache(maxsize=2**14)
def _named_with_sovereign(text: str) -> Country | None:
    """Find a territory by a text that names it first, and then its state or status."""
    key = normalise_name(text).removeprefix("the ")
    if key in _country_keys():
        return None
    parts = [(_code(name), sovereign) for name, sovereign in split_status(key)]
    named = split_sovereign(text)
    if named is not None:
        name = normalise_name(named[0]).removeprefix("the ")
        parts.append((_code(name), normalise_name(named[1]).removeprefix("the ")))
    for territory, sovereign in parts:
        if territory and _is_sovereign(sovereign, SOVEREIGNS.get(territory)):
            return countries()[territory]
    return None


def _is_sovereign(key: str, code: str | None) -> bool:
    if code is None or not key:
        return code is not None
    name, named_code = sovereign_in_status(key)
    return code in {_code(name) if name else None, named_code}


def _code(key: str) -> str | None:
    keys = _country_keys()
    formal = _FORMAL.fullmatch(key)
    return keys.get(key) or (keys.get(formal[1] or formal[2]) if formal else None)


def _spellings(text: str) -> Iterator[str]:
    """A name as it is; "Korea, Republic of" the other way round; "Cook Is." written out."""
    yield text
    for pattern in (r"([^,]+),([^,]+)", r"([^()]+)\(([^()]+)\)\s*"):
        match = re.fullmatch(pattern, text)
        if match and re.search(r"\b(of|the)\s*$", match[2], re.IGNORECASE):
            yield f"{match[2].strip()} {match[1].strip()}"
    yield _REP.sub("Republic", _IS.sub("Islands", text))


def _find_twice_named(text: str) -> Country | None:
    """A name with another in brackets, "Cabo Verde (Cape Verde)": both must mean one country."""
    match = re.fullmatch(r"([^()]+)\(([^()]+)\)\s*", text)
    if match is None:
        return None
    outside, inside = (_find_country(part.strip()) for part in match.groups())
    return outside if outside == inside else None


@functools.cache
def _country_keys() -> Mapping[str, str]:
    keys: dict[str, str] = {}
    for country in countries().values():
        names = (country.code, country.iso3, country.name, *ALIASES.get(country.code, ()))
        for name in names:
            keys[normalise_name(name)] = country.code
    return keys


@functools.cache
def _continent_keys() -> Mapping[str, str]:
    codes = {code.casefold(): name for code, name in _CONTINENT_NAMES.items()}
    return {**{name.casefold(): name for name in CONTINENTS}, **codes, **_CONTINENT_ALIASES}


@functools.lru_cache(maxsize=1024)
def _suggest_countries(text: str) -> tuple[str, ...]:
    key = normalise_name(text).removeprefix("the ")
    if key in HINTS:
        return tuple(countries()[code].name for code in HINTS[key])
    keys = {name: code for name, code in _country_keys().items() if len(name) > 3}  # noqa: PLR2004
    inside = [name for name in keys if re.search(rf"\b{re.escape(name)}\b", key)]
    # "Georgia, USA": each part by itself, codes included.
    parts = re.split(r"[,/()\[\]]", text)
    codes = [found.code for found in map(_find_country, parts) if found]
    codes += [keys[name] for name in sorted(inside, key=len, reverse=True)]
    codes += [keys[name] for name in difflib.get_close_matches(key, keys, n=12, cutoff=0.6)]
    return tuple(countries()[code].name for code in dict.fromkeys(codes))


def _country(row: dict[str, Any], neighbours: frozenset[str]) -> Country:
    row = {**row, **CORRECTIONS.get(row["iso"], {})}
    return Country(
        code=row["iso"],
        name=row["name"].strip(),
        continent=_CONTINENT_NAMES[row["continentcode"]],
        capital=row["capital"].strip(),
        population=row["population"],
        neighbours=neighbours,
        iso3=row["iso3"],
    )


def _neighbours(rows: Mapping[str, dict[str, Any]]) -> dict[str, set[str]]:
    """Both ways round: GeoNames gives some borders on one side only."""
    found: dict[str, set[str]] = {code: set() for code in rows}
    pairs = [(code, other) for code, row in rows.items() for other in row["neighbours"].split(",")]
    for code, other in (*pairs, *_MORE_NEIGHBOURS):
        if other in found:
            found[code].add(other)
            found[other].add(code)
    return found


def _either(names: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
