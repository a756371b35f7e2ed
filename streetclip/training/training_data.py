"""What a training reads: captioned images, the countries to tell apart, the prompts to do it by."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from streetclip.captions import (
    CaptionTemplate,
    PromptSet,
    has_choice,
    load_templates,
    prompts_of_templates,
)
from streetclip.config import TrainConfig
from streetclip.data.manifest import Manifest
from streetclip.errors import ManifestError, TemplateError, shown
from streetclip.models.prompt_texts import check_country_prompts
from streetclip.models.text_reader import TextReader
from streetclip.training.captioned_images import CaptionedImages, CaptionSource, caption_images
from streetclip.training.holdout import Split, split_holdout

_LOG = logging.getLogger(__name__)
_NAMED = 5  # countries in a warning; the others are counted


@dataclass(frozen=True)
class TrainingData:
    """Both manifests, ready to train on.

    Attributes:
        train: The images to train on.
        val: The images to validate by.
        templates: Those of the configuration.
        prompts: Prompts that speak like the captions; stored with the checkpoint.
        country_codes: The countries of either manifest, sorted: the classes of the validation.
            Those held out are among them.
        country_names: Their names, as the manifests spell them.
        holdout: The validation images of the countries held out of training, if any are.
    """

    train: CaptionedImages
    val: CaptionedImages
    templates: tuple[CaptionTemplate, ...]
    prompts: PromptSet
    country_codes: tuple[str, ...]
    country_names: tuple[str, ...]
    holdout: CaptionedImages | None = None


def load_training_data(
    config: TrainConfig, train: Manifest, val: Manifest, reader: TextReader | None = None
) -> TrainingData:
    """Caption both manifests and check that there is something to learn.

    Args:
        config: Gives the image folder, the templates, the countries held out and the seed.
        train: Manifest of the training images; its captions are used if it has any, unless they
            are to be drawn anew.
        val: Manifest of the validation images.
        reader: What the model reads of a text; None to take captions as text of any length.

    Raises:
        ManifestError: Fewer than two training images; or all captions are equal; or what tells
            captions apart comes after what the model reads.
        ConfigError: A country held out is unknown or has no validation image, or too much is.
        TemplateError: A template is unknown or does not fit the rows.
    """
    templates = load_templates(config.templates, config.template_file)
    split = split_holdout(train, val, config.holdout_countries)
    if config.redraw_captions:
        _tell_of_redrawing(train, templates, config)
    sources = [CaptionSource(each.path, templates, config, reader) for each in (train, val)]
    train_images = caption_images(split.train, sources[0], redraw=config.redraw_captions)
    _check_contrast(train, train_images)
    spellings = dict(sorted(_spellings(train, val).items()))
    _warn_of_unvalidated(split, spellings)
    holdout = None if split.holdout is None else caption_images(split.holdout, sources[1])
    prompts = prompts_of_templates(_templates_of(train, templates, config))
    if reader is not None:
        check_country_prompts(reader, prompts, tuple(spellings.values()))
    return TrainingData(
        train=train_images,
        val=caption_images(split.val, sources[1]),
        templates=templates,
        prompts=prompts,
        country_codes=tuple(spellings),
        country_names=tuple(spellings.values()),
        holdout=holdout,
    )


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


def _warn_of_unvalidated(split: Split, spellings: dict[str, str]) -> None:
    codes = set(split.train["country_code"]) - set(split.val["country_code"])
    missing = sorted(spellings[code] for code in codes)
    if missing:
        names = missing[:_NAMED] + ["…"] * (len(missing) > _NAMED)
        _LOG.warning(
            "%d of the countries to train on have no validation image (%s); how well they are "
            "learned does not show",
            len(missing),
            ", ".join(names),
        )


def _tell_of_redrawing(
    train: Manifest, templates: Sequence[CaptionTemplate], config: TrainConfig
) -> None:
    if "caption" in train.frame.columns:
        _LOG.warning(
            "%s: its captions are not used; --redraw_captions makes them of --templates %s",
            train.path,
            " ".join(config.templates),
        )
    if not has_choice(templates):
        _LOG.warning(
            "--redraw_captions changes nothing: --templates %s draws nothing by chance. Name "
            "several, or one with chances, such as dropout",
            " ".join(config.templates),
        )


def _spellings(*manifests: Manifest) -> dict[str, str]:
    """How each country, by its code, is most often written in the first manifest that has it.

    A model whose captions say "the USA" should not be asked for "the United States".
    """
    spellings: dict[str, str] = {}
    for manifest in manifests:
        counts = Counter(
            zip(manifest.frame["country_code"], manifest.frame["country"], strict=True)
        )
        found: dict[str, str] = {}
        for (code, name), _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            found.setdefault(code, name)
        spellings = found | spellings
    return spellings


def _templates_of(
    manifest: Manifest, templates: Sequence[CaptionTemplate], config: TrainConfig
) -> Sequence[CaptionTemplate]:
    """The templates that made the captions, as far as they are known."""
    if config.redraw_captions or "caption" not in manifest.frame.columns:
        return templates
    names = sorted(set(manifest.frame["template"])) if "template" in manifest.frame.columns else []
    if names:
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
