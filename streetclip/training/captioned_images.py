"""The images of a manifest with their captions: as it gives them, or made of templates."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streetclip.captions import (
    PLACE_FIELDS,
    CaptionTemplate,
    fill_pattern,
    load_templates,
    make_captions,
)
from streetclip.config import TrainConfig
from streetclip.data.decoding import resolve_image_path
from streetclip.errors import TemplateError
from streetclip.models.text_reader import TextReader, TextReading
from streetclip.training.caption_lengths import (
    CaptionRows,
    Place,
    check_captions,
    fit_captions,
    merge_captions,
    read_captions,
    warn_of_shortened,
)

if TYPE_CHECKING:
    import pandas as pd

_MOST_KNOWN = 2**16


@dataclass(frozen=True)
class CaptionSource:
    """What makes the captions of a manifest, and what reads them.

    Attributes:
        path: The manifest.
        templates: To make captions of.
        config: Gives image folder, template file and seed.
        reader: Of the model; None to take captions as text of any length.
    """

    path: Path
    templates: Sequence[CaptionTemplate]
    config: TrainConfig
    reader: TextReader | None = None


@dataclass(frozen=True)
class CaptionDraw:
    """Captions made of templates, anew in each epoch.

    Attributes:
        source: Gives templates and seed; its reader decides which captions are shortened.
        rows: File name, place and line of the N images.
        known: What the model reads of captions drawn before, some 65,000 at most.
    """

    source: CaptionSource
    rows: "pd.DataFrame"
    known: dict[str, TextReading] = field(default_factory=dict, compare=False, repr=False)

    def __call__(
        self, indices_N: NDArray[np.int64], epoch: int
    ) -> tuple[list[str], dict[str, TextReading] | None]:
        """Caption some images: what depends on seed, epoch, file name and model alone.

        Args:
            indices_N: Numbers of the images.
            epoch: From 1; 0 gives the captions of `generate_captions` with the same seed.

        Returns:
            The captions, and what the model reads of each.
        """
        rows, reader = self.draw(indices_N, epoch), self.source.reader
        if reader is None:
            return list(rows.captions), None
        if len(self.known) > _MOST_KNOWN:
            self.known.clear()
        new = [caption for caption in rows.captions if caption not in self.known]
        self.known.update(read_captions(new, reader))
        return fit_captions(rows, self.known, reader), self.known

    def draw(self, indices_N: NDArray[np.int64], epoch: int) -> CaptionRows:
        """Caption some images, however long the captions are."""
        frame = self.rows.iloc[indices_N]
        columns = {name: frame[name].tolist() for name in ("image_filename", *PLACE_FIELDS)}
        made = make_captions(self.source.templates, columns, seed=self._seed_of(epoch))
        patterns = {each.name: each.pattern for each in self.source.templates}
        return _caption_rows(
            self.source.path,
            frame,
            [caption for caption, _ in made],
            [patterns[name] for _, name in made],
        )

    def longest(self) -> CaptionRows:
        """Caption one image of each place by each template, with nothing left out by chance."""
        frame = self.rows.drop_duplicates(list(PLACE_FIELDS))
        made = [
            (i, fill_pattern(each.pattern, **dict(zip(PLACE_FIELDS, place, strict=True))), each)
            for each in self.source.templates
            for i, place in enumerate(_places(frame))
        ]
        filled = [(i, caption, each.pattern) for i, caption, each in made if caption]
        rows, captions, patterns = zip(*filled, strict=True)
        return _caption_rows(self.source.path, frame.iloc[list(rows)], captions, patterns)

    def _seed_of(self, epoch: int) -> int:
        seed = self.source.config.seed
        if epoch == 0:
            return seed
        # Not a sum of the two, by which run 5's epoch 4 would be run 6's epoch 3.
        return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0])


@dataclass(frozen=True)
class CaptionedImages:
    """The images of one manifest.

    Attributes:
        paths: Where the N images are.
        captions: The U captions that the model can tell apart, as drawn once.
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
        """The captions of some images, each once that the model can tell apart.

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
        captions, readings = self.redraw(indices_N, epoch)
        ordered = sorted(set(captions))
        texts, rows_U = merge_captions(ordered, readings)
        rows = dict(zip(ordered, rows_U.tolist(), strict=True))
        return texts, np.array([rows[caption] for caption in captions], np.int64)


def caption_images(
    frame: "pd.DataFrame", source: CaptionSource, *, redraw: bool = False
) -> CaptionedImages:
    """Take the captions of a manifest's rows, or make them.

    Captions made of templates are shortened to what the model reads: region first, then city.

    Args:
        frame: Rows of a manifest.
        source: Gives templates, settings and what the model reads.
        redraw: Make them anew in each epoch, whether or not the rows have captions.

    Raises:
        ManifestError: What tells captions apart comes after what the model reads.
    """
    draw = CaptionDraw(source, frame[["image_filename", *PLACE_FIELDS, "line"]])
    everyone_N, reader = np.arange(len(frame)), source.reader
    if redraw:
        captions, readings = draw(everyone_N, epoch=0)
        if reader is not None:
            _readable(draw.longest(), reader)
    else:
        has_own = "caption" in frame.columns
        rows = _own_captions(frame, source) if has_own else draw.draw(everyone_N, epoch=0)
        captions, readings = (
            (list(rows.captions), None) if reader is None else _readable(rows, reader)
        )
    texts, ids_N = merge_captions(captions, readings)
    return CaptionedImages(
        paths=[resolve_image_path(source.config.image_dir, n) for n in frame["image_filename"]],
        captions=tuple(texts),
        caption_ids_N=ids_N,
        country_codes=tuple(frame["country_code"]),
        redraw=draw if redraw else None,
    )


def _readable(rows: CaptionRows, reader: TextReader) -> tuple[list[str], dict[str, TextReading]]:
    """Shorten what is too long and can be, and check the rest; captions and how they are read."""
    readings = read_captions(rows.captions, reader)
    fitted = fit_captions(rows, readings, reader)
    warn_of_shortened(rows, fitted, reader.max_tokens)
    check_captions(dataclasses.replace(rows, captions=fitted), readings, reader)
    return fitted, readings


def _own_captions(frame: "pd.DataFrame", source: CaptionSource) -> CaptionRows:
    """The captions of a manifest, with the patterns of the templates that are known."""
    names = frame["template"].tolist() if "template" in frame.columns else [""] * len(frame)
    patterns = {name: _known_pattern(name, source.config) for name in set(names)}
    return _caption_rows(
        source.path, frame, frame["caption"].tolist(), [patterns[name] for name in names]
    )


def _known_pattern(name: str, config: TrainConfig) -> str | None:
    try:
        return load_templates([name], config.template_file)[0].pattern
    except TemplateError:
        return None  # `_templates_of` warns of it


def _caption_rows(
    path: Path, frame: "pd.DataFrame", captions: Sequence[str], patterns: Sequence[str | None]
) -> CaptionRows:
    return CaptionRows(path, frame["line"].tolist(), _places(frame), captions, patterns)


def _places(frame: "pd.DataFrame") -> list[Place]:
    return list(zip(*(frame[name].tolist() for name in PLACE_FIELDS), strict=True))
