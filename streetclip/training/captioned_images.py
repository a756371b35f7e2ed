"""Pair the images of a manifest with captions of its own or of templates."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streetclip.captions.patterns import PLACE_FIELDS, fill_pattern
from streetclip.captions.templates import CaptionTemplate, load_templates, make_captions
from streetclip.config import TrainConfig
from streetclip.data.decoding import resolve_image_path
from streetclip.errors import TemplateError
from streetclip.models.text_reader import TextReader
from streetclip.training.caption_lengths import (
    CaptionRows,
    Readings,
    check_captions,
    fit_captions,
    merge_captions,
    read_captions,
    warn_of_shortened,
)

if TYPE_CHECKING:
    import pandas as pd

CAPTION_COLUMNS = {"image_filename", "line", "country_code", "caption", "template", *PLACE_FIELDS}
"""Columns of a manifest that captions are made of."""

_MOST_KNOWN = 2**16


@dataclass(frozen=True)
class CaptionSource:
    """Source of the captions of N manifest rows with `CAPTION_COLUMNS`.

    Without a `reader`, captions may have any length; `known` caches readings.
    """

    path: Path
    frame: "pd.DataFrame"
    templates: Sequence[CaptionTemplate]
    config: TrainConfig
    reader: TextReader | None = None
    known: Readings = field(default_factory=dict, compare=False, repr=False)

    def draw(self, indices_N: NDArray[np.int64], epoch: int) -> CaptionRows:
        """Draw captions from templates by seed, epoch and file name.

        Epoch 0 equals `generate_captions` with the same seed.
        """
        frame, seed = self.frame.iloc[indices_N], self.config.seed
        if epoch:
            # A sum would make epoch 4 of seed 5 equal to epoch 3 of seed 6.
            entropy = np.random.SeedSequence([seed, epoch])
            seed = int(entropy.generate_state(1, np.uint64)[0])
        columns = {name: frame[name].tolist() for name in ("image_filename", *PLACE_FIELDS)}
        made = make_captions(self.templates, columns, seed=seed)
        patterns = {each.name: each.pattern for each in self.templates}
        captions, names = zip(*made, strict=True)
        return CaptionRows.of(self.path, frame, captions, [patterns[name] for name in names])

    def redraw(self, indices_N: NDArray[np.int64], epoch: int) -> tuple[list[str], Readings | None]:
        """Draw and shorten captions; return them with their readings."""
        rows = self.draw(indices_N, epoch)
        if self.reader is None:
            return list(rows.captions), None
        if len(self.known) > _MOST_KNOWN:
            self.known.clear()
        new = [caption for caption in rows.captions if caption not in self.known]
        self.known.update(read_captions(new, self.reader))
        return fit_captions(rows, self.known, self.reader), self.known

    def longest(self) -> CaptionRows:
        """Fill each template with each place, leaving out no optional part."""
        frame = self.frame.drop_duplicates(list(PLACE_FIELDS))
        values = frame[list(PLACE_FIELDS)].to_numpy().tolist()
        places = [dict(zip(PLACE_FIELDS, row, strict=True)) for row in values]
        filled = [
            (i, caption, each.pattern)
            for each in self.templates
            for i, place in enumerate(places)
            if (caption := fill_pattern(each.pattern, **place))
        ]
        rows, captions, patterns = zip(*filled, strict=True)
        return CaptionRows.of(self.path, frame.iloc[list(rows)], captions, patterns)

    def own(self) -> CaptionRows:
        """Return the manifest's captions with the patterns of known templates."""
        frame = self.frame
        names = frame["template"].tolist() if "template" in frame.columns else [""] * len(frame)
        patterns: dict[str, str | None] = dict.fromkeys(names)
        for name in patterns:
            try:
                patterns[name] = load_templates([name], self.config.template_file)[0].pattern
            except TemplateError:
                continue  # `_caption_templates` warns of it
        captions = frame["caption"].tolist()
        return CaptionRows.of(self.path, frame, captions, [patterns[name] for name in names])


@dataclass(frozen=True)
class CaptionedImages:
    """N images of one manifest and their U distinct captions.

    `caption_ids_N` are rows of `captions`; `redraw` draws others in each epoch.
    """

    paths: Sequence[Path]
    captions: tuple[str, ...]
    caption_ids_N: NDArray[np.int64]
    country_codes: tuple[str, ...]
    redraw: CaptionSource | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def distinct_captions(
        self, indices_N: NDArray[np.int64], epoch: int
    ) -> tuple[list[str], NDArray[np.int64]]:
        """Return U distinct captions of N images, and each image's row of them.

        The order of the captions does not depend on that of the images.
        """
        if self.redraw is None:
            ids_U, rows_N = np.unique(self.caption_ids_N[indices_N], return_inverse=True)
            return [self.captions[index] for index in ids_U], rows_N
        captions, readings = self.redraw.redraw(indices_N, epoch)
        ordered = sorted(set(captions))
        texts, rows_U = merge_captions(ordered, readings)
        rows = dict(zip(ordered, rows_U.tolist(), strict=True))
        return texts, np.array([rows[caption] for caption in captions], np.int64)


def caption_images(source: CaptionSource, *, redraw: bool = False) -> CaptionedImages:
    """Caption images once or in each epoch; for errors see `check_captions`."""
    frame, reader = source.frame, source.reader
    everyone_N = np.arange(len(frame))
    readings: Readings | None = None
    if redraw:
        captions, readings = source.redraw(everyone_N, epoch=0)
        if reader is not None:
            _fit_and_check(source.longest(), reader)
    else:
        rows = source.own() if "caption" in frame.columns else source.draw(everyone_N, epoch=0)
        captions = list(rows.captions)
        if reader is not None:
            captions, readings = _fit_and_check(rows, reader)
    texts, ids_N = merge_captions(captions, readings)
    return CaptionedImages(
        paths=[resolve_image_path(source.config.image_dir, n) for n in frame["image_filename"]],
        captions=tuple(texts),
        caption_ids_N=ids_N,
        country_codes=tuple(frame["country_code"]),
        redraw=source if redraw else None,
    )


def _fit_and_check(rows: CaptionRows, reader: TextReader) -> tuple[list[str], Readings]:
    readings = read_captions(rows.captions, reader)
    fitted = fit_captions(rows, readings, reader)
    warn_of_shortened(rows, fitted, reader.max_tokens)
    check_captions(dataclasses.replace(rows, captions=fitted), readings, reader)
    return fitted, readings
