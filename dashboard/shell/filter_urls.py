"""Read, check and write the filters of a URL, without Streamlit."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from streetclip.errors import shown
from streetclip.gazetteer import CONTINENTS, countries
from streetclip.results.filters import Selection
from streetclip.store import STATUSES

PLACES = ("continent", "country", "region", "city", "predicted")
OUTCOMES = ("country_is", "city_is")
RANGES = ("km", "confidence")
ATTRIBUTE, TAG, STATUS = "attr", "tag", "status"
FILTERS = (*PLACES, *OUTCOMES, *RANGES, ATTRIBUTE, TAG, STATUS)

RIGHT, WRONG, ANY = "right", "wrong", "any"
NO_PREDICTION = "none"
"""The URL's word for a predicted country where nothing was predicted."""

_FIELDS = {"country_is": "country_correct", "city_is": "city_correct", "km": "distance_km"}
_OUTCOMES = {RIGHT: True, WRONG: False, ANY: None}
_LONGEST = 2000  # characters of one value
_RANGE_MARK = ".."


@dataclass(frozen=True)
class Filters:
    """The filters of a URL, and which of its parameters make no sense."""

    selection: Selection
    problems: tuple[str, ...] = ()


def read_filters(given: Mapping[str, Sequence[str]], defaults: Selection | None = None) -> Filters:
    """Read the filters of a URL on top of defaults; report and drop wrong ones.

    Examples:
        >>> read_filters({"country": ["FR"], "km": ["..25"]}).selection.distance_km
        (None, 25.0)
        >>> read_filters({"country": ["Mars"]}).problems
        ("The link filters by country 'Mars'; expected a code such as FR.",)
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name in FILTERS:
        try:
            if given.get(name):
                values |= _read(name, given[name])
        except ValueError as error:
            problems.append(f"The link filters by {error}.")
    return Filters(replace(defaults or Selection(), **values), tuple(problems))


def _read(name: str, texts: Sequence[str]) -> dict[str, Any]:
    """Read one filter as a field of a selection; a ValueError names what is wrong."""
    longest = max(map(len, texts))
    if longest > _LONGEST:
        msg = f"a {name} of {longest} characters; expected at most {_LONGEST}"
        raise ValueError(msg)
    if name == ATTRIBUTE:
        return {"attributes": tuple(map(_attribute, texts))}
    if name == TAG:
        return {"tags": tuple(texts)}
    if len(texts) > 1:
        msg = f"{name} {len(texts)} times; expected once"
        raise ValueError(msg)
    field, text = _FIELDS.get(name, name), texts[0]
    if name in RANGES:
        return {field: _bounds(name, text)}
    if name == "predicted" and text == NO_PREDICTION:
        return {field: ""}
    known, expected = _options(name)
    if known is not None and text not in known:
        msg = f"{name} {shown(text)}; expected {expected}"
        raise ValueError(msg)
    return {field: _OUTCOMES[text] if name in OUTCOMES else text}


def _options(name: str) -> tuple[Collection[str] | None, str]:
    """List the values of a filter and describe them; None for any text."""
    if name in OUTCOMES:
        return _OUTCOMES, f"{RIGHT}, {WRONG} or {ANY}"
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
        >>> written(Selection(country="FR", city_correct=False, distance_km=(None, 25)))
        {'country': ['FR'], 'city_is': ['wrong'], 'km': ['..25']}
    """
    values: dict[str, list[str]] = {}
    for name in (*PLACES, *OUTCOMES, *RANGES):
        value = getattr(selection, _FIELDS.get(name, name))
        if value is None or value == (None, None):
            continue
        if name in OUTCOMES:
            value = RIGHT if value else WRONG
        elif name in RANGES:
            ends = ("" if end is None else repr(float(end)).removesuffix(".0") for end in value)
            value = _RANGE_MARK.join(ends)
        elif name == "predicted":
            value = value or NO_PREDICTION
        values[name] = [value]
    if selection.attributes:
        # The first "=" ends a column's name, so one inside the name is escaped.
        values[ATTRIBUTE] = [
            f"{column.replace('%', '%25').replace('=', '%3D')}={value}"
            for column, value in selection.attributes
        ]
    if selection.tags:
        values[TAG] = list(selection.tags)
    if selection.status is not None:
        values[STATUS] = [selection.status]
    return values
