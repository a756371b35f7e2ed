"""Prompts as a model reads them: fitted to its length, and told apart by its tokens."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from streetclip.captions import PromptSet, bare_name, city_prompts, country_prompts
from streetclip.errors import TemplateError, shown
from streetclip.models.text_reader import TextReader

_LOG = logging.getLogger(__name__)
_NAMED = 5  # groups of places in a warning; the others are counted


class CityName(NamedTuple):
    """A city to score by prompts."""

    city: str
    region: str | None
    country: str


def check_country_prompts(
    reader: TextReader, prompts: PromptSet, names: Sequence[str]
) -> list[list[str]]:
    """Make the prompts of countries, and check that the model reads the country in each.

    Warns of countries that the model cannot tell apart.

    Args:
        reader: Of the model.
        prompts: Patterns.
        names: Of C countries.

    Returns:
        C lists of prompts, one a pattern.

    Raises:
        TemplateError: A country is cut off.
    """
    texts = [country_prompts(prompts, name) for name in names]
    beginnings = {
        _beginning(text, bare_name(name)): text
        for name, of_country in zip(names, texts, strict=True)
        for text in of_country
    }
    is_read = reader.fit(list(beginnings))
    lost = [text for text, fits in zip(beginnings.values(), is_read, strict=True) if not fits]
    if lost:
        msg = (
            f"prompts {shown(prompts.name)}: {len(lost):,} of {len(beginnings):,} country prompts "
            f"name the country after the {reader.max_tokens} tokens that the model reads, so that "
            f"it is cut off: {shown(lost[0])}. Give shorter prompts or templates, or shorten the "
            "country's name."
        )
        raise TemplateError(msg)
    _warn_of_cut_off(reader, texts)
    _warn_of_equal(reader, texts, [""] * len(names), names)
    return texts


def fit_city_prompts(
    reader: TextReader, prompts: PromptSet, cities: Sequence[CityName]
) -> list[list[str]]:
    """Make the prompts of cities, without the region where they are longer than the model reads.

    Warns of those that are too long all the same, and of cities of one country that the model
    cannot tell apart.

    Args:
        reader: Of the model.
        prompts: Patterns.
        cities: M of them.

    Returns:
        M lists of prompts, one a pattern.
    """
    texts = [city_prompts(prompts, *each) for each in cities]
    too_long = _too_long(reader, texts)
    if too_long:
        for row, each in enumerate(cities):
            shorter = city_prompts(prompts, each.city, None, each.country)
            pairs = zip(texts[row], shorter, strict=True)
            texts[row] = [short if text in too_long else text for text, short in pairs]
        _warn_of_cut_off(reader, texts)
    names = [f"{each.city} ({each.region})" if each.region else each.city for each in cities]
    _warn_of_equal(reader, texts, [each.country for each in cities], names)
    return texts


def _beginning(text: str, name: str) -> str:
    """The text up to the end of a name; all of it where the name is spelled otherwise."""
    before, found, _ = text.partition(name)
    return before + found


def _too_long(reader: TextReader, texts: Sequence[Sequence[str]]) -> set[str]:
    distinct = list(dict.fromkeys(text for of_class in texts for text in of_class))
    fits = reader.fit(distinct)
    return {text for text, is_read in zip(distinct, fits, strict=True) if not is_read}


def _warn_of_cut_off(reader: TextReader, texts: Sequence[Sequence[str]]) -> None:
    too_long = sorted(_too_long(reader, texts))
    if too_long:
        _LOG.warning(
            "%s prompts are longer than the %d tokens that the model reads; their ends are cut "
            "off: %s, for example",
            f"{len(too_long):,}",
            reader.max_tokens,
            shown(too_long[0]),
        )


def _warn_of_equal(
    reader: TextReader, texts: Sequence[Sequence[str]], scopes: Sequence[str], names: Sequence[str]
) -> None:
    """Warn of names within one scope whose prompts are the same tokens to the model."""
    distinct = list(dict.fromkeys(text for of_class in texts for text in of_class))
    keys = {
        text: reading.key for text, reading in zip(distinct, reader.read(distinct), strict=True)
    }
    groups: dict[tuple[str, tuple[bytes, ...]], list[str]] = {}
    for scope, of_class, name in zip(scopes, texts, names, strict=True):
        groups.setdefault((scope, tuple(keys[text] for text in of_class)), []).append(name)
    equal = [(scope, found) for (scope, _), found in groups.items() if len(found) > 1]
    if equal:
        shown_groups = [
            " = ".join(map(shown, found[:_NAMED])) + (f" in {shown(scope)}" if scope else "")
            for scope, found in equal[:_NAMED]
        ]
        _LOG.warning(
            "%s places cannot be told apart from another by the model, as their prompts are the "
            "same tokens to it; the first of them is predicted: %s%s",
            f"{sum(len(found) - 1 for _, found in equal):,}",
            "; ".join(shown_groups),
            "; …" if len(equal) > _NAMED else "",
        )
