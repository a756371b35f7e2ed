"""Detect other encodings than UTF-8, in CSV files or misread cells."""

import csv
import io
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from streetclip import gazetteer
from streetclip.errors import shown

# Python's name: iconv's. In the order of how common they are, which breaks ties.
_ENCODINGS = {
    "cp1252": "WINDOWS-1252", "cp1251": "WINDOWS-1251", "cp932": "SHIFT_JIS", "gb18030": "GB18030",
    "cp1250": "WINDOWS-1250", "cp949": "EUC-KR", "big5": "BIG5", "cp1253": "WINDOWS-1253",
    "cp1254": "WINDOWS-1254", "cp1255": "WINDOWS-1255", "cp1256": "WINDOWS-1256",
    "cp874": "WINDOWS-874", "koi8-r": "KOI8-R", "mac_roman": "MACINTOSH", "euc_jp": "EUC-JP",
    "cp850": "CP850",
}  # fmt: skip
_SAMPLE_LINES = 20
_OFFERED = 5
_MOST_BYTES = 2**20  # of a line; more is no table

_MOST_ROUNDS = 3  # text may be decoded wrongly more than once
_MISREAD_AS = ("cp1252", "mac_roman", "cp1251", "cp850", "cp437")
# Japanese mixes scripts; combining marks and modifier letters belong to all.
_MIXED = frozenset(
    {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "COMBINING", "MODIFIER", "FULLWIDTH"}
)
_PUNCTUATION = frozenset("’‘“”–—…·°")
_SHORTEST = 2  # a Cyrillic syllable may happen to be valid UTF-8


def offer_encodings(path: Path) -> str:
    """Describe how the first cell beyond ASCII reads in the likeliest encodings.

    Encodings in which more cells are countries or cities of GeoNames come first. The text ends an
    error message and names a command that converts.
    """
    lines, is_partly_utf8 = _sample(path)
    readings: dict[str, tuple[int, str]] = {}
    for codec, name in _ENCODINGS.items():
        found = _read_lines(lines, codec)
        if found is not None and found[1] not in {text for _, text in readings.values()}:
            readings[name] = found
    best = sorted(readings, key=lambda name: -readings[name][0])[:_OFFERED]
    convert = f"`iconv -f {best[0] if best else 'ENCODING'} -t UTF-8 OLD.csv > NEW.csv`"
    if not best:
        return f"Convert it, for example with {convert}."
    offers = ", ".join(f"{shown(readings[name][1])} ({name})" for name in best)
    if is_partly_utf8:
        return (
            f"That text reads {offers}. Other lines are UTF-8, so do not convert the file: retype "
            "this text, or convert the file that it was pasted from."
        )
    return (
        f"The first text beyond ASCII reads {offers}. Convert the file from the encoding in which "
        f'it reads correctly, for example with {convert}, or save it as "CSV UTF-8" in the '
        "spreadsheet."
    )


def _sample(path: Path) -> tuple[list[bytes], bool]:
    """Collect the header and undecodable lines; find whether other lines are UTF-8."""
    header, bad, is_partly_utf8 = b"", list[bytes](), False
    with path.open("rb") as file:
        for line in iter(lambda: file.readline(_MOST_BYTES), b""):
            header = header or line
            try:
                is_partly_utf8 |= not line.decode("utf-8-sig").isascii()
            except UnicodeDecodeError:
                bad = [*bad, line][:_SAMPLE_LINES]
    return [header, *bad], is_partly_utf8


def _read_lines(lines: list[bytes], codec: str) -> tuple[int, str] | None:
    """Count known places in an encoding; find the first non-ASCII cell."""
    try:
        header, *rows = (line.decode(codec) for line in lines)
    except UnicodeDecodeError:
        return None
    num_known = 0
    first = ""
    columns = next(_cells([header]), [])
    for cells in _cells(rows):
        beyond = [cell for cell in cells if not cell.isascii()]
        if not all(cell.isprintable() for cell in beyond):
            return None
        first = first or next(iter(beyond), "")
        num_known += _num_known(dict(zip(columns, cells, strict=False)))
    return (num_known, first) if first else None


def _cells(lines: list[str]) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO("\n".join(line.strip("\r\n") for line in lines)))
    except csv.Error:
        return


def _num_known(row: dict[str, str]) -> int:
    """Count the cells beyond ASCII that GeoNames knows."""
    country = gazetteer.find_country(row.get("country", ""))
    if country is None:
        return 0
    city = row.get("city", "")
    is_known_city = not city.isascii() and gazetteer.find_city(country.code, city) is not None
    return int(not row["country"].isascii()) + int(is_known_city)


def repair_mojibake(text: str) -> str | None:
    """Recover UTF-8 text decoded in another encoding; None if not so.

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


def _decode_again(text: str) -> str | None:
    if text.isascii():
        return None
    for encoding in _MISREAD_AS:
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
    """Exclude chance: "Úžice" in Windows-1252 is UTF-8 with an Arabic letter."""
    marks_and_letters = [c for c in text if c.isalpha() or unicodedata.category(c)[0] == "M"]
    scripts = {unicodedata.name(character, "").split(" ")[0] for character in marks_and_letters}
    return len(scripts - _MIXED) <= 1 and "Cc" not in map(unicodedata.category, text)


def _is_name(text: str) -> bool:
    """Exclude chance: "Ch’ü" in Mac Roman is UTF-8 with an Armenian sign."""
    others = (c for c in text if not c.isascii() and not c.isalpha() and c not in _PUNCTUATION)
    return len(text) >= _SHORTEST and all(unicodedata.category(c)[0] == "M" for c in others)
