"""How numbers, times and untrusted texts are written on a page: one definition of each."""

import json
import math
import string
import unicodedata
from datetime import UTC, datetime

from streetclip.gazetteer import countries

NONE = "—"
MINUS = "−"
NBSP = "\u00a0"

_DECIMALS_BELOW_KM = 10
# Marks that reorder the text around them: a name must not rewrite its neighbours.
_BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def share(value: float | None) -> str:
    """A share in [0, 1] as per cent with one decimal.

    Examples:
        >>> share(0.7134).replace(NBSP, " ")
        '71.3 %'
        >>> share(None)
        '—'
    """
    return NONE if value is None or _missing(value) else f"{100 * value:.1f}{NBSP}%"


def interval(low: float | None, high: float | None) -> str:
    """An interval of shares as per cent, without the sign that stands beside it.

    Examples:
        >>> interval(0.698, 0.727)
        '69.8–72.7'
    """
    if low is None or high is None or _missing(low) or _missing(high):
        return NONE
    return f"{100 * low:.1f}–{100 * high:.1f}"


def count(value: float | None) -> str:
    """A whole number, thousands separated, with a real minus sign.

    Examples:
        >>> count(3412), count(-1234.4)
        ('3,412', '−1,234')
    """
    if value is None or _missing(value):
        return NONE
    return f"{value:,.0f}".replace("-", MINUS)


def kilometres(value: float | None) -> str:
    """A distance in km: no decimal from 10 km on, one below.

    Examples:
        >>> [kilometres(km).replace(NBSP, " ") for km in (0.44, 9.96, 2513.7)]
        ['0.4 km', '10 km', '2,514 km']
    """
    return NONE if value is None or _missing(value) else f"{kilometre_number(value)}{NBSP}km"


def kilometre_number(value: float | None) -> str:
    """A distance in km without its unit, for columns whose header holds it."""
    if value is None or _missing(value):
        return NONE
    if math.isinf(value):
        return "∞"
    if round(value, 1) < _DECIMALS_BELOW_KM:
        return f"{value:.1f}".replace("-", MINUS)
    return count(value)


def progress(done: int, total: int) -> str:
    """How far a run is.

    Examples:
        >>> progress(400, 1200)
        '400 of 1,200'
    """
    return f"{count(done)} of {count(total)}"


def moment(iso_text: str | None) -> str:
    """An ISO 8601 time as minutes in UTC; what cannot be read is shown as it is.

    Examples:
        >>> moment("2026-03-04T05:06:07+01:00")
        '2026-03-04 04:06 UTC'
    """
    if not iso_text:
        return NONE
    try:
        when = datetime.fromisoformat(iso_text)
    except ValueError:
        return plain(iso_text)
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return f"{when:%Y-%m-%d %H:%M} UTC"


def plain(text: object, limit: int = 200) -> str:
    r"""Make an untrusted text safe to stand in a line: one line, no controls, bounded.

    Line breaks and control characters become `·`, marks that reorder text are dropped. It is not
    escaped: hand it to something that takes plain text, or through `components.markup`.

    Args:
        text: Anything that has a `str`.
        limit: Most characters that are kept, the ellipsis included.

    Examples:
        >>> plain("a\nb\u202ec")
        'a·bc'
        >>> plain("x" * 10, limit=4)
        'xxx…'
    """
    return cut(without_controls(str(text)[: 4 * limit]).strip(), limit)


def without_controls(text: str) -> str:
    r"""Make line breaks and control characters of a text `·`, and drop marks that reorder it.

    Examples:
        >>> without_controls("  a\x00b")
        '  a·b'
    """
    if text.isprintable():  # as nearly all are, and quickly seen
        return text
    return "".join(
        "·" if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} else c
        for c in text
        if c not in _BIDI_CONTROLS
    )


