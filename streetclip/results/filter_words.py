"""Describe the filters that are set in words."""

from typing import Any

from streetclip.results import formats
from streetclip.results.filters import MANY, Selection
from streetclip.results.groups import ATTRIBUTE

OUTCOME_WORDS = {None: "any", True: "correct", False: "wrong"}

_CHIPS = {
    "continent": "{}",
    "country": "true country ",
    "region": "region {}",
    "city": "city {}",
    "predicted": "predicted ",
    "status": "status {}",
    "country_correct": "{} country",
    "city_correct": "{} city",
    "confidence": "confidence {}",
    "distance_km": "distance {}",
    "tags": "tag ",
    "file_name": "file name {}",
}
_SCALES = {"confidence": (100, "%"), "distance_km": (1, "km")}
_MOST_CHIPS = 8  # of the values of one filter


def set_parts(chosen: Selection) -> list[tuple[str, Selection]]:
    """Describe each value of each set filter, with the filters without it."""
    attributes = dict.fromkeys(
        name for name in (*chosen.names, *chosen.excluded.names) if name.startswith(ATTRIBUTE)
    )
    parts = []
    for name in (*_CHIPS, *attributes):
        if name in MANY or name in attributes:
            parts += _parts_of_several(chosen, name)
        elif (value := getattr(chosen, name)) != getattr(Selection(), name):
            parts.append((_CHIPS[name].format(_value_text(name, value)), chosen.without(name)))
    return parts


def parts_by_prediction(selection: Selection) -> list[str]:
    """List the filters that depend on the run's predictions."""
    chosen_by = {
        "the outcome": (selection.country_correct, selection.city_correct) != (None, None),
        "the distance": selection.distance_km != (None, None),
        "the confidence": selection.confidence != (None, None),
        "the predicted country": bool(selection.predicted or selection.excluded.predicted),
    }
    return [words for words, is_set in chosen_by.items() if is_set]


def _parts_of_several(chosen: Selection, name: str) -> list[tuple[str, Selection]]:
    title = _CHIPS.get(name) or f"{formats.plain(name.removeprefix(ATTRIBUTE), 40)}: "
    parts = []
    for sign, given in (("", chosen), ("not ", chosen.excluded)):
        values = given.of(name)
        shown: list[tuple[str, tuple[str, ...]]] = [
            (_value_text(name, value), (value,)) for value in values
        ]
        if len(values) > _MOST_CHIPS:
            shown = [(f"{formats.count(len(values))} values", values)]
        for text, dropped in shown:
            rest = given.but(**{name: [each for each in values if each not in dropped]})
            without = rest if isinstance(rest, Selection) else chosen.but(excluded=rest)
            parts.append((f"{title}{sign}{text}", without))
    return parts


def _value_text(name: str, value: Any) -> str:
    if name in ("country", "predicted"):
        return formats.country(value)
    if name == "status":
        return formats.STATUS_LABELS[value].lower()
    if name in _SCALES:
        return _range(value, *_SCALES[name])
    text = OUTCOME_WORDS[value] if isinstance(value, bool) else str(value)
    return formats.plain(text, 40) or "(blank)"


def _range(bounds: tuple[float | None, float | None], scale: float, unit: str) -> str:
    low, high = (None if end is None else f"{scale * end:,.6g}" for end in bounds)
    if low is None:
        return f"at most {high} {unit}"
    return f"from {low} {unit}" if high is None else f"{low}–{high} {unit}"
