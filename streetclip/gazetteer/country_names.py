"""Find a country by any name that datasets use."""

import difflib
import functools
import re
from collections.abc import Iterator, Mapping

from streetclip.errors import UnknownPlaceError, shown
from streetclip.gazetteer.countries import Country, countries, sovereign_of
from streetclip.gazetteer.data_files import country_additions, hints
from streetclip.gazetteer.names import LONGEST_NAME, normalise_name

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
        msg = (
            f"country {shown(text)} is unknown; expected an English name or an ISO 3166 code. "
            f"{advice}"
        )
        raise UnknownPlaceError(msg)
    return country


def suggest_countries(text: str, limit: int = 3) -> list[str]:
    """Suggest names of countries for an unknown name, best first."""
    return list(_suggest_countries(text[:LONGEST_NAME])[:limit])


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
        code = _code(_key(spelling))
        if code:
            return countries()[code]
    # A name with another in brackets, "Cabo Verde (Cape Verde)": both must mean one country.
    match = _BRACKETED.fullmatch(text)
    if match:
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
        for name in (
            code,
            country.iso3,
            country.name,
            *country_additions().get(code, {}).get("aliases", ()),
        )
    }


@functools.lru_cache(maxsize=1024)
def _suggest_countries(text: str) -> tuple[str, ...]:
    key = _key(text)
    if key in hints():
        return tuple(countries()[code].name for code in hints()[key])
    by_name = {name: code for name, code in _codes().items() if len(name) >= _SHORTEST_SUGGESTED}
    inside = [name for name in by_name if re.search(rf"\b{re.escape(name)}\b", key)]
    # "Georgia, USA": each part by itself, codes included.
    parts = re.split(r"[,/()\[\]]", text)
    codes = [found.code for found in map(_find_country, parts) if found]
    codes += [by_name[name] for name in sorted(inside, key=len, reverse=True)]
    codes += [by_name[name] for name in difflib.get_close_matches(key, by_name, n=12, cutoff=0.6)]
    return tuple(countries()[code].name for code in dict.fromkeys(codes))
