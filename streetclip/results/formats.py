"""Format numbers, times and untrusted texts for a page."""

import json
import math
import string
import unicodedata
from datetime import UTC, datetime
from typing import TypeGuard

from streetclip.gazetteer import countries

NONE = "–"
MINUS = "−"
NBSP = "\u00a0"
LONGEST = 1000  # characters of a text of the store

_DECIMALS_BELOW_KM = 10
# Characters that reorder the text around them: a name must not rewrite its neighbours.
_BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)

STATUS_LABELS = {"open": "Unreviewed", "reviewed": "Reviewed", "to check": "Needs second look"}
"""What a page calls the statuses of `store.STATUSES`."""

# Numbers: None and NaN are a dash


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and not math.isnan(value)


def share(value: float | None) -> str:
    """Format a share in [0, 1] as per cent with one decimal."""
    return f"{100 * value:.1f}{NBSP}%" if _known(value) else NONE


def interval(low: float | None, high: float | None) -> str:
    """Format an interval of shares as per cent, without the sign."""
    return f"{100 * low:.1f}–{100 * high:.1f}" if _known(low) and _known(high) else NONE


def count(value: float | None) -> str:
    """Format a whole number, thousands separated, with a real minus sign."""
    return f"{value:,.0f}".replace("-", MINUS) if _known(value) else NONE


def counted(n: int, one: str, several: str) -> str:
    """Format a number of things, with their word.

    Examples:
        >>> counted(1, "city", "cities"), counted(1200, "city", "cities")
        ('1 city', '1,200 cities')
    """
    return f"{count(n)} {one if n == 1 else several}"


def images(n: int) -> str:
    """Format a number of images."""
    return counted(n, "image", "images")


def kilometres(value: float | None) -> str:
    """Format a distance in km: no decimal from 10 km on, one below.

    Examples:
        >>> [kilometres(km).replace(NBSP, " ") for km in (0.44, 9.96, 2513.7)]
        ['0.4 km', '10 km', '2,514 km']
    """
    return f"{kilometre_number(value)}{NBSP}km" if _known(value) else NONE


def kilometre_number(value: float | None) -> str:
    """Format a distance in km without its unit, for columns whose header holds it."""
    if not _known(value):
        return NONE
    if math.isinf(value):
        return "∞"
    if round(value, 1) >= _DECIMALS_BELOW_KM:  # rounded first: 9.96 is 10, not 10.0
        return count(value)
    return f"{value:.1f}".replace("-", MINUS)


def signed(value: float | None, decimals: int = 0) -> str:
    """Format a number with its sign, thousands separated; a rounded 0 has none."""
    if not _known(value):
        return NONE
    rounded = round(value, decimals) or 0.0  # not -0.0
    return f"{rounded:{'+' if rounded else ''},.{decimals}f}".replace("-", MINUS)


def points(difference: float | None) -> str:
    """Format a difference of two shares in percentage points."""
    return signed(100 * difference, 1) if _known(difference) else NONE


def points_interval(low: float | None, high: float | None) -> str:
    """Format the interval of a difference of two shares in percentage points."""
    return f"{points(low)} to {points(high)}" if _known(low) and _known(high) else NONE


def progress(done: int, total: int) -> str:
    """Format how far something is."""
    return f"{count(done)} of {count(total)}"


# Times and rates


def moment(iso_text: str | None) -> str:
    """Format an ISO 8601 time as minutes in UTC; keep unreadable ones.

    Examples:
        >>> moment("2026-03-04T05:06:07+01:00")
        '2026-03-04 04:06 UTC'
    """
    return _time(iso_text, "%Y-%m-%d %H:%M UTC")


def day(iso_text: str | None) -> str:
    """Format an ISO 8601 time as a day in UTC; keep unreadable ones.

    Examples:
        >>> day("2026-03-04T00:06:07+01:00")
        '2026-03-03'
    """
    return _time(iso_text, "%Y-%m-%d")


def _time(iso_text: str | None, form: str) -> str:
    if not iso_text:
        return NONE
    try:
        when = datetime.fromisoformat(iso_text)
        when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        return plain(iso_text)
    return when.strftime(form)


def duration(seconds: float | None) -> str:
    """Format a time span in its two largest units, whole seconds at the least."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return NONE
    left = round(seconds)
    parts: list[str] = []
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        number, left = divmod(left, length)
        if number or (unit == "s" and not parts):
            parts.append(f"{count(number)}{NBSP}{unit}")
        elif parts:
            break  # "2 d 5 s" is no better than "2 d"
    return " ".join(parts[:2])


def rate(per_second: float | None, unit: str) -> str:
    """Format a speed in three digits; the unit, as image, may be untrusted."""
    if per_second is None or not math.isfinite(per_second) or per_second <= 0:
        return NONE
    number = count(per_second) if per_second >= 999.5 else f"{per_second:.3g}"  # noqa: PLR2004
    return f"{number}{NBSP}{units(unit)}/s"


def units(unit: str) -> str:
    """Make the plural of a unit; "units" where there is none."""
    shown = plain(unit, 20) or "unit"
    return shown if shown.endswith("s") else f"{shown}s"


# Texts


def plain(text: object, limit: int = 200) -> str:
    r"""Make an untrusted text one line without control characters, cut to a limit.

    It is not escaped: give it to something that takes plain text, or to `shell.html`.

    Examples:
        >>> plain("a\nb\u202ec"), plain("x" * 10, limit=4)
        ('a·bc', 'xxx…')
    """
    return cut(without_controls(str(text)[: 4 * limit]).strip(), limit)


def without_controls(text: str) -> str:
    """Replace line breaks and control characters by `·`; drop those that reorder text."""
    if text.isprintable():  # the fast path for nearly all texts
        return text
    return "".join(
        "·" if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} else c
        for c in text
        if c not in _BIDI_CONTROLS
    )


def cut(text: str, limit: int) -> str:
    """Cut a text to at most `limit` characters, the ellipsis included."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def isolated(text: object, limit: int = 60) -> str:
    """Wrap `plain` text so that its direction stays inside it, for labels in one string."""
    return f"\u2068{plain(text, limit)}\u2069"


def markdown(text: object, limit: int = 60) -> str:
    r"""Escape an untrusted text for places where Streamlit reads Markdown, such as labels.

    A joiner after each colon keeps `:red[…]` and `:smile:` from becoming colours and pictures.

    Examples:
        >>> print(markdown("![a](x)"))
        \!\[a\]\(x\)
    """
    escaped = (rf"\{c}" if c in string.punctuation else c for c in plain(text, limit))
    return "".join(escaped).replace(":", ":\u2060")


def country(code: str | None) -> str:
    """Name a country; give the code itself where the gazetteer lacks it."""
    if not code:
        return "no prediction"
    known = countries().get(code)
    return plain(code) if known is None else known.name


def json_text(value: object) -> str:
    """Write a value as JSON to read and to copy; escape what is not printable."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text)


def sendable(text: str) -> str:
    """Replace characters that no browser accepts, as halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode()
