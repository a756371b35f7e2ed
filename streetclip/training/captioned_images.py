"""Pair the images of a manifest with captions of its own or of templates.

CLIP reads 77 tokens of a caption and SigLIP 64. Longer captions are shortened, ambiguous ones are
refused, and captions with the same tokens read are one caption.
"""

import dataclasses
import functools
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from streetclip.captions.patterns import PLACE_FIELDS, Place, bare_name, fill_pattern
from streetclip.captions.templates import (
    CaptionTemplate,
    load_templates,
    make_captions,
    shorter_captions,
)
from streetclip.config import TrainConfig
from streetclip.data.decoding import resolve_image_path
from streetclip.errors import ManifestError, TemplateError, shown
from streetclip.gazetteer import find_country
from streetclip.models.text_reader import TextReader, TextReading

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)

CAPTION_COLUMNS = {"image_filename", "line", "country_code", "caption", "template", *PLACE_FIELDS}
"""Columns of a manifest that captions are made of."""

_MOST_KNOWN = 2**16
_Readings = dict[str, TextReading]  # by caption


@dataclass(frozen=True)
class CaptionRows:
    """Captions of N manifest rows and their patterns, None where unknown."""

    path: Path
    lines: Sequence[int]
    places: Sequence[Place]
    captions: Sequence[str]
    patterns: Sequence[str | None]

    @classmethod
    def of(
        cls,
        path: Path,
        frame: "pd.DataFrame",
        captions: Sequence[str],
        patterns: Sequence[str | None],
    ) -> Self:
        """Take lines and places from N rows of a manifest."""
        places = list(zip(*(frame[name].tolist() for name in PLACE_FIELDS), strict=True))
        return cls(path, frame["line"].tolist(), places, captions, patterns)

    def where(self, row: int) -> str:
        """Name file, line and caption of a row."""
        return f"{self.path}:{self.lines[row]}: {shown(self.captions[row])}"


@dataclass(frozen=True)
class CaptionSource:
    """Source of the captions of N manifest rows with `CAPTION_COLUMNS`; `known` caches readings."""

    path: Path
    frame: "pd.DataFrame"
    templates: Sequence[CaptionTemplate]
    config: TrainConfig
    reader: TextReader
    known: _Readings = field(default_factory=dict, compare=False, repr=False)

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

    def redraw(self, indices_N: NDArray[np.int64], epoch: int) -> tuple[list[str], _Readings]:
        """Draw and shorten captions; return them with their readings."""
        rows = self.draw(indices_N, epoch)
        if len(self.known) > _MOST_KNOWN:
            self.known.clear()
        new = [caption for caption in rows.captions if caption not in self.known]
        self.known.update(_read_captions(new, self.reader))
        return _fit_captions(rows, self.known, self.reader), self.known

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
        texts, rows_U = _merge_captions(ordered, readings)
        rows = dict(zip(ordered, rows_U.tolist(), strict=True))
        return texts, np.array([rows[caption] for caption in captions], np.int64)


def caption_images(source: CaptionSource, *, redraw: bool = False) -> CaptionedImages:
    """Caption images once or in each epoch; for errors see `_check_captions`."""
    frame = source.frame
    everyone_N = np.arange(len(frame))
    if redraw:
        captions, readings = source.redraw(everyone_N, epoch=0)
        _fit_and_check(source.longest(), source.reader)
    else:
        rows = source.own() if "caption" in frame.columns else source.draw(everyone_N, epoch=0)
        captions, readings = _fit_and_check(rows, source.reader)
    texts, ids_N = _merge_captions(captions, readings)
    return CaptionedImages(
        paths=[resolve_image_path(source.config.image_dir, n) for n in frame["image_filename"]],
        captions=tuple(texts),
        caption_ids_N=ids_N,
        country_codes=tuple(frame["country_code"]),
        redraw=source if redraw else None,
    )


def _fit_and_check(rows: CaptionRows, reader: TextReader) -> tuple[list[str], _Readings]:
    readings = _read_captions(rows.captions, reader)
    fitted = _fit_captions(rows, readings, reader)
    shortened = [i for i, caption in enumerate(rows.captions) if caption != fitted[i]]
    if shortened:
        first = shortened[0]
        _LOG.warning(
            "%s: %s of %s captions are longer than the %d tokens that the model reads; they are "
            "trained without the region, or without region and city. The first, %s:%d: %s, not %s",
            rows.path,
            f"{len(shortened):,}",
            f"{len(fitted):,}",
            reader.max_tokens,
            rows.path,
            rows.lines[first],
            shown(fitted[first]),
            shown(rows.captions[first]),
        )
    _check_captions(dataclasses.replace(rows, captions=fitted), readings, reader)
    return fitted, readings


def _read_captions(captions: Sequence[str], reader: TextReader) -> _Readings:
    """Read each distinct caption once."""
    distinct = list(dict.fromkeys(captions))
    return dict(zip(distinct, reader.read(distinct), strict=True))