def cut(text: str, limit: int) -> str:
    """A text of at most `limit` characters, the ellipsis included."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def markdown(text: object, limit: int = 60) -> str:
    r"""Make an untrusted text stand as it is where Streamlit reads Markdown, as in labels.

    Every mark is escaped, and a joiner after each colon keeps `:red[…]` and `:smile:` from being
    read as colours and pictures.

    Examples:
        >>> print(markdown("![a](x)"))
        \!\[a\]\(x\)
    """
    escaped = (rf"\{c}" if c in string.punctuation else c for c in plain(text, limit))
    return "".join(escaped).replace(":", ":⁠")


def country(code: str | None) -> str:
    """A country's name, the code itself where the gazetteer lacks it.

    Examples:
        >>> country("FR"), country(""), country("ZZ")
        ('France', 'no prediction', 'ZZ')
    """
    if not code:
        return "no prediction"
    known = countries().get(code)
    return plain(code) if known is None else known.name


def isolated(text: object, limit: int = 60) -> str:
    """`plain` text wrapped so that its own direction stays inside it, for labels in one string."""
    return f"\u2068{plain(text, limit)}\u2069"


def signed(value: float | None, decimals: int = 0) -> str:
    """A number with its sign, thousands separated; a rounded 0 has none.

    Examples:
        >>> signed(3.26, 1), signed(-1234), signed(-0.04, 1)
        ('+3.3', '−1,234', '0.0')
    """
    if value is None or _missing(value):
        return NONE
    rounded = round(value, decimals)
    return f"{rounded or 0.0:{'+' if rounded else ''},.{decimals}f}".replace("-", MINUS)


def points(difference: float | None) -> str:
    """A difference of two shares, in percentage points.

    Examples:
        >>> points(0.0321)
        '+3.2'
    """
    missing = difference is None or _missing(difference)
    return NONE if missing else signed(100 * (difference or 0.0), 1)


def points_interval(low: float | None, high: float | None) -> str:
    """The interval of a difference of two shares, in percentage points.

    Examples:
        >>> points_interval(-0.011, 0.053)
        '−1.1 to +5.3'
    """
    return NONE if NONE in (points(low), points(high)) else f"{points(low)} to {points(high)}"


def duration(seconds: float | None) -> str:
    """A time span in its two largest units, whole seconds at the least.

    Examples:
        >>> [duration(s).replace(NBSP, " ") for s in (0.4, 59.6, 3725, 200_000)]
        ['0 s', '1 min', '1 h 2 min', '2 d 7 h']
        >>> duration(None)
        '—'
    """
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return NONE
    left = round(seconds)
    parts: list[str] = []
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        number, left = divmod(left, length)
        if number or (unit == "s" and not parts):
            parts.append(f"{count(number)}{NBSP}{unit}")
        elif parts:
            break  # "2 d 5 s" says no more than "2 d"
    return " ".join(parts[:2])


def rate(per_second: float | None, unit: str) -> str:
    """How fast work goes, in three digits.

    Args:
        per_second: Units a second.
        unit: What one is, as image; may be untrusted.

    Examples:
        >>> [rate(each, "step").replace(NBSP, " ") for each in (0.0312, 12.345, 1234.5)]
        ['0.0312 steps/s', '12.3 steps/s', '1,234 steps/s']
    """
    if per_second is None or not math.isfinite(per_second) or per_second <= 0:
        return NONE
    number = count(per_second) if per_second >= 999.5 else f"{per_second:.3g}"  # noqa: PLR2004
    return f"{number}{NBSP}{units(unit)}/s"


def units(unit: str) -> str:
    """The plural of a unit; "units" where there is none.

    Examples:
        >>> units("image"), units("rows"), units("")
        ('images', 'rows', 'units')
    """
    shown = plain(unit, 20) or "unit"
    return shown if shown.endswith("s") else f"{shown}s"


def json_text(value: object) -> str:
    r"""A value as JSON to read and to copy: what is no plain character is escaped.

    Examples:
        >>> print(json_text({"name": "é\u202e\ud800"}))
        {
          "name": "é\u202e\ud800"
        }
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(c if c == "\n" or c.isprintable() else json.dumps(c)[1:-1] for c in text)


def sendable(text: str) -> str:
    r"""A text as a browser can be sent it: halves of surrogate pairs, as from file names, become ?.

    Examples:
        >>> sendable("é\udcff")
        'é?'
    """
    return text.encode("utf-8", "replace").decode()
