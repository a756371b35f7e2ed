"""Parse and fill the patterns of captions and prompts.

A pattern is text with the fields {city} {region} {country} {the_country} {continent}. A segment in
square brackets is dropped when one of its fields is blank; `[0.4: …]` is also dropped by chance,
and kept with that probability. Braces and brackets cannot be escaped.
"""

import functools
import re
from dataclasses import dataclass

from streetclip.errors import TemplateError, shown

PLACE_FIELDS = ("city", "region", "country", "continent")
"""Columns of a manifest that a caption is made of."""

Place = tuple[str, str, str, str]
"""City, region, country and continent; blank where unknown."""

ALL_KEPT = -1
FIELD_LIST = "{city} {region} {country} {the_country} {continent}"
_MAX_CHANCES = 15  # a 64-byte digest holds 16 words; the first chooses the template
_TOKEN = re.compile(r"\{[^{}\[\]]*\}|[{}\[\]]|[^{}\[\]]+")
_FIELD = re.compile(r"\{([^{}]*)\}")
_CHANCE = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*:\s?")
_SPACE_BEFORE_STOP = re.compile(r" ([.,;!?])")

# Names that take "the" by their wording, and those that take it all the same. They cover the
# 22 of PIGEON (LukasHaas/PIGEON, dataset_creation/pretrain/pretrain_dataset.py).
_WORDING = re.compile(
    r"""\b(islands|republic|states|kingdom|emirates|territory|territories|federation|antilles)$
    |^(republic|kingdom|state|federation|commonwealth|union|principality|sultanate|grand\ duchy)
    \ of\b
    |^(democratic|federal|federated|federative|people[’']?s|islamic|united|hashemite)\ .*
    \b(republic|states|kingdom)\b""",
    re.VERBOSE,
)
_WITH_ARTICLE = frozenset(
    {
        "bahamas", "comoros", "congo", "gambia", "holy see", "isle of man", "maldives",
        "netherlands", "philippines", "seychelles", "vatican", "drc", "uae", "u.a.e.", "uk",
        "u.k.", "us", "u.s.", "usa", "u.s.a.", "ussr", "soviet union",
    }
)  # fmt: skip
# "in Christmas Island", "in South Georgia and the South Sandwich Islands"
_WITHOUT_ARTICLE = re.compile(r"\bisland\b|\band the\b")
_REMARK = re.compile(r"\s*\([^()]*\)$")


@dataclass(frozen=True)
class Segment:
    """Hold a stretch of a pattern; `text` is ready for `str.format`."""

    text: str
    fields: tuple[str, ...]
    optional: bool
    chance: float = 1.0


def fill_pattern(pattern: str, **fields: str) -> str:
    """Fill a pattern without chance; "" if a bare field is blank.

    Examples:
        >>> fill_pattern("A photo [near {city} ]in {the_country}.", country="Bahamas")
        'A photo in the Bahamas.'
    """
    city, region, country, continent = (fields.get(name, "") for name in PLACE_FIELDS)
    return fill(pattern, ALL_KEPT, (city, region, country, continent))


@functools.lru_cache(maxsize=2**16)
def fill(pattern: str, kept: int, place: tuple[str, str, str, str]) -> str:
    """Fill a well-formed pattern; "" if a bare field is blank.

    `kept` has one bit for each segment with a chance, in order; `ALL_KEPT` keeps all.
    """
    fields = dict(zip(PLACE_FIELDS, place, strict=True))
    fields["the_country"] = the_country(fields["country"])
    blank = {name for name, value in fields.items() if not value or value.isspace()}
    text = ""
    bit = 0
    for segment in parse_pattern(pattern):
        lost = segment.chance < 1 and not kept >> bit & 1
        bit += segment.chance < 1
        if not blank.isdisjoint(segment.fields):
            if not segment.optional:
                return ""
        elif not lost:
            text += segment.text
    return _SPACE_BEFORE_STOP.sub(r"\1", " ".join(text.format(**fields).split()))


@functools.lru_cache(maxsize=256)
def chances(pattern: str) -> tuple[tuple[int, int], ...]:
    """List each chance's bit and the 32-bit threshold that keeps it."""
    below_one = [segment.chance for segment in parse_pattern(pattern) if segment.chance < 1]
    return tuple((bit, round(chance * 2**32)) for bit, chance in enumerate(below_one))


@functools.lru_cache(maxsize=256)
def parse_pattern(pattern: str) -> tuple[Segment, ...]:
    """Parse the segments of a pattern, or raise a `TemplateError` with the position."""
    segments: list[Segment] = []
    text, inside = "", False
    for match in _TOKEN.finditer(pattern):
        piece, position = match.group(), match.start()
        if piece in {"[", "]"}:
            if inside == (piece == "["):
                _fail_at(position, "segments cannot be nested" if inside else "']' without '['")
            segments.append(_segment(text, optional=inside, position=position))
            text, inside = "", not inside
            continue
        if piece in {"{", "}"}:
            _fail_at(position, f"a lone {piece!r}")
        if piece[0] == "{" and piece not in FIELD_LIST.split():
            _fail_at(position, f"the field {shown(piece)} is unknown; expected one of {FIELD_LIST}")
        text += piece
    if inside:
        _fail_at(len(pattern), "a '[' is not closed by ']'")
    segments.append(_segment(text, optional=False, position=len(pattern)))
    if sum(segment.chance < 1 for segment in segments) > _MAX_CHANCES:
        _fail_at(len(pattern), f"more than {_MAX_CHANCES} segments have a chance")
    return tuple(segment for segment in segments if segment.text)


def _segment(text: str, *, optional: bool, position: int) -> Segment:
    chance = 1.0
    match = _CHANCE.match(text) if optional else None
    if match:
        chance = float(match[1])
        if not 0 < chance <= 1:
            _fail_at(position, f"a chance is {match[1]}; expected above 0 and at most 1")
        text = text[match.end() :]
    return Segment(text, tuple(_FIELD.findall(text)), optional, chance)


def _fail_at(position: int, what: str) -> None:
    msg = f"at character {position + 1}: {what}. Correct the pattern."
    raise TemplateError(msg)


@functools.lru_cache(maxsize=4096)
def the_country(country: str) -> str:
    """Put "the" before a country's name where English does, whatever its spelling.

    Examples:
        >>> [the_country(name) for name in ("Netherlands", "France", "The Gambia", "USA")]
        ['the Netherlands', 'France', 'the Gambia', 'the USA']
    """
    name = " ".join(country.split())
    key = name.casefold()
    if key.startswith("the "):
        return f"the {name[4:]}"
    if key.endswith(", the"):
        return f"the {name[:-5]}"
    key = _REMARK.sub("", key)
    if key in _WITH_ARTICLE or (_WORDING.search(key) and not _WITHOUT_ARTICLE.search(key)):
        return f"the {name}"
    return name


def bare_name(country: str) -> str:
    """Spell a country's name as captions do, without an article."""
    return the_country(country).removeprefix("the ")
