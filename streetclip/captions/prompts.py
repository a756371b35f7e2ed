"""Prompts: the sentences whose likeness to an image scores a country or a city."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streetclip.captions.patterns import Segment, fill_pattern, parse_pattern
from streetclip.captions.templates import FULL, CaptionTemplate, read_small_text
from streetclip.errors import TemplateError, shown

_LEVELS = ("country", "city")
_MAX_PATTERNS = 1000


def _check_pattern(name: str, level: str, pattern: str) -> None:
    try:
        segments = parse_pattern(pattern)
    except TemplateError as error:
        msg = f"prompts {shown(name)}: {level} pattern {shown(pattern)}: {error}"
        raise TemplateError(msg) from None
    fields = {field for segment in segments for field in segment.fields}
    place = {"country": "Georgia"}
    if level == "city":
        names_it, place["city"] = "city" in fields, "Tbilisi"
        expected = "{city}, and {region} {continent} only inside a segment [ ]"
    else:
        names_it = bool(fields & {"country", "the_country"})
        expected = "{country} or {the_country}, and the rest only inside a segment [ ]"
    chance = any(segment.chance < 1 for segment in segments)
    if chance or not names_it or not fill_pattern(pattern, **place):
        expected = "no chance such as 0.4: in a prompt" if chance else expected
        msg = f"prompts {shown(name)}: {level} pattern is {shown(pattern)}; expected {expected}."
        raise TemplateError(msg)


def _patterns(name: str, level: str, value: Any) -> tuple[str, ...]:
    patterns = [value] if isinstance(value, str) else value
    if not isinstance(patterns, list | tuple) or not all(isinstance(p, str) for p in patterns):
        found = "nothing" if value is None else shown(value)
        msg = f"prompts {shown(name)}: {level} is {found}; expected a list of patterns."
        raise TemplateError(msg)
    if len(patterns) > _MAX_PATTERNS:
        msg = (
            f"prompts {shown(name)}: {len(patterns)} patterns for {level}; "
            f"expected at most {_MAX_PATTERNS}."
        )
        raise TemplateError(msg)
    return tuple(patterns)


@dataclass(frozen=True)
class PromptSet:
    """Patterns to score countries by, and patterns to score cities by.

    Several patterns of one level are averaged. They are written in the language of the caption
    templates, without chances.

    Args:
        name: Where they come from: "paper", "full", "training" or a file's name.
        country: Patterns with {country} or {the_country}; the other fields are blank.
        city: Patterns with {city}; {region} may be blank, {continent} is.

    Raises:
        TemplateError: A level has no pattern, or a pattern cannot name what it scores.
    """

    name: str
    country: tuple[str, ...]
    city: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check every pattern on a made-up place."""
        for level in _LEVELS:
            patterns = getattr(self, level)
            if not patterns:
                msg = f"prompts {shown(self.name)}: no pattern for {level}; expected at least one."
                raise TemplateError(msg)
            for pattern in patterns:
                _check_pattern(self.name, level, pattern)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and for a checkpoint."""
        return {"name": self.name, "country": list(self.country), "city": list(self.city)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "PromptSet":
        """Undo `to_dict`; one pattern may stand without its list.

        Raises:
            TemplateError: A key is missing or unknown, or a value is not text.
        """
        name = str(value.get("name", "custom"))
        unknown = [key for key in value if key not in {"name", *_LEVELS}]
        if unknown:
            msg = f"prompts {shown(name)}: found {shown(unknown[0])}; expected country and city."
            raise TemplateError(msg)
        return cls(name, *(_patterns(name, level, value.get(level)) for level in _LEVELS))


PAPER_PROMPTS = PromptSet(
    "paper", ("A Street View photo in {country}.",), ("A Street View photo from {city}.",)
)
FULL_PROMPTS = PromptSet("full", ("A Street View photo in {the_country}.",), (FULL.pattern,))


def prompts_of_templates(templates: Sequence[CaptionTemplate]) -> PromptSet:
    """The prompts that fit captions: the same sentences, without what is blank and without chances.

    A template that cannot name a country alone gives no country pattern, and one without {city}
    no city pattern; a level that none gives takes the paper's.

    Examples:
        >>> prompts_of_templates([FULL]).country
        ('A Street View photo in {the_country}.',)
    """
    country = [_country_pattern(template) for template in templates]
    city = [_city_pattern(template) for template in templates]
    return PromptSet(
        "training",
        tuple(dict.fromkeys(filter(None, country))) or PAPER_PROMPTS.country,
        tuple(dict.fromkeys(filter(None, city))) or PAPER_PROMPTS.city,
    )


def load_prompts(name_or_path: str) -> PromptSet:
    """Find prompts: "paper", "full", or a JSON file {"country": [...], "city": [...]}.

    Raises:
        TemplateError: No such name or file, or the file's content is wrong.
    """
    for known in (PAPER_PROMPTS, FULL_PROMPTS):
        if name_or_path == known.name:
            return known
    path = Path(name_or_path)
    if not _is_file(path):
        msg = (
            f"prompts {shown(name_or_path)}: no such name or file; expected paper, full, or a "
            'JSON file {"country": [...], "city": [...]}.'
        )
        raise TemplateError(msg)
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
    """The sentences that score a country, one a pattern.

    Examples:
        >>> country_prompts(PAPER_PROMPTS, "France")
        ['A Street View photo in France.']
    """
    return [fill_pattern(pattern, country=country_name) for pattern in prompts.country]


def city_prompts(prompts: PromptSet, city: str, region: str | None, country_name: str) -> list[str]:
    """The sentences that score a city, one a pattern; segments without their field are dropped.

    Examples:
        >>> city_prompts(FULL_PROMPTS, "Reno", "Nevada", "United States")
        ['A Street View photo close to the town of Reno in the region of Nevada in the United States.']
    """  # noqa: E501 -- one sentence
    place = {"city": city, "region": region or "", "country": country_name}
    return [fill_pattern(pattern, **place) for pattern in prompts.city]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or with a null character
        return False


def _country_pattern(template: CaptionTemplate) -> str | None:
    return _pattern_with(template, {"country", "the_country"}, {"country", "the_country"})


def _city_pattern(template: CaptionTemplate) -> str | None:
    return _pattern_with(template, {"city"}, {"city", "region", "country", "the_country"})


def _pattern_with(template: CaptionTemplate, needed: set[str], known: set[str]) -> str | None:
    """The template without the segments that have other fields; None if that is no prompt."""
    segments = parse_pattern(template.pattern)
    kept = [each for each in segments if known.issuperset(each.fields)]
    always = {field for each in segments if not each.optional for field in each.fields}
    fields = {field for each in kept for field in each.fields}
    if fields.isdisjoint(needed) or not always <= known - {"region"}:
        return None
    return _join(kept)


def _join(segments: Sequence[Segment]) -> str:
    return "".join(f"[{each.text}]" if each.optional else each.text for each in segments)
