"""The filters of a URL: read, checked and written; nothing here touches Streamlit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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

_LONGEST = 2000  # characters of one value
_RANGE_MARK = ".."
_OUTCOMES: Mapping[str, bool | None] = {RIGHT: True, WRONG: False, ANY: None}


@dataclass(frozen=True)
class Filters:
    """What the URL filters by, and which of its parameters make no sense."""

    selection: Selection
    problems: tuple[str, ...] = ()


def read_filters(given: Mapping[str, Sequence[str]], defaults: Selection | None = None) -> Filters:
    """Read the filters of a URL; what makes no sense is left out and said.

    Args:
        given: The URL's parameters.
        defaults: What a page shows where the URL says nothing of an outcome.

    Examples:
        >>> read_filters({"country": ["FR"], "km": ["..25"]}).selection.distance_km
        (None, 25.0)
        >>> read_filters({"country": ["Mars"]}).problems
        ("The link filters by country 'Mars'; expected a code such as FR.",)
    """
    values: dict[str, object] = {}
    problems: list[str] = []
    for name in FILTERS:
        if not given.get(name):
            continue
        try:
            values.update(_READERS[name](name, given[name]))
        except ValueError as error:
            problems.append(f"The link filters by {error}.")
    base = Selection() if defaults is None else defaults
    return Filters(replace(base, **values), tuple(problems))  # type: ignore[arg-type]


def _one(name: str, texts: Sequence[str]) -> str:
    if len(texts) > 1:
        msg = f"{name} {len(texts)} times; expected once"
        raise ValueError(msg)
    if len(texts[0]) > _LONGEST:
        msg = f"a {name} of {len(texts[0])} characters; expected at most {_LONGEST}"
        raise ValueError(msg)
    return texts[0]


def _place(name: str, texts: Sequence[str]) -> dict[str, object]:
    return {name: _one(name, texts)}


def _continent(name: str, texts: Sequence[str]) -> dict[str, object]:
    text = _one(name, texts)
    if text not in CONTINENTS:
        msg = f"{name} {shown(text)}; expected one of {', '.join(CONTINENTS)}"
        raise ValueError(msg)
    return {name: text}


def _country(name: str, texts: Sequence[str]) -> dict[str, object]:
    text = _one(name, texts)
    if name == "predicted" and text == NO_PREDICTION:
        return {name: ""}
    if text not in countries():
        msg = f"{name} {shown(text)}; expected a code such as FR"
        raise ValueError(msg)
    return {name: text}


def _outcome(name: str, texts: Sequence[str]) -> dict[str, object]:
    text = _one(name, texts)
    if text not in _OUTCOMES:
        msg = f"{name} {shown(text)}; expected {RIGHT}, {WRONG} or {ANY}"
        raise ValueError(msg)
    return {name.replace("_is", "_right"): _OUTCOMES[text]}


def _bounds(name: str, texts: Sequence[str]) -> dict[str, object]:
    field = "distance_km" if name == "km" else name
    text = _one(name, texts)
    low, mark, high = text.partition(_RANGE_MARK)
    try:
        ends = (_bound(low), _bound(high))
    except ValueError:
        mark = ""
        ends = (None, None)
    if not mark or (None not in ends and ends[0] > ends[1]):  # type: ignore[operator]
        msg = f"{name} {shown(text)}; expected two ends as in 25{_RANGE_MARK}750"
        raise ValueError(msg)
    return {field: ends}


def _bound(text: str) -> float | None:
    if not text:
        return None
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError(text)
    return number


def _attributes(name: str, texts: Sequence[str]) -> dict[str, object]:
    pairs = []
    for text in texts:
        column, mark, value = _one(name, [text]).partition("=")
        if not mark or not column:
            msg = f"{name} {shown(text)}; expected column=value"
            raise ValueError(msg)
        pairs.append((unquote(column), value))
    return {"attributes": tuple(pairs)}


def _tags(name: str, texts: Sequence[str]) -> dict[str, object]:
    return {"tags": tuple(_one(name, [text]) for text in texts)}


def _status(name: str, texts: Sequence[str]) -> dict[str, object]:
    text = _one(name, texts)
    if text not in STATUSES:
        msg = f"{name} {shown(text)}; expected one of {', '.join(STATUSES)}"
        raise ValueError(msg)
    return {name: text}


_READERS: Mapping[str, Callable[[str, Sequence[str]], dict[str, object]]] = {
    "continent": _continent,
    "country": _country,
    "region": _place,
    "city": _place,
    "predicted": _country,
    "country_is": _outcome,
    "city_is": _outcome,
    "km": _bounds,
    "confidence": _bounds,
    ATTRIBUTE: _attributes,
    TAG: _tags,
    STATUS: _status,
}


def written(selection: Selection) -> dict[str, list[str]]:
    """The parameters that stand for a selection, outcomes that are not set left out.

    Examples:
        >>> written(Selection(country="FR", city_right=False, distance_km=(None, 25)))
        {'country': ['FR'], 'city_is': ['wrong'], 'km': ['..25']}
    """
    values: dict[str, list[str]] = {}
    for name in PLACES:
        value = getattr(selection, name)
        if value is not None:
            values[name] = [value or NO_PREDICTION if name == "predicted" else value]
    for name in OUTCOMES:
        right = getattr(selection, name.replace("_is", "_right"))
        if right is not None:
            values[name] = [RIGHT if right else WRONG]
    for name, bounds in (("km", selection.distance_km), ("confidence", selection.confidence)):
        if bounds != (None, None):
            values[name] = [range_text(bounds)]
    if selection.attributes:
        values[ATTRIBUTE] = [f"{_quoted(column)}={value}" for column, value in selection.attributes]
    if selection.tags:
        values[TAG] = list(selection.tags)
    if selection.status is not None:
        values[STATUS] = [selection.status]
    return values


def _quoted(column: str) -> str:
    """A column's name without the mark that ends it in the URL."""
    return column.replace("%", "%25").replace("=", "%3D")


def range_text(bounds: tuple[float | None, float | None]) -> str:
    """Two ends as the URL writes them.

    Examples:
        >>> range_text((0.5, None))
        '0.5..'
    """
    return _RANGE_MARK.join(map(_end_text, bounds))


def _end_text(end: float | None) -> str:
    if end is None:
        return ""
    return str(int(end)) if end == int(end) else repr(float(end))
