"""Detect UTF-8 text that was decoded in another encoding: "SÃ£o Paulo" for "São Paulo"."""

import unicodedata

_MOST_ROUNDS = 3  # text may be decoded wrongly more than once
_ENCODINGS = ("cp1252", "mac_roman", "cp1251", "cp850", "cp437")
# Japanese mixes scripts; combining marks and modifier letters belong to all.
_MIXED = frozenset(
    {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "COMBINING", "MODIFIER", "FULLWIDTH"}
)
_PUNCTUATION = frozenset("’‘“”–—…·°")
_SHORTEST = 2  # a Cyrillic syllable may happen to be valid UTF-8


def repair_mojibake(text: str) -> str | None:
    """Find the UTF-8 text that was decoded in another encoding; None if it was not.

    Examples:
        >>> repair_mojibake("SÃ£o Paulo"), repair_mojibake("São Paulo")
        ('São Paulo', None)
    """
    repaired = text
    for _ in range(_MOST_ROUNDS):
        again = _decode_again(repaired)
        if again is None:
            break
        repaired = again
    return None if repaired == text else repaired


def has_lost_characters(text: str) -> bool:
    """Return whether text holds U+FFFD, which decoders write for what they cannot read."""
    return "\ufffd" in text


def _decode_again(text: str) -> str | None:
    if text.isascii():
        return None
    for encoding in _ENCODINGS:
        try:
            decoded = _encode(text, encoding).decode("utf-8")
        except UnicodeError:
            continue
        # Valid UTF-8 that is not meant happens in the encodings after the first.
        if _is_of_one_script(decoded) and (encoding == "cp1252" or _is_name(decoded)):
            return decoded
    return None


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "cp1252":
        return text.encode(encoding)
    # Five bytes have no meaning in it; programs decode them as control characters.
    return b"".join(
        character.encode("latin-1" if "\x80" <= character < "\xa0" else "cp1252")
        for character in text
    )


def _is_of_one_script(text: str) -> bool:
    """Tell text from chance: "Úžice", encoded in Windows-1252, is UTF-8 with an Arabic letter."""
    marks_and_letters = [c for c in text if c.isalpha() or unicodedata.category(c)[0] == "M"]
    scripts = {unicodedata.name(character, "").split(" ")[0] for character in marks_and_letters}
    return len(scripts - _MIXED) <= 1 and "Cc" not in map(unicodedata.category, text)


def _is_name(text: str) -> bool:
    """Tell names from chance: "Ch’ü", encoded in Mac Roman, is UTF-8 with an Armenian sign."""
    others = (c for c in text if not c.isascii() and not c.isalpha() and c not in _PUNCTUATION)
    return len(text) >= _SHORTEST and all(unicodedata.category(c)[0] == "M" for c in others)
