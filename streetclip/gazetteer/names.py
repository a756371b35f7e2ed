"""Compare spellings of names."""

import functools
import re
import unicodedata

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
