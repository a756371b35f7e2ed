"""Build zero-shot classifiers from prompts: C classes, U texts, D embedding."""

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch

from streetclip.captions.patterns import bare_name
from streetclip.captions.prompts import PromptSet, city_prompts, country_prompts
from streetclip.errors import TemplateError, shown
from streetclip.models.encoder import DualEncoder
from streetclip.models.text_reader import TextReader
from streetclip.progress import Progress, no_progress

_LOG = logging.getLogger(__name__)
_NAMED = 5  # groups of places in a warning; the others are counted


class CityName(NamedTuple):
    """A city to score by prompts."""

    city: str
    region: str | None
    country: str


def class_features(
    encoder: DualEncoder, texts_per_class: Sequence[Sequence[str]], progress: Progress = no_progress
) -> torch.Tensor:
    """Average each class's prompts into one unit vector: CD, float32.

    Prompt ensembling as in Radford et al. 2021, section 3.1.4; shared texts are encoded once.
    """
    for index, texts in enumerate(texts_per_class):
        if not texts:
            msg = f"class {index} of {len(texts_per_class)} has no texts"
            raise ValueError(msg)
    unique = _distinct(texts_per_class)
    row = {text: index for index, text in enumerate(unique)}
    features_UD = encoder.encode_texts(unique, progress=progress)
    means = [features_UD[[row[text] for text in texts]].mean(dim=0) for texts in texts_per_class]
    if not means:
        return features_UD
    return torch.nn.functional.normalize(torch.stack(means), dim=-1)


def check_country_prompts(
    reader: TextReader, prompts: PromptSet, names: Sequence[str]
) -> list[list[str]]:
    """Build each country's prompts; warn of countries that the model cannot distinguish.

    Raises TemplateError where the end of a name is cut off.
    """
    texts = [country_prompts(prompts, name) for name in names]
    beginnings = {}
    for name, of_country in zip(names, texts, strict=True):
        for text in of_country:
            # Up to the end of the name; the whole text where the name is spelled differently.
            before, found, _ = text.partition(bare_name(name))
            beginnings[before + found] = text
    cut_off = set(_too_long(reader, beginnings))
    lost = [text for beginning, text in beginnings.items() if beginning in cut_off]
    if lost:
        msg = (
            f"prompts {shown(prompts.name)}: {len(lost):,} of {len(beginnings):,} country prompts "
            f"name the country after the {reader.max_tokens} tokens that the model reads: "
            f"{shown(lost[0])}. Give shorter prompts, or shorten the country's name."
        )
        raise TemplateError(msg)
    _warn_of_cut_off(reader, texts)
    _warn_of_equal(reader, texts, [""] * len(names), names)
    return texts


def fit_city_prompts(
    reader: TextReader, prompts: PromptSet, cities: Sequence[CityName]
) -> list[list[str]]:
    """Build prompts of cities, without region where too long; warn of doubtful ones."""
    texts = [city_prompts(prompts, *each) for each in cities]
    too_long = set(_too_long(reader, _distinct(texts)))
    if too_long:
        for row, each in enumerate(cities):
            shorter = city_prompts(prompts, each.city, None, each.country)
            pairs = zip(texts[row], shorter, strict=True)
            texts[row] = [short if text in too_long else text for text, short in pairs]
        _warn_of_cut_off(reader, texts)
    names = [f"{each.city} ({each.region})" if each.region else each.city for each in cities]
    _warn_of_equal(reader, texts, [each.country for each in cities], names)
    return texts


def _distinct(texts_per_class: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(text for texts in texts_per_class for text in texts))


def _too_long(reader: TextReader, texts: Iterable[str]) -> list[str]:
    texts = list(texts)
    return [text for text, fits in zip(texts, reader.fit(texts), strict=True) if not fits]


def _warn_of_cut_off(reader: TextReader, texts: Sequence[Sequence[str]]) -> None:
    too_long = sorted(_too_long(reader, _distinct(texts)))
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
    """Warn of names within one scope whose prompts have equal tokens."""
    distinct = _distinct(texts)
    keys = dict(zip(distinct, (each.key for each in reader.read(distinct)), strict=True))
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
            "%s places cannot be distinguished from another by the model, as their prompts are the "
            "same tokens to it; the first of them is predicted: %s%s",
            f"{sum(len(found) - 1 for _, found in equal):,}",
            "; ".join(shown_groups),
            "; …" if len(equal) > _NAMED else "",
        )
