"""Shorten captions to the tokens that the model reads, and refuse ambiguous ones.

CLIP reads 77 tokens and SigLIP 64. Captions with the same tokens read are one caption.
"""

import functools
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from streetclip.captions.patterns import PLACE_FIELDS, bare_name
from streetclip.captions.templates import shorter_captions
from streetclip.errors import ManifestError, shown
from streetclip.gazetteer import find_country
from streetclip.models.text_reader import TextReader, TextReading

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)

Place = tuple[str, str, str, str]  # city, region, country and continent; blank where unknown
Readings = dict[str, TextReading]  # by caption


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


def read_captions(captions: Sequence[str], reader: TextReader) -> Readings:
    """Read each distinct caption once."""
    distinct = list(dict.fromkeys(captions))
    return dict(zip(distinct, reader.read(distinct), strict=True))


def merge_captions(
    captions: Sequence[str], readings: Readings | None
) -> tuple[list[str], NDArray[np.int64]]:
    """Return the U distinct captions, by tokens or by text, and the row of each of N."""
    texts: list[str] = []
    rows: dict[str | bytes, int] = {}
    row_of: dict[str, int] = {}
    for caption in dict.fromkeys(captions):
        key = caption if readings is None else readings[caption].key
        row = row_of[caption] = rows.setdefault(key, len(texts))
        if row == len(texts):
            texts.append(caption)
    return texts, np.array([row_of[caption] for caption in captions], np.int64)


def fit_captions(rows: CaptionRows, readings: Readings, reader: TextReader) -> list[str]:
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
    readings |= read_captions(sorted(new), reader)
    chosen = dict(zip(keys, rows.captions, strict=True))
    for key, texts in shorter.items():
        fitting = [text for text in texts if readings[text].num_tokens <= reader.max_tokens]
        chosen[key] = next(iter(fitting or texts[-1:]), chosen[key])
    return [chosen[key] for key in keys]


def warn_of_shortened(rows: CaptionRows, fitted: Sequence[str], max_tokens: int) -> None:
    """Warn of shortened captions."""
    changed = [i for i, caption in enumerate(rows.captions) if caption != fitted[i]]
    if changed:
        first = changed[0]
        _LOG.warning(
            "%s: %s of %s captions are longer than the %d tokens that the model reads; they are "
            "trained without the region, or without region and city. The first, %s:%d: %s, not %s",
            rows.path,
            f"{len(changed):,}",
            f"{len(fitted):,}",
            max_tokens,
            rows.path,
            rows.lines[first],
            shown(fitted[first]),
            shown(rows.captions[first]),
        )


def check_captions(rows: CaptionRows, readings: Readings, reader: TextReader) -> None:
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
    rows: CaptionRows, cut_off: Sequence[int], readings: Readings, reader: TextReader
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


def _warn_of_merged(rows: CaptionRows, readings: Readings) -> None:
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
