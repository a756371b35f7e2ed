"""Countries by ISO 3166-1 code, and how to find them by any name that datasets use."""

import difflib
import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from streetclip.errors import UnknownPlaceError, shown
from streetclip.gazetteer.data_files import country_additions, country_table, read_geonames

LONGEST_NAME = 200
"""In characters: no place has a longer name; what is longer is junk, not worth a cache entry."""
_NOT_DECOMPOSED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ħ": "h"}
)
# Accents of the European scripts, Arabic and Hebrew points. Marks of other scripts are vowels.
_ACCENTS = re.compile("[\u0300-\u036f\u0591-\u05bd\u064b-\u065f]")
_APOSTROPHES = re.compile("['’‘ʻʼʾʿ`´]")
_SAINT = re.compile(r"\b(?:st(e?)|sankt)\b")
_ABBREVIATED = re.compile(r"^(?:m(t)|ft) (?=.)")

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

_CODES_IN_USE = frozenset({"USA"})
_SHORTEST_SUGGESTED = 4  # characters: shorter keys are codes

_REP = re.compile(r"\brep\.", re.IGNORECASE)
_IS = re.compile(r"\bis\.", re.IGNORECASE)
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
_BRACKETED = re.compile(r"([^()]+)\(([^()]+)\)\s*")
_INVERTED = (re.compile(r"([^,]+),([^,]+)"), _BRACKETED)
_ENDS_WITH_ARTICLE = re.compile(r"\b(of|the)\s*$", re.IGNORECASE)

# Territories that are named together with their state or status: "Greenland (Denmark)",
# "Macao Special Administrative Region of China", "Bermuda (British Overseas Territory)".
_ADJECTIVES: Mapping[str, str] = {
    "american": "US", "australian": "AU", "british": "GB", "chinese": "CN", "danish": "DK",
    "dutch": "NL", "finnish": "FI", "french": "FR", "norwegian": "NO",
}  # fmt: skip
_STATUS = (
    r"(?:(?:british|french|american|us|danish|dutch|norwegian|finnish|australian|self governing"
    r"|unincorporated|external|insular|constituent|overseas|autonomous|special administrative"
    r"|crown) )*"
    r"(?:region|territory|country|department|collectivity|dependency|area|sar|bailiwick"
    r"|community|province|possession)"
)
_STATUS_FIRST = re.compile(rf"{_STATUS} of (?:the )?(.+)")
_STATUS_LAST = re.compile(rf"(.+?) {_STATUS}(?: of (?:the )?(.+))?")
_STATUS_ALONE = re.compile(rf"{_STATUS}(?: (?:of|to) (?:the )?(.+))?")
_WITH_SECOND_NAME = re.compile(r"([^,()]+)(?:,([^,()]+)|\(([^()]+)\))\s*")


def normalise_name(text: str) -> str:
    """Reduce a name to what its spellings share.

    Case, accents, punctuation and spacing are dropped; "&" is "and", "St." and "Sankt" are
    "Saint"; "Mt." and "Ft." before a name are "Mount" and "Fort". Letters of all scripts stay.
    Text longer than 200 characters gives "", which is no name.

    Examples:
        >>> normalise_name("  São   Tomé & Príncipe "), normalise_name("St. John's")
        ('sao tome and principe', 'saint johns')
    """
    return _normalise(text) if len(text) <= LONGEST_NAME else ""


@functools.lru_cache(maxsize=2**16)
def _normalise(text: str) -> str:
    text = text.casefold()
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).translate(_NOT_DECOMPOSED)
        text = unicodedata.normalize("NFC", _ACCENTS.sub("", text))
    text = _APOSTROPHES.sub("", text).replace("&", " and ")
    if not text.isalnum():
        kept = (c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in text)
        text = " ".join("".join(kept).split())
    text = _ABBREVIATED.sub(lambda match: "mount " if match[1] else "fort ", text)
    return _SAINT.sub(lambda match: "saint" + (match[1] or ""), text)


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
        corrected = {**row, **country_additions(code)}
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
    """Return the code of a territory's state; None for a state."""
    return country_additions(code).get("sovereign")


def find_continent(text: str) -> str | None:
    """Find a continent's canonical name by name, alias or GeoNames code."""
    return _CONTINENT_KEYS.get(normalise_name(text).removeprefix("the "))


def is_on_continent(country_code: str, continent: str) -> bool:
    """Return whether a part of a country lies on a continent."""
    more = country_additions(country_code).get("continents", ())
    key = normalise_name(continent).removeprefix("the ")
    meant = _VAGUE_REGIONS.get(key, {_CONTINENT_KEYS.get(key)})
    return not meant.isdisjoint({countries()[country_code].continent, *more})


def find_country(text: str) -> Country | None:
    """Find a country by ISO 3166-1 code, name or alias, if known.

    Case, accents, punctuation and a leading "the" do not matter.

    Examples:
        >>> [find_country(name).code for name in ("USA", "the netherlands", "Côte d'Ivoire", "ge")]
        ['US', 'NL', 'CI', 'GE']
    """
    return _find_country(text) if len(text) <= LONGEST_NAME else None


