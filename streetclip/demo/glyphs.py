"""Pseudo letters for the signs: strokes that look like a script from afar, and say nothing.

No font file is needed. A glyph is a tuple of strokes on a unit square (x to the right, y down);
a stroke is a tuple of points, and a stroke of one point is a dot.
"""

from random import Random

Point = tuple[float, float]
Stroke = tuple[Point, ...]
Glyph = tuple[Stroke, ...]


def _glyph(text: str) -> Glyph:
    """Read `00 99;50 05`: strokes parted by ';', points as two digits of ninths."""
    return tuple(
        tuple((int(point[0]) / 9, int(point[1]) / 9) for point in stroke.split())
        for stroke in text.split(";")
    )


_SCRIPTS: dict[str, tuple[str, ...]] = {
    "latin": (
        "09 40 89;25 65",
        "19 10 70 84 14;84 89 19",
        "80 10 19 89;14 64",
        "09 00 89 80",
        "20 70 95 79 29 05 20",
        "10 80;40 49",
    ),
    "cyrillic": (
        "09 00 40;00 09;80 49 89",
        "00 09;04 89;04 80",
        "00 09 60 69;40 42;90 99",
        "09 00 80 89",
        "10 19;49 40;79 70;04 94",
        "80 89;80 20 04 84;44 09",
    ),
    "greek": (
        "09 40 89 09",
        "10 80;10 44 09 89",
        "20 70 95 79 29 05 20;34 64",
        "00 03 44 83 80;40 49",
        "09 29 25 03 20 70 93 75 79 99",
        "09 00 80 89",
    ),
    "georgian": (
        "03 10 30 43 47 29 08;47 85 89",
        "30 10 03 17 39 79 95 73 53",
        "09 15 10 40 49 79 95 71",
        "04 30 64 39 04;64 90",
        "10 06 39 69 86 82 60",
    ),
    "arabic": (
        "90 94 06;30",
        "94 89 48 25 24;57",
        "99 95 55 59 09 04;30;60",
        "70 78 49 17;00",
        "95 65 68 28 25 05;37;57",
        "90 97 57 53 23 27 07",
    ),
    "hebrew": (
        "00 89;80 84;13 09",
        "00 80 89 09",
        "80 89;00 80;09 13",
        "09 00 80 89;00 09",
        "00 09 89 80;40 44 04",
        "00 60 89;00",
    ),
    "thai": (
        "12 10 30 32 12 19;19 80 89",
        "09 02 40 82 89;09 29 26",
        "02 22 20 00 02 09 49 80;80 89",
        "20 00 02 42 82 89 49;44 42",
        "29 09 03 40 83 89;59 89",
    ),
    "khmer": (
        "00 20 40;03 09 39 33 63 69 99 93;63",
        "00 40 80;03 33 39;63 69 99 90",
        "20 60;02 22 29 09;52 59 89 82 52",
        "10 50 90;03 09 29 23;59 53 93 99;79",
    ),
    "hangul": (
        "00 50 50 04 00;80 89;83 99;05 55 59 09 05",
        "00 60;30 02 34 62 30;80 89;06 09 69",
        "00 04 54;80 89;64 84;06 66 69 06",
        "20 70 73 23 20;05 95;45 49",
        "00 50 59;80 89;83 98",
    ),
    "kana": (
        "02 82;30 38 18;62 39",
        "00 90 63 39",
        "10 90;04 94;44 09;44 99",
        "00 80 80 89 09 00;04 84",
        "40 49;02 92;40 06;43 96",
        "03 33 39;90 39;53 93",
    ),
    "devanagari": (
        "00 90;70 79;02 42 45 05 49",
        "00 90;60 69;00 04 64;30",
        "00 90;80 89;20 24 45 84",
        "00 90;50 59;50 12 15 55;57 95 93 52",
        "00 90;70 79;10 16 38 76",
    ),
    "ethiopic": (
        "10 19;10 80 89;14 84",
        "40 49;04 00 80 84;29 69",
        "09 03 40 83 89;40 43",
        "20 60 84 69 29 04 20;49 99",
        "00 09;00 60;64 04;60 69 99",
    ),
}


def scripts() -> tuple[str, ...]:
    """Names of the scripts that can be drawn.

    Examples:
        >>> "thai" in scripts() and "greek" in scripts()
        True
    """
    return tuple(_SCRIPTS)


def write(script: str, length: int, rng: Random) -> tuple[Glyph, ...]:
    """Make up a word.

    Args:
        script: One of `scripts()`.
        length: Glyphs in the word.
        rng: Source of the choices.

    Returns:
        Glyphs on the unit square, in reading order from left to right.

    Examples:
        >>> len(write("georgian", 5, Random(1)))
        5
    """
    return tuple(_glyph(rng.choice(_SCRIPTS[script])) for _ in range(length))
