"""Make prompts that score places by their similarity to an image."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from streetclip.captions.patterns import fill_pattern, parse_pattern
from streetclip.captions.templates import FULL, CaptionTemplate, read_small_text
from streetclip.errors import TemplateError, shown

_LEVELS = ("country", "city")
_COUNTRY_FIELDS = {"country", "the_country"}
_MAX_PATTERNS = 1000


@dataclass(frozen=True)
class PromptSet:
    """Hold patterns that score countries and cities, averaged by level.

    Country patterns need {country} or {the_country}, city patterns {city}; fields that may be blank
    need a segment [ ]. Others raise a `TemplateError`. `name` is the origin: "paper", "full",
    "training" or a file's name.
    """

    name: str
    country: tuple[str, ...]
    city: tuple[str, ...]

    def __post_init__(self) -> None:
        for level in _LEVELS:
            patterns = getattr(self, level)
            if not patterns:
                _fail(self.name, f"no pattern for {level}; expected at least one")
            for pattern in patterns:
                _check_pattern(self.name, level, pattern)

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for JSON and for a checkpoint."""
        return {"name": self.name, "country": list(self.country), "city": list(self.city)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "PromptSet":
        """Convert from the values of `to_dict`; a single pattern needs no list."""
        name = str(value.get("name", "custom"))
        unknown = [key for key in value if key not in {"name", *_LEVELS}]
        if unknown:
            _fail(name, f"found {shown(unknown[0])}; expected country and city")
        found = []
        for level in _LEVELS:
            given = value.get(level)
            patterns = [given] if isinstance(given, str) else given
            if not isinstance(patterns, list | tuple) or not all(
                isinstance(pattern, str) for pattern in patterns
            ):
                what = "nothing" if given is None else shown(given)
                _fail(name, f"{level} is {what}; expected a list of patterns")
            if len(patterns) > _MAX_PATTERNS:
                what = f"{len(patterns)} patterns for {level}"
                _fail(name, f"{what}; expected at most {_MAX_PATTERNS}")
            found.append(tuple(patterns))
        return cls(name, *found)


def _check_pattern(name: str, level: str, pattern: str) -> None:
    try:
        segments = parse_pattern(pattern)
    except TemplateError as error:
        msg = f"prompts {shown(name)}: {level} pattern {shown(pattern)}: {error}"
        raise TemplateError(msg) from None
    fields = {field for segment in segments for field in segment.fields}
    if level == "city":
        place, names_it = {"country": "Georgia", "city": "Tbilisi"}, "city" in fields
        expected = "{city}, and {region} {continent} only inside a segment [ ]"
    else:
        place, names_it = {"country": "Georgia"}, not fields.isdisjoint(_COUNTRY_FIELDS)
        expected = "{country} or {the_country}, and the rest only inside a segment [ ]"
    if any(segment.chance < 1 for segment in segments):
        names_it, expected = False, "no chance such as 0.4: in a prompt"
    if not names_it or not fill_pattern(pattern, **place):
        _fail(name, f"{level} pattern is {shown(pattern)}; expected {expected}")


def _fail(name: str, what: str) -> NoReturn:
    msg = f"prompts {shown(name)}: {what}."
    raise TemplateError(msg)


PAPER_PROMPTS = PromptSet(
    "paper", ("A Street View photo in {country}.",), ("A Street View photo from {city}.",)
)
FULL_PROMPTS = PromptSet("full", ("A Street View photo in {the_country}.",), (FULL.pattern,))


def prompts_of_templates(templates: Sequence[CaptionTemplate]) -> PromptSet:
    """Derive the prompts that fit captions: their sentences without chances.

    Templates that cannot name a level alone are skipped; without any, the paper's are taken.

    Examples:
        >>> prompts_of_templates([FULL]).country
        ('A Street View photo in {the_country}.',)
    """
    city_fields = {"city", "region"} | _COUNTRY_FIELDS
    country = [_pattern_with(each, _COUNTRY_FIELDS, _COUNTRY_FIELDS) for each in templates]
    city = [_pattern_with(each, {"city"}, city_fields) for each in templates]
    return PromptSet(
        "training",
        tuple(dict.fromkeys(filter(None, country))) or PAPER_PROMPTS.country,
        tuple(dict.fromkeys(filter(None, city))) or PAPER_PROMPTS.city,
    )


def _pattern_with(template: CaptionTemplate, needed: set[str], known: set[str]) -> str:
    """Leave out segments of other fields; "" if no prompt remains."""
    segments = parse_pattern(template.pattern)
    kept = [each for each in segments if known.issuperset(each.fields)]
    always = {field for each in segments if not each.optional for field in each.fields}
    fields = {field for each in kept for field in each.fields}
    if fields.isdisjoint(needed) or not always <= known - {"region"}:
        return ""
    return "".join(f"[{each.text}]" if each.optional else each.text for each in kept)


def load_prompts(name_or_path: str) -> PromptSet:
    """Find prompts: "paper", "full", or a JSON file {"country": [...], "city": [...]}."""
    for known in (PAPER_PROMPTS, FULL_PROMPTS):
        if name_or_path == known.name:
            return known
    path = Path(name_or_path)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # a name too long, or with a null character
        is_file = False
    if not is_file:
        expected = 'paper, full, or a JSON file {"country": [...], "city": [...]}'
        _fail(name_or_path, f"no such name or file; expected {expected}")
    try:
        value = json.loads(read_small_text(path))
    except (ValueError, RecursionError) as error:
        msg = f"{path}: is not JSON ({shown(error)})."
        raise TemplateError(msg) from error
    if not isinstance(value, dict):
        msg = f'{path}: found {shown(value)}; expected {{"country": [...], "city": [...]}}.'
        raise TemplateError(msg)
    try:
        return PromptSet.from_dict({"name": path.stem, **value})
    except TemplateError as error:
        msg = f"{path}: {error}"
        raise TemplateError(msg) from None


def country_prompts(prompts: PromptSet, country_name: str) -> list[str]:
    """Make the sentences that score a country, one a pattern."""
    return [fill_pattern(pattern, country=country_name) for pattern in prompts.country]


def city_prompts(prompts: PromptSet, city: str, region: str | None, country_name: str) -> list[str]:
    """Make the sentences that score a city, one a pattern."""
    place = {"city": city, "region": region or "", "country": country_name}
    return [fill_pattern(pattern, **place) for pattern in prompts.city]