def resolve_country(text: str) -> Country:
    """Find a country, or raise an `UnknownPlaceError` that suggests similar ones."""
    country = find_country(text)
    if country is None:
        nearest = suggest_countries(text)
        advice = f"Did you mean {' or '.join(nearest)}?" if nearest else "Is it a country at all?"
        expected = "expected an English name or an ISO 3166 code"
        msg = f"country {shown(text)} is unknown; {expected}. {advice}"
        raise UnknownPlaceError(msg)
    return country


def suggest_countries(text: str) -> list[str]:
    """Suggest up to three names of countries for an unknown name, best first."""
    return list(_suggest_countries(text[:LONGEST_NAME])[:3])


def country_label(text: str, country: Country) -> str:
    """Name a country in captions: as written, but codes written out.

    "USA" is a common name of the country, and stays.

    Examples:
        >>> label = lambda text: country_label(text, find_country(text))
        >>> label("FRA"), label("USA"), label(" Holland "), label("Greenland (Denmark)")
        ('France', 'USA', 'Holland', 'Greenland')
    """
    name = text.strip()
    is_code = name.upper() in {country.code, country.iso3} and name.upper() not in _CODES_IN_USE
    return country.name if is_code or _find_with_sovereign(name) else name


@functools.lru_cache(maxsize=2**14)
def _find_country(text: str) -> Country | None:
    for spelling in _spellings(text):
        if code := _code(_key(spelling)):
            return countries()[code]
    # A name with another in brackets, "Cabo Verde (Cape Verde)": both must mean one country.
    if match := _BRACKETED.fullmatch(text):
        outside, inside = (_find_country(part.strip()) for part in match.groups())
        if outside is not None and outside == inside:
            return outside
    return _find_with_sovereign(text)


@functools.lru_cache(maxsize=2**14)
def _find_with_sovereign(text: str) -> Country | None:
    """Find a territory named with its state or status."""
    key = _key(text)
    if key in _codes():
        return None
    parts = []
    if match := _STATUS_FIRST.fullmatch(key):
        parts.append((match[1], ""))
    if match := _STATUS_LAST.fullmatch(key):
        parts.append((match[1], match[2] or ""))
    if match := _WITH_SECOND_NAME.fullmatch(text):
        parts.append((_key(match[1]), _key(match[2] or match[3])))
    for name, sovereign in parts:
        code = _code(name)
        if code and _is_sovereign(sovereign, sovereign_of(code)):
            return countries()[code]
    return None


def _is_sovereign(key: str, code: str | None) -> bool:
    """Return whether a name, a status or nothing fits a territory's state."""
    if code is None or not key:
        return code is not None
    status = _STATUS_ALONE.fullmatch(key)
    if status is None:
        return _code(key) == code
    return code in {_code(status[1] or ""), _ADJECTIVES.get(key.split(" ", maxsplit=1)[0])}


def _key(text: str) -> str:
    return normalise_name(text).removeprefix("the ")


def _code(key: str) -> str | None:
    formal = _FORMAL.fullmatch(key)
    return _codes().get(key) or (_codes().get(formal[1] or formal[2]) if formal else None)


def _spellings(text: str) -> Iterator[str]:
    """Yield a name as written, uninverted ("Korea, Republic of"), unabbreviated ("Cook Is.")."""
    yield text
    for pattern in _INVERTED:
        match = pattern.fullmatch(text)
        if match and _ENDS_WITH_ARTICLE.search(match[2]):
            yield f"{match[2].strip()} {match[1].strip()}"
    yield _REP.sub("Republic", _IS.sub("Islands", text))


@functools.cache
def _codes() -> Mapping[str, str]:
    """Map each normalised name of a country to its code."""
    return {
        normalise_name(name): code
        for code, country in countries().items()
        for name in (code, country.iso3, country.name, *country_additions(code).get("aliases", ()))
    }


@functools.lru_cache(maxsize=1024)
def _suggest_countries(text: str) -> tuple[str, ...]:
    key = _key(text)
    if key in country_table()["hints"]:
        return tuple(countries()[code].name for code in country_table()["hints"][key])
    by_name = {name: code for name, code in _codes().items() if len(name) >= _SHORTEST_SUGGESTED}
    inside = [name for name in by_name if re.search(rf"\b{re.escape(name)}\b", key)]
    # "Georgia, USA": each part by itself, codes included.
    parts = re.split(r"[,/()\[\]]", text)
    codes = [found.code for found in map(_find_country, parts) if found]
    codes += [by_name[name] for name in sorted(inside, key=len, reverse=True)]
    codes += [by_name[name] for name in difflib.get_close_matches(key, by_name, n=12, cutoff=0.6)]
    return tuple(countries()[code].name for code in dict.fromkeys(codes))
