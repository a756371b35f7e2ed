"""What a training reads: captioned images, the countries to tell apart, the prompts to do it by."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streetclip.captions import (
    PLACE_FIELDS,
    CaptionTemplate,
    PromptSet,
    has_choice,
    load_templates,
    make_captions,
    prompts_of_templates,
)
from streetclip.config import TrainConfig
from streetclip.datasets.images import resolve_image_path
from streetclip.datasets.manifest import Manifest
from streetclip.errors import ManifestError, TemplateError, shown
from streetclip.training.holdout import Split, split_holdout

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)
_NAMED = 5  # countries in a warning; the others are counted


@dataclass(frozen=True)
class CaptionDraw:
    """Captions made of templates, anew in each epoch.

    Attributes:
        templates: To draw from.
        rows: File name and place of the N images.
        seed: Seed of the training.
    """

    templates: Sequence[CaptionTemplate]
    rows: "pd.DataFrame"
    seed: int

    def __call__(self, indices_N: NDArray[np.int64], epoch: int) -> list[str]:
        """Caption some images: what depends on seed, epoch and file name alone.

        Args:
            indices_N: Numbers of the images.
            epoch: From 1; 0 gives the captions of `generate_captions` with the same seed.
        """
        rows = self.rows.iloc[indices_N]
        columns = {name: rows[name].tolist() for name in ("image_filename", *PLACE_FIELDS)}
        made = make_captions(self.templates, columns, seed=self._seed_of(epoch))
        return [caption for caption, _ in made]

    def _seed_of(self, epoch: int) -> int:
        if epoch == 0:
            return self.seed
        # Not a sum of the two, by which run 5's epoch 4 would be run 6's epoch 3.
        return int(np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)[0])


@dataclass(frozen=True)
class CaptionedImages:
    """The images of one manifest.

    Attributes:
        paths: Where the N images are.
        captions: The U distinct captions, as drawn once.
        caption_ids_N: Which of them is each image's.
        country_codes: ISO code of each image's country.
        redraw: Draws captions anew in each epoch; None if they stay.
    """

    paths: Sequence[Path]
    captions: tuple[str, ...]
    caption_ids_N: NDArray[np.int64]
    country_codes: tuple[str, ...]
    redraw: CaptionDraw | None = None

    def __len__(self) -> int:
        """Number of images, unreadable ones included."""
        return len(self.paths)

    def distinct_captions(
        self, indices_N: NDArray[np.int64], epoch: int
    ) -> tuple[list[str], NDArray[np.int64]]:
        """The captions of some images, each text once.

        Args:
            indices_N: Numbers of the images, in any order, any number of times.
            epoch: From 1, where captions are drawn anew; 0 for those drawn once.

        Returns:
            The U distinct captions, in an order that does not depend on that of the images, and
            for each image the row of its caption.
        """
        if self.redraw is None:
            ids_U, rows_N = np.unique(self.caption_ids_N[indices_N], return_inverse=True)
            return [self.captions[index] for index in ids_U], rows_N
        captions = self.redraw(indices_N, epoch)
        rows = {caption: row for row, caption in enumerate(sorted(set(captions)))}
        return list(rows), np.array([rows[caption] for caption in captions], np.int64)


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


def load_training_data(config: TrainConfig, train: Manifest, val: Manifest) -> TrainingData:
    """Caption both manifests and check that there is something to learn.

    Args:
        config: Gives the image folder, the templates, the countries held out and the seed.
        train: Manifest of the training images; its captions are used if it has any, unless they
            are to be drawn anew.
        val: Manifest of the validation images.

    Raises:
        ManifestError: Fewer than two training images, or all captions are equal.
        ConfigError: A country held out is unknown or has no validation image, or too much is.
        TemplateError: A template is unknown or does not fit the rows.
    """
    templates = load_templates(config.templates, config.template_file)
    split = split_holdout(train, val, config.holdout_countries)
    if config.redraw_captions:
        _tell_of_redrawing(train, templates, config)
    train_images = caption_images(split.train, templates, config, redraw=config.redraw_captions)
    _check_contrast(train, train_images)
    spellings = dict(sorted(_spellings(train, val).items()))
    _warn_of_unvalidated(split, spellings)
    holdout = None if split.holdout is None else caption_images(split.holdout, templates, config)
    return TrainingData(
        train=train_images,
        val=caption_images(split.val, templates, config),
        templates=templates,
        prompts=prompts_of_templates(_templates_of(train, templates, config)),
        country_codes=tuple(spellings),
        country_names=tuple(spellings.values()),
        holdout=holdout,
    )


def caption_images(
    frame: "pd.DataFrame",
    templates: Sequence[CaptionTemplate],
    config: TrainConfig,
    *,
    redraw: bool = False,
) -> CaptionedImages:
    """Take the captions of a manifest's rows, or make them.

    Args:
        frame: Rows of a manifest.
        templates: To make captions of.
        config: Gives image folder and seed.
        redraw: Make them anew in each epoch, whether or not the rows have captions.
    """
    draw = CaptionDraw(templates, frame[["image_filename", *PLACE_FIELDS]], config.seed)
    has_own = "caption" in frame.columns and not redraw
    captions = frame["caption"].tolist() if has_own else draw(np.arange(len(frame)), epoch=0)
    ids: dict[str, int] = {}
    ids_N = np.array([ids.setdefault(caption, len(ids)) for caption in captions], np.int64)
    names = frame["image_filename"]
    return CaptionedImages(
        paths=[resolve_image_path(config.image_dir, name) for name in names],
        captions=tuple(ids),
        caption_ids_N=ids_N,
        country_codes=tuple(frame["country_code"]),
        redraw=draw if redraw else None,
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
