"""What a training reads: captioned images, the countries to tell apart, the prompts to do it by."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streetclip.captions import (
    PLACE_FIELDS,
    CaptionTemplate,
    PromptSet,
    load_templates,
    make_captions,
    prompts_of_templates,
)
from streetclip.config import TrainConfig
from streetclip.datasets.images import resolve_image_path
from streetclip.datasets.manifest import Manifest
from streetclip.errors import ManifestError, TemplateError, shown

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaptionedImages:
    """The images of one manifest.

    Attributes:
        paths: Where the N images are.
        captions: The U distinct captions.
        caption_ids_N: Which of them is each image's.
        country_codes: ISO code of each image's country.
    """

    paths: Sequence[Path]
    captions: tuple[str, ...]
    caption_ids_N: NDArray[np.int64]
    country_codes: tuple[str, ...]

    def __len__(self) -> int:
        """Number of images, unreadable ones included."""
        return len(self.paths)


@dataclass(frozen=True)
class TrainingData:
    """Both manifests, ready to train on.

    Attributes:
        train: The images to train on.
        val: The images to validate by.
        templates: Those of the configuration.
        prompts: Prompts that speak like the captions; stored with the checkpoint.
        country_codes: The countries of either manifest, sorted: the classes of the validation.
        country_names: Their names, as the manifests spell them.
    """

    train: CaptionedImages
    val: CaptionedImages
    templates: tuple[CaptionTemplate, ...]
    prompts: PromptSet
    country_codes: tuple[str, ...]
    country_names: tuple[str, ...]


def load_training_data(config: TrainConfig, train: Manifest, val: Manifest) -> TrainingData:
    """Caption both manifests and check that there is something to learn.

    Args:
        config: Gives the image folder, the templates and the seed.
        train: Manifest of the training images; its captions are used if it has any.
        val: Manifest of the validation images.

    Raises:
        ManifestError: Fewer than two training images, or all captions are equal.
        TemplateError: A template is unknown or does not fit the rows.
    """
    templates = load_templates(config.templates, config.template_file)
    train_images = caption_images(train, templates, config)
    _check_contrast(train, train_images)
    if config.batch_size > len(train_images):
        _LOG.warning(
            "--batch_size is %d, but %s has %d images; each step takes them all",
            config.batch_size,
            train.path,
            len(train_images),
        )
    val_images = caption_images(val, templates, config)
    spellings = dict(sorted(_spellings(train, val).items()))
    return TrainingData(
        train=train_images,
        val=val_images,
        templates=templates,
        prompts=prompts_of_templates(_templates_of(train, templates, config)),
        country_codes=tuple(spellings),
        country_names=tuple(spellings.values()),
    )


def caption_images(
    manifest: Manifest, templates: Sequence[CaptionTemplate], config: TrainConfig
) -> CaptionedImages:
    """Take the manifest's own captions, or make them."""
    frame = manifest.frame
    if "caption" in frame.columns:
        captions = frame["caption"].tolist()
    else:
        columns = {name: frame[name].tolist() for name in ("image_filename", *PLACE_FIELDS)}
        captions = [caption for caption, _ in make_captions(templates, columns, seed=config.seed)]
    ids: dict[str, int] = {}
    ids_N = np.array([ids.setdefault(caption, len(ids)) for caption in captions], np.int64)
    names = frame["image_filename"]
    return CaptionedImages(
        paths=[resolve_image_path(config.image_dir, name) for name in names],
        captions=tuple(ids),
        caption_ids_N=ids_N,
        country_codes=tuple(frame["country_code"]),
    )


def _check_contrast(manifest: Manifest, images: CaptionedImages) -> None:
    if len(images) < 2:  # noqa: PLR2004 -- a contrast takes two
        msg = (
            f"{manifest.path}: has {len(images)} image; expected at least 2 to train on. Add rows."
        )
        raise ManifestError(msg)
    if len(images.captions) == 1:
        msg = (
            f"{manifest.path}: all {len(images)} captions are equal ({shown(images.captions[0])}); "
            "there is nothing to contrast. Give images of several places, or --templates that "
            "name what differs, such as full."
        )
        raise ManifestError(msg)


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
    if "caption" not in manifest.frame.columns:
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
