"""Shorten captions that are longer than a model reads."""

from streetclip.captions.patterns import (
    ALL_KEPT,
    PLACE_FIELDS,
    Place,
    chances,
    fill,
    the_country,
)

CLIP_TOKENS = 77
"""Tokens that CLIP reads of a text, special ones included."""

_ASCII_CHARACTERS_PER_TOKEN = 4
_MOST_CHANCES = 10  # 1,024 ways to draw them are tried


def shorter_captions(caption: str, pattern: str, place: Place) -> list[str]:
    """Shorten a caption by leaving out region, continent, then city.

    A part is left out with the segment in square brackets that names it; the country stays. The
    longest is first; none if the caption was not made of this pattern and place.

    Examples:
        >>> pattern = "A photo [near {city} ][in {region} ]in {country}."
        >>> place = ("Lyon", "Rhône", "France", "Europe")
        >>> shorter_captions("A photo near Lyon in Rhône in France.", pattern, place)
        ['A photo near Lyon in France.', 'A photo in France.']
    """
    num_chances = len(chances(pattern))
    draws = [ALL_KEPT]  # one bit for each segment with a chance
    if num_chances <= _MOST_CHANCES:
        draws += range(2**num_chances)
    kept = next((kept for kept in draws if fill(pattern, kept, place) == caption), None)
    if kept is None:
        return []
    city, region, country, continent = place
    names = (bare_name(country), city, region, continent)
    needed = next((name for name in names if name and name in caption), "")
    shorter = [caption]
    for field in ("region", "continent", "city"):
        city, region, country, continent = (
            "" if name == field else value for name, value in zip(PLACE_FIELDS, place, strict=True)
        )
        made = fill(pattern, kept, (city, region, country, continent))
        # Blank where the pattern names the field outside of brackets.
        if made and needed in made:
            place = (city, region, country, continent)
            shorter.append(made)
    return list(dict.fromkeys(shorter))[1:]


def bare_name(country: str) -> str:
    """Spell a country's name as captions do, without an article."""
    return the_country(country).removeprefix("the ")


def estimate_tokens(text: str) -> float:
    """Estimate CLIP's tokens: 4 English characters or 1 other byte each."""
    num_further_bytes = len(text.encode("utf-8", "replace")) - len(text)
    return 2 + len(text) / _ASCII_CHARACTERS_PER_TOKEN + num_further_bytes
