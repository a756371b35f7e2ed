"""Captions that are longer than a model reads."""

import itertools

from streetclip.captions.article import the_country
from streetclip.captions.patterns import ALL_KEPT, chances, fill
from streetclip.captions.templates import PLACE_FIELDS

CLIP_TOKENS = 77
"""What CLIP reads of a text, special tokens included."""

_ASCII_CHARACTERS_PER_TOKEN = 4
_MOST_CHANCES = 10  # 1,024 ways to draw them are tried

_LEFT_OUT = ("region", "continent", "city")  # in this order

_Place = tuple[str, str, str, str]


def shorter_captions(caption: str, pattern: str, place: _Place) -> list[str]:
    """Shorten a caption by leaving out parts of its place: region first, then city.

    A part is left out with the segment in square brackets that names it. The country is never left
    out; neither is what a pattern names outside of brackets.

    Args:
        caption: Made of the pattern.
        pattern: In the language of `streetclip.captions.patterns`.
        place: city, region, country and continent; blank where unknown.

    Returns:
        Shorter captions, the longest first. Empty if there are none, or if the caption was not
        made of this pattern and place.

    Examples:
        >>> pattern = "A photo [near {city} ][in {region} ]in {country}."
        >>> place = ("Lyon", "Rhône", "France", "Europe")
        >>> shorter_captions("A photo near Lyon in Rhône in France.", pattern, place)
        ['A photo near Lyon in France.', 'A photo in France.']
    """
    kept = _kept_segments(caption, pattern, place)
    if kept is None:
        return []
    city, region, country, continent = place
    names = (bare_name(country), city, region, continent)
    needed = next((name for name in names if name and name in caption), "")
    left = dict(zip(PLACE_FIELDS, place, strict=True))
    shorter = [caption]
    for field in _LEFT_OUT:
        fewer = left | {field: ""}
        made = fill(pattern, kept, _place(fewer))
        # Blank where the pattern names the field outside of brackets.
        if made and needed in made:
            left = fewer
            shorter.append(made)
    return list(dict.fromkeys(shorter))[1:]


def bare_name(country: str) -> str:
    """A country's name as captions spell it, without an article.

    Examples:
        >>> bare_name("Bahamas, The"), bare_name("The Gambia"), bare_name("Peru")
        ('Bahamas', 'Gambia', 'Peru')
    """
    return the_country(country).removeprefix("the ")


def estimate_tokens(text: str) -> float:
    """Estimate how many tokens CLIP makes of a text, without its tokenizer.

    A token stands for about four characters of English, and for about one byte of other scripts.

    Examples:
        >>> estimate_tokens("A photo in France."), estimate_tokens("ไทย")
        (6.5, 8.75)
    """
    num_further_bytes = len(text.encode("utf-8", "replace")) - len(text)
    return 2 + len(text) / _ASCII_CHARACTERS_PER_TOKEN + num_further_bytes


def _place(fields: dict[str, str]) -> _Place:
    return fields["city"], fields["region"], fields["country"], fields["continent"]


def _kept_segments(caption: str, pattern: str, place: _Place) -> int | None:
    """Which segments with a chance a caption has, one bit for each; None if none give it."""
    num_chances = len(chances(pattern))
    if num_chances > _MOST_CHANCES:
        return ALL_KEPT if fill(pattern, ALL_KEPT, place) == caption else None
    draws = itertools.chain([ALL_KEPT], range(2**num_chances))
    return next((kept for kept in draws if fill(pattern, kept, place) == caption), None)
