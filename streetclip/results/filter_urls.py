"""Read, check and write the filters of a URL, without Streamlit.

A filter that takes several values is repeated, as in `country=FR&country=DE`; with `not_` before
its name it excludes them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import unquote

from streetclip.errors import shown
from streetclip.gazetteer import CONTINENTS, countries
from streetclip.results.filters import Selection, Values
from streetclip.store import STATUSES

PLACES = ("continent", "country", "region", "city", "predicted")
OUTCOMES = ("country_is", "city_is")
RANGES = ("km", "confidence")
ATTRIBUTE, TAG, STATUS, FILE = "attr", "tag", "status", "file"
SEVERAL = ("country", "predicted", ATTRIBUTE, TAG)
NOT = "not_"
EXCLUDED = tuple(f"{NOT}{name}" for name in SEVERAL)
FILTERS = (*PLACES, *OUTCOMES, *RANGES, ATTRIBUTE, TAG, STATUS, FILE, *EXCLUDED)

CORRECT, WRONG, ANY = "right", "wrong", "any"
OUTCOME_VALUES = {ANY: None, CORRECT: True, WRONG: False}
NO_PREDICTION = "none"
"""The URL's word for a predicted country where nothing was predicted."""

_FIELDS = {
    "country_is": "country_correct",
    "city_is": "city_correct",
    "km": "distance_km",
    ATTRIBUTE: "attributes",
    TAG: "tags",
    FILE: "file_name",
}
_LONGEST = 2000  # characters of one value
_MOST_VALUES = 1000  # of one filter
_RANGE_MARK = ".."


class Filters(NamedTuple):
    """The filters of a URL, and which of its parameters make no sense."""

    selection: Selection
    problems: tuple[str, ...] = ()


def read_filters(given: Mapping[str, Sequence[str]], defaults: Selection | None = None) -> Filters:
    """Read the filters of a URL on top of defaults; report and drop wrong ones.

    Examples:
        >>> read_filters({"country": ["FR"], "km": ["..25"]}).selection.distance_km
        (None, 25.0)
        >>> read_filters({"not_country": ["FR", "DE"]}).selection.excluded.country
        ('FR', 'DE')
        >>> read_filters({"country": ["Mars"]}).problems
        ("The link filters by country 'Mars'; expected a code such as FR.",)
    """
    values: dict[str, Any] = {}
    excluded: dict[str, Any] = {}
    problems: list[str] = []
    for name in FILTERS:
        plain = name.removeprefix(NOT)
        found: list[Any] = []
        wrong: list[str] = []
        for text in _bounded(name, given.get(name, ()), wrong):
            try:
                found.append(_value(plain, text))
            except ValueError as error:
                wrong.append(f"{name.removesuffix(plain)}{error}")
        if wrong:
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            problems.append(f"The link filters by {wrong[0]}{more}.")
        if found:
            read = tuple(dict.fromkeys(found)) if plain in SEVERAL else found[0]
            (values if name == plain else excluded)[_FIELDS.get(plain, plain)] = read
    selection = replace(defaults or Selection(), **values, excluded=Values(**excluded))
    return Filters(selection, tuple(problems))


def _bounded(name: str, texts: Sequence[str], wrong: list[str]) -> Sequence[str]:
    """Return the values of a parameter; none, and what is wrong, if these are too many."""
    most = _MOST_VALUES if name.removeprefix(NOT) in SEVERAL else 1
    if len(texts) <= most:
        return texts
    expected = "once" if most == 1 else f"at most {most} values"
    wrong.append(f"{name} {len(texts)} times; expected {expected}")
    return ()


def _value(name: str, text: str) -> Any:
    """Read one value of a filter; a ValueError names what is wrong."""
    if len(text) > _LONGEST:
        msg = f"a {name} of {len(text)} characters; expected at most {_LONGEST}"
        raise ValueError(msg)
    if name == ATTRIBUTE:
        return _attribute(text)
    if name in RANGES:
        return _bounds(name, text)
    if name == "predicted" and text == NO_PREDICTION:
        return ""
    known, expected = _options(name)
    if known is not None and text not in known:
        msg = f"{name} {shown(text)}; expected {expected}"
        raise ValueError(msg)
    return OUTCOME_VALUES[text] if name in OUTCOMES else text


def _options(name: str) -> tuple[Collection[str] | None, str]:
    """List the values of a filter and describe them; None for any text."""
    if name in OUTCOMES:
        return OUTCOME_VALUES, f"{CORRECT}, {WRONG} or {ANY}"
    if name in ("country", "predicted"):
        return countries(), "a code such as FR"
    known = {"continent": CONTINENTS, STATUS: STATUSES}.get(name)
    return known, f"one of {', '.join(known or ())}"


def _bounds(name: str, text: str) -> tuple[float | None, float | None]:
    low, mark, high = text.partition(_RANGE_MARK)
    try:
        ends = [float(end) if end else None for end in (low, high)]
    except ValueError:
        mark, ends = "", [None, None]
    numbers = [end for end in ends if end is not None]
    in_range = all(0 <= number < float("inf") for number in numbers)  # not NaN either
    if not mark or not in_range or numbers != sorted(numbers):
        msg = f"{name} {shown(text)}; expected two ends as in 25{_RANGE_MARK}750"
        raise ValueError(msg)
    return ends[0], ends[1]


def _attribute(text: str) -> tuple[str, str]:
    column, mark, value = text.partition("=")
    if not mark or not column:
        msg = f"{ATTRIBUTE} {shown(text)}; expected column=value"
        raise ValueError(msg)
    return unquote(column), value


def written(selection: Selection) -> dict[str, list[str]]:
    """Write a selection as parameters of the URL; leave out what is not set.

    Examples:
        >>> written(Selection(country=("FR", "DE"), city_correct=False, distance_km=(None, 25)))
        {'country': ['FR', 'DE'], 'city_is': ['wrong'], 'km': ['..25']}
    """
    values = {}
    for name in FILTERS:
        plain = name.removeprefix(NOT)
        value = getattr(
            selection if name == plain else selection.excluded, _FIELDS.get(plain, plain)
        )
        if plain in SEVERAL:
            values[name] = [_text(plain, each) for each in value]
        elif value not in (None, (None, None)) and (value or name != FILE):
            values[name] = [_text(plain, value)]
    return {name: texts for name, texts in values.items() if texts}


def _text(name: str, value: Any) -> str:
    """Write one value of a filter."""
    if name in OUTCOMES:
        return CORRECT if value else WRONG
    if name in RANGES:
        ends = ("" if end is None else repr(float(end)).removesuffix(".0") for end in value)
        return _RANGE_MARK.join(ends)
    if name == ATTRIBUTE:
        # The first "=" ends a column's name, so one inside the name is escaped.
        return f"{value[0].replace('%', '%25').replace('=', '%3D')}={value[1]}"
    return str(value) or (NO_PREDICTION if name == "predicted" else "")