def _merge_captions(
    captions: Sequence[str], readings: _Readings
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the U captions with distinct tokens, and the row of each of N."""
    keys = [readings[caption].key for caption in captions]
    texts: dict[bytes, str] = {}
    for key, caption in zip(keys, captions, strict=True):
        texts.setdefault(key, caption)
    rows = {key: row for row, key in enumerate(texts)}
    return list(texts.values()), np.array([rows[key] for key in keys], np.int64)


def _fit_captions(rows: CaptionRows, readings: _Readings, reader: TextReader) -> list[str]:
    """Drop region, then city, from captions longer than the model reads.

    Captions of unknown patterns stay as they are. `readings` is extended in place.
    """
    is_long = {text for text in rows.captions if readings[text].num_tokens > reader.max_tokens}
    if not is_long:
        return list(rows.captions)
    keys = list(zip(rows.captions, rows.patterns, rows.places, strict=True))
    shorter = {
        key: shorter_captions(caption, pattern, place)
        for key in dict.fromkeys(keys)
        for caption, pattern, place in [key]
        if caption in is_long and pattern is not None
    }
    new = {text for texts in shorter.values() for text in texts} - readings.keys()
    readings |= _read_captions(sorted(new), reader)
    chosen = dict(zip(keys, rows.captions, strict=True))
    for key, texts in shorter.items():
        fitting = [text for text in texts if readings[text].num_tokens <= reader.max_tokens]
        chosen[key] = next(iter(fitting or texts[-1:]), chosen[key])
    return [chosen[key] for key in keys]


def _check_captions(rows: CaptionRows, readings: _Readings, reader: TextReader) -> None:
    """Warn of truncated captions; raise ManifestError if they lose country or difference."""
    num_tokens = [readings[text].num_tokens for text in rows.captions]
    cut_off = [i for i, number in enumerate(num_tokens) if number > reader.max_tokens]
    if cut_off:
        _refuse_lost_countries(rows, cut_off, reader)
        _refuse_equal_beginnings(rows, cut_off, readings, reader)
        _LOG.warning(
            "%s: %s of %s captions are longer than the %d tokens that the model reads (the longest "
            "has %d); their ends are cut off. The first is %s",
            rows.path,
            f"{len(cut_off):,}",
            f"{len(rows.captions):,}",
            reader.max_tokens,
            max(num_tokens),
            rows.where(cut_off[0]),
        )
    _warn_of_merged(rows, readings)


def _refuse_lost_countries(rows: CaptionRows, cut_off: Sequence[int], reader: TextReader) -> None:
    """Refuse captions whose country is cut off."""
    beginnings: dict[str, list[int]] = {}
    for i in cut_off:
        caption, country = rows.captions[i], rows.places[i][2]
        known = find_country(country)
        names = {country, bare_name(country), *([known.name] if known else [])}
        ends = [match.end() for name in names if (match := _whole_word(name).search(caption))]
        if ends:
            beginnings.setdefault(caption[: min(ends)], []).append(i)
    fitting = zip(beginnings.values(), reader.fit(list(beginnings)), strict=True)
    lost = sorted(i for rows_of_text, fits in fitting if not fits for i in rows_of_text)
    after = f"after the {reader.max_tokens} tokens that the model reads"
    _refuse(rows, lost, f"name their country {after}, so that it is cut off")


def _refuse_equal_beginnings(
    rows: CaptionRows, cut_off: Sequence[int], readings: _Readings, reader: TextReader
) -> None:
    """Refuse captions that differ only in what is cut off."""
    cut_keys = {readings[rows.captions[i]].key for i in cut_off}
    first_of: dict[bytes, int] = {}
    lost: dict[int, int] = {}
    for i, caption in enumerate(rows.captions):
        reading = readings[caption]
        if reading.key in cut_keys:
            first = first_of.setdefault(reading.key, i)
            if reading.whole_key != readings[rows.captions[first]].whole_key:
                lost[i] = first
    same = f"equal an earlier one in the {reader.max_tokens} tokens that the model reads"
    also = f"; it begins as that of line {rows.lines[next(iter(lost.values()))]}" if lost else ""
    _refuse(rows, list(lost), f"{same}, and differ only in what is cut off", also)


def _refuse(rows: CaptionRows, lost: Sequence[int], problem: str, also: str = "") -> None:
    if not lost:
        return
    advice = (
        "Shorten the captions or put the place first, or remove the column, so that captions are "
        "made of --templates."
        if rows.patterns[lost[0]] is None
        else "Give --templates that are shorter, or that name the country earlier."
    )
    msg = (
        f"{rows.path}: {len(lost):,} of {len(rows.captions):,} captions {problem}. The first is "
        f"{rows.where(lost[0])}{also}. {advice}"
    )
    raise ManifestError(msg)


def _warn_of_merged(rows: CaptionRows, readings: _Readings) -> None:
    """Warn of captions with equal tokens, as of unknown words; ignore case."""
    first_of: dict[bytes, str] = {}
    pairs = []
    for caption in dict.fromkeys(rows.captions):
        first = first_of.setdefault(readings[caption].key, caption)
        if first.casefold() != caption.casefold():
            pairs.append((first, caption))
    if pairs:
        _LOG.warning(
            "%s: %s captions are the same as another to the model's tokenizer, and count as one "
            "caption with it: %s and %s, for example. Does it know this script?",
            rows.path,
            f"{len(pairs):,}",
            shown(pairs[0][0]),
            shown(pairs[0][1]),
        )


@functools.lru_cache(maxsize=1024)
def _whole_word(name: str) -> re.Pattern[str]:
    pattern = re.escape(name)
    # Scripts without spaces between words have no such bounds.
    return re.compile(rf"(?<!\w){pattern}(?!\w)" if name.isascii() else pattern, re.IGNORECASE)
