"""Prepare the data of a training: captioned images, held-out countries, classes, prompts."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from streetclip.captions.prompts import PromptSet, prompts_of_templates
from streetclip.captions.templates import CaptionTemplate, has_choice, load_templates
from streetclip.config import TrainConfig
from streetclip.data.file_identity import (
    FILE_RECORD,
    compare_files,
    count_changed,
    file_records,
    sampled_digests,
    signatures,
)
from streetclip.data.manifest import Manifest
from streetclip.errors import ConfigError, ManifestError, TemplateError, UnknownPlaceError, shown
from streetclip.gazetteer import resolve_country
from streetclip.models.prompt_texts import check_country_prompts
from streetclip.models.text_reader import TextReader
from streetclip.training.captioned_images import (
    CAPTION_COLUMNS,
    CaptionedImages,
    CaptionSource,
    caption_images,
)

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)
_NAMED = 5  # countries in a warning; the others are counted


@dataclass(frozen=True)
class TrainingData:
    """Data of a training.

    `prompts` use the words of the captions. Classes are the countries of both manifests, held-out
    ones included, sorted by code. `holdout` are validation images of held-out countries.
    """

    train: CaptionedImages
    val: CaptionedImages
    templates: tuple[CaptionTemplate, ...]
    prompts: PromptSet
    country_codes: tuple[str, ...]
    country_names: tuple[str, ...]
    holdout: CaptionedImages | None = None


def load_training_data(
    config: TrainConfig, train: Manifest, val: Manifest, reader: TextReader
) -> TrainingData:
    """Caption both manifests and check that their captions can be contrasted.

    Raises ManifestError if there are fewer than two training images, if captions are equal or lost
    by truncation; ConfigError if a held-out country is unknown or has no validation image, or too
    many are held out; TemplateError if a template is unknown or does not fit the rows.
    """
    templates = load_templates(config.templates, config.template_file)
    train_rows, val_rows, holdout_rows = _split_holdout(train, val, config.holdout_countries)
    if config.redraw_captions:
        _warn_of_redrawing(train, templates, config)

    def source(manifest: Manifest, rows: "pd.DataFrame") -> CaptionSource:
        needed = rows.loc[:, rows.columns.isin(CAPTION_COLUMNS)]
        return CaptionSource(manifest.path, needed, templates, config, reader)

    train_images = caption_images(source(train, train_rows), redraw=config.redraw_captions)
    _check_contrast(train, train_images)
    spellings = dict(sorted(_spellings(train, val).items()))
    codes = set(train_rows["country_code"]) - set(val_rows["country_code"])
    if unvalidated := sorted(spellings[code] for code in codes):
        _LOG.warning(
            "%d of the countries to train on have no validation image (%s); how well they are "
            "learned is not measured",
            len(unvalidated),
            ", ".join([*unvalidated[:_NAMED], *["…"] * (len(unvalidated) > _NAMED)]),
        )
    holdout = None if holdout_rows is None else caption_images(source(val, holdout_rows))
    prompts = prompts_of_templates(_caption_templates(train, templates, config))
    check_country_prompts(reader, prompts, tuple(spellings.values()))
    return TrainingData(
        train=train_images,
        val=caption_images(source(val, val_rows)),
        templates=templates,
        prompts=prompts,
        country_codes=tuple(spellings),
        country_names=tuple(spellings.values()),
        holdout=holdout,
    )


def _split_holdout(
    train: Manifest, val: Manifest, names: Sequence[str]
) -> "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame | None]":
    """Split rows: to train on, to validate by, and held out."""
    if not names:
        return train.frame, val.frame, None
    flag, codes = "--holdout_countries", {}
    for name in names:
        try:
            codes[resolve_country(name).code] = name
        except UnknownPlaceError as error:
            msg = f"{flag}: {error}"
            raise ConfigError(msg) from None
    for code, name in codes.items():
        if code not in set(val.frame["country_code"]):
            msg = (
                f"{flag}: {val.path} has no image of {shown(name)}; expected some, to measure lost "
                "zero-shot ability. Add rows, or do not name it."
            )
            raise ConfigError(msg)
    from_train, from_val = (each.frame["country_code"].isin(codes) for each in (train, val))
    for manifest, out, purpose in ((train, from_train, "train on"), (val, from_val, "validate by")):
        if out.all():
            msg = (
                f"{flag}: all {len(out)} images of {manifest.path} are of held-out countries; "
                f"expected some of others, to {purpose}. Name fewer countries."
            )
            raise ConfigError(msg)
    counts = [f"{out.sum()} of {len(out)}" for out in (from_train, from_val)]
    _LOG.info(
        "%s %s: %s training images are left out; %s validation images measure how well a country "
        "is found that was not trained on",
        *(flag, ", ".join(codes.values()), *counts),
    )
    return train.frame[~from_train], val.frame[~from_val], val.frame[from_val]


def _check_contrast(manifest: Manifest, images: CaptionedImages) -> None:
    if len(images) < 2:  # noqa: PLR2004 -- a contrast takes two
        msg = (
            f"{manifest.path}: has {len(images)} image; expected at least 2 to train on. Add rows."
        )
        raise ManifestError(msg)
    if len(images.captions) == 1:
        msg = (
            f"{manifest.path}: all {len(images)} captions are equal to the model "
            f"({shown(images.captions[0])}); there is nothing to contrast. Give images of several "
            "places, or --templates that name what differs, such as full."
        )
        raise ManifestError(msg)


def _warn_of_redrawing(
    train: Manifest, templates: Sequence[CaptionTemplate], config: TrainConfig
) -> None:
    names = " ".join(config.templates)
    if "caption" in train.frame.columns:
        _LOG.warning(
            "%s: its captions are not used; --redraw_captions makes them of --templates %s",
            train.path,
            names,
        )
    if not has_choice(templates):
        _LOG.warning(
            "--redraw_captions changes nothing: --templates %s draws nothing by chance. Name "
            "several, or one with chances, such as dropout",
            names,
        )


def _spellings(*manifests: Manifest) -> dict[str, str]:
    """Find each country's most frequent name in the first manifest that has it, by code."""
    spellings: dict[str, str] = {}
    for manifest in reversed(manifests):
        names = zip(manifest.frame["country_code"], manifest.frame["country"], strict=True)
        # The most frequent name, first of equals in the alphabet, comes last.
        counts = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
        spellings |= {code: name for (code, name), _ in reversed(counts)}
    return spellings


