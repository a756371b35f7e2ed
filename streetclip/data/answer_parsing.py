"""Read a place from what a language model answers: JSON, "key: value" lines, an address or prose.

Nothing is guessed: of prose without JSON, labelled lines or coordinates, nothing is read.
"""

import json
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from streetclip import gazetteer

_LONGEST = 100_000  # characters of an answer
_JSON: Final = re.compile(r"\{[^{}]*\}")
_NUMBER = r"[-+−]?\d{1,3}(?:\.\d+)?"
_LABELLED: Final = re.compile(
    r"(?<![a-z])[\"'*]*(country|city|town|lat(?:itude)?|lng|lon(?:g(?:itude)?)?)[\"'*]*\s*[:=]"
    r"[\"'*\s]*([^\"'*\n,;{}]+)",
    re.IGNORECASE,
)
_DEGREES: Final = re.compile(rf"({_NUMBER})\s*°?\s*([NSEW])?", re.IGNORECASE)
_PRECISE = r"[-+−]?(?<![\d.])\d{1,3}(?:\.\d+\s*°?|\s*°)"  # not any two numbers of a sentence
_PAIR: Final = re.compile(rf"({_PRECISE}\s*[NS]?)\s*[,;/ ]\s*({_PRECISE}\s*[EW]?)", re.IGNORECASE)
_ROLES: Final = {
    "country": "country", "city": "city", "town": "city", "lat": "latitude",
    "latitude": "latitude", "lng": "longitude", "lon": "longitude", "long": "longitude",
    "longitude": "longitude", "address": "address",
}  # fmt: skip
_SIGNS: Final = {"N": 1, "E": 1, "S": -1, "W": -1}


class Place(NamedTuple):
    """Texts of what an answer names, blank where it names nothing."""

    country: str = ""
    region: str = ""
    city: str = ""
    latitude: str = ""
    longitude: str = ""


def parse_answer(text: str) -> Place:
    """Read a place from an answer; the last JSON object or labelled line of it counts.

    Examples:
        >>> parse_answer('I think: {"lat": -37.8, "long": 144.9, "city": Melbourne}')
        Place(country='', region='', city='Melbourne', latitude='-37.8', longitude='144.9')
        >>> parse_answer("[48.8566, 2.3522]")[3:]
        ('48.8566', '2.3522')
        >>> parse_answer("Sorry, I cannot help with locating people.") == Place()
        True
    """
    text = text[-_LONGEST:]
    found: dict[str, str] = {}
    for match in _JSON.finditer(text):
        found |= _from_json(match[0])
    found = found or {_ROLES[m[1].lower()]: m[2].strip() for m in _LABELLED.finditer(text)}
    if "address" in found:
        found = split_address(found["address"])._asdict() | found
    pair = _PAIR.search(text) if not found else None
    if pair:
        found = {"latitude": pair[1], "longitude": pair[2]}
    for name in ("latitude", "longitude"):
        if name in found:
            found[name] = plain_degrees(found[name])
    return Place(**{name: found[name] for name in Place._fields if name in found})


def plain_degrees(text: str) -> str:
    """Write a number with ° or a letter of the compass as a signed number.

    Examples:
        >>> plain_degrees("33.87° S"), plain_degrees("2.35 E"), plain_degrees("unclear")
        ('-33.87', '2.35', 'unclear')
    """
    match = _DEGREES.fullmatch(text.strip())
    if match is None:
        return text
    number = match[1].replace("−", "-")
    if _SIGNS.get((match[2] or "N").upper(), 1) > 0:
        return number
    return f"-{number.lstrip('+-')}"


def split_address(address: str) -> Place:
    """Find the country, region and city of an address.

    The city is one above 15,000 people of the country; blanks for what is not found.

    Examples:
        >>> split_address("17519 N Dale Mabry Hwy, Lutz, FL 33548, USA")[:3]
        ('USA', 'FL', 'Lutz')
    """
    parts = [part for each in address.split(",") if (part := _without_digits(each))]
    country = next((part for part in reversed(parts) if gazetteer.find_country(part)), "")
    found = gazetteer.find_country(country) if country else None
    if found is None:
        return Place()
    before = parts[: len(parts) - 1 - parts[::-1].index(country)]
    cities = [i for i, part in enumerate(before) if gazetteer.listed_cities_named(found.code, part)]
    # The last name that is not only a region's: "Albany, New York" is Albany.
    inner = [i for i in cities if i < len(before) - 1] or cities
    if not inner:
        return Place(country)
    return Place(country, "".join(before[inner[-1] + 1 : inner[-1] + 2]), before[inner[-1]])


def _from_json(text: str) -> Mapping[str, str]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    named = ((_ROLES.get(str(key).lower()), each) for key, each in value.items())
    return {role: str(each) for role, each in named if role and isinstance(each, str | int | float)}


def _without_digits(text: str) -> str:
    return " ".join(word for word in text.split() if not any(map(str.isdigit, word)))