def _caption_templates(
    manifest: Manifest, templates: Sequence[CaptionTemplate], config: TrainConfig
) -> Sequence[CaptionTemplate]:
    """Return the templates of the captions if known, else those of the settings."""
    columns = manifest.frame.columns
    if config.redraw_captions or "caption" not in columns:
        return templates
    if "template" in columns and (names := sorted(set(manifest.frame["template"]))):
        try:
            return load_templates(names, config.template_file)
        except TemplateError as error:
            _LOG.warning("%s: %s", manifest.path, error)
    _LOG.warning(
        "%s: which templates made its captions is not known; countries are asked for in the words "
        "of --templates %s.",
        manifest.path,
        " ".join(config.templates),
    )
    return templates


def describe_files(checkpoint: Path, data: TrainingData, recorded_NF: Tensor | None) -> Tensor:
    """Describe all images of a training, N × 5 int64 of `FILE_RECORD`.

    `recorded_NF` is the description when the training began, None if it begins now. Raises
    ConfigError if images changed since.
    """
    images = (data.train, data.val, data.holdout)
    paths = [str(path) for each in images if each is not None for path in each.paths]
    if recorded_NF is None:
        records_N = file_records(signatures(paths), sampled_digests(paths))
    else:
        recorded_N = np.ascontiguousarray(recorded_NF.numpy()).view(FILE_RECORD).reshape(-1)
        # Keep the present records: copied files have other times.
        changed_N, records_N = compare_files(paths, recorded_N, sampled_digests)
        changed = count_changed(paths, changed_N, "the training began")
        if changed:
            remedy = "Restore them, or name another --output_dir."
            msg = f"{checkpoint}: cannot be resumed, as {changed}. {remedy}"
            raise ConfigError(msg)
    return torch.from_numpy(records_N.view(np.int64).reshape(len(paths), -1).copy())
