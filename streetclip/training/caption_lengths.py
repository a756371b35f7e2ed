"""Fit captions to what the model reads of a text, and refuse those that lose what they say.

CLIP reads 77 tokens of a caption and SigLIP 64, and the country stands at a caption's end. Captions
are compared by the tokens that are read: what the model cannot tell apart is one caption.
"""

import functools
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streetclip.captions import bare_name, shorter_captions
from streetclip.errors import ManifestError, shown
from streetclip.gazetteer import find_country
from streetclip.models.text_reader import TextReader, TextReading

_LOG = logging.getLogger(__name__)

Place = tuple[str, str, str, str]
"""city, region, country and continent; blank where unknown."""


@dataclass(frozen=True)
class CaptionRows:
    """The captions of a manifest's N rows, and where they come from.

    Attributes:
        path: The manifest.
        lines: Line of each row.
        places: Place of each row.
        captions: Caption of each row.
        patterns: Pattern that made each caption; None where it is not known.
    """

    path: Path
    lines: Sequence[int]
    places: Sequence[Place]
    captions: Sequence[str]
    patterns: Sequence[str | None]


def read_captions(captions: Sequence[str], reader: TextReader) -> dict[str, TextReading]:
    """Read each distinct caption once."""
    distinct = list(dict.fromkeys(captions))
    return dict(zip(distinct, reader.read(distinct), strict=True))


def merge_captions(
    captions: Sequence[str], readings: dict[str, TextReading] | None
) -> tuple[list[str], NDArray[np.int64]]:
    """Number captions by what the model reads of them.

    Args:
        captions: Of N images.
        readings: Of each caption; None to compare captions as text.

    Returns:
        U captions, the first of each that the model can tell apart, and for each image its row.
    """
    texts: list[str] = []
    rows: dict[str | bytes, int] = {}
    row_of: dict[str, int] = {}
    for caption in dict.fromkeys(captions):
        key = caption if readings is None else readings[caption].key
        row = row_of[caption] = rows.setdefault(key, len(texts))
        if row == len(texts):
            texts.append(caption)
    return texts, np.array([row_of[caption] for caption in captions], np.int64)


def fit_captions(
    rows: CaptionRows, readings: dict[str, TextReading], reader: TextReader
) -> list[str]:
    """Shorten captions that the model does not read to the end: region first, then city.

    A caption that stays too long is made as short as it can be; one whose pattern is not known
    stays as it is.

    Args:
        rows: N captions.
        readings: Of each caption; receives those of shorter ones.
        reader: Of the model.

    Returns:
        N captions.
    """
    is_long = {text for text in rows.captions if readings[text].num_tokens > reader.max_tokens}
    if not is_long:
        return list(rows.captions)
    shorter: dict[tuple[str, str | None, Place], list[str]] = {}
    keys = list(zip(rows.captions, rows.patterns, rows.places, strict=True))
    for key in dict.fromkeys(keys):
        caption, pattern, place = key
        if caption in is_long and pattern is not None:
            shorter[key] = shorter_captions(caption, pattern, place)
    new = {text for texts in shorter.values() for text in texts} - readings.keys()
    readings |= read_captions(sorted(new), reader)
    chosen = {key: _longest_that_fits(texts, readings, reader) for key, texts in shorter.items()}
    return [chosen.get(key) or key[0] for key in keys]


def _longest_that_fits(
    texts: Sequence[str], readings: dict[str, TextReading], reader: TextReader
) -> str | None:
    fitting = [text for text in texts if readings[text].num_tokens <= reader.max_tokens]
    return next(iter(fitting or texts[-1:]), None)


def warn_of_shortened(rows: CaptionRows, fitted: Sequence[str], max_tokens: int) -> None:
    """Warn of captions that were shortened.

    Args:
        rows: The captions as they were.
        fitted: As they are.
        max_tokens: What the model reads of a text.
    """
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


def check_captions(rows: CaptionRows, readings: dict[str, TextReading], reader: TextReader) -> None:
    """Warn of captions whose end is cut off, and refuse those that lose what they say.

    Args:
        rows: Captions as they are to be trained on.
        readings: Of each caption.
        reader: Of the model.

    Raises:
        ManifestError: A caption's country is cut off, or captions that differ are cut off to the
            same tokens.
    """
    cut_off = [
        i for i, text in enumerate(rows.captions) if readings[text].num_tokens > reader.max_tokens
    ]
    if cut_off:
        _refuse_lost_countries(rows, cut_off, reader)
        _refuse_equal_beginnings(rows, cut_off, readings, reader)
        longest = max(readings[rows.captions[i]].num_tokens for i in cut_off)
        _LOG.warning(
            "%s: %s of %s captions are longer than the %d tokens that the model reads (the longest "
            "has %d); their ends are cut off. The first is %s",
            rows.path,
            f"{len(cut_off):,}",
            f"{len(rows.captions):,}",
            reader.max_tokens,
            longest,
            _where(rows, cut_off[0]),
        )
    _warn_of_merged(rows, readings)


def _refuse_lost_countries(rows: CaptionRows, cut_off: Sequence[int], reader: TextReader) -> None:
    """Refuse captions that name their row's country after what the model reads."""
    beginnings: dict[str, list[int]] = {}
    for i in cut_off:
        end = _end_of_country(rows.captions[i], rows.places[i][2])
        if end is not None:
            beginnings.setdefault(rows.captions[i][:end], []).append(i)
    is_read = dict(zip(beginnings, reader.fit(list(beginnings)), strict=True))
    lost = sorted(i for text, rows_of in beginnings.items() if not is_read[text] for i in rows_of)
    if not lost:
        return
    msg = (
        f"{rows.path}: {len(lost):,} of {len(rows.captions):,} captions name their country after "
        f"the {reader.max_tokens} tokens that the model reads, so that it is cut off. The first is "
        f"{_where(rows, lost[0])}. {_advice(rows, lost[0])}"
    )
    raise ManifestError(msg)


def _refuse_equal_beginnings(
    rows: CaptionRows,
    cut_off: Sequence[int],
    readings: dict[str, TextReading],
    reader: TextReader,
) -> None:
    """Refuse captions that differ only in what is cut off."""
    first_of: dict[bytes, int] = {}
    lost: list[int] = []
    other = 0
    cut_keys = {readings[rows.captions[i]].key for i in cut_off}
    for i, caption in enumerate(rows.captions):
        reading = readings[caption]
        if reading.key not in cut_keys:
            continue
        first = first_of.setdefault(reading.key, i)
        if reading.whole_key != readings[rows.captions[first]].whole_key:
            other = other if lost else first
            lost.append(i)
    if not lost:
        return
    msg = (
        f"{rows.path}: {len(lost):,} of {len(rows.captions):,} captions equal an earlier one in "
        f"the {reader.max_tokens} tokens that the model reads, and differ only in what is cut off. "
        f"The first is {_where(rows, lost[0])}; it begins as that of line {rows.lines[other]}. "
        f"{_advice(rows, lost[0])}"
    )
    raise ManifestError(msg)


def _warn_of_merged(rows: CaptionRows, readings: dict[str, TextReading]) -> None:
    """Warn of captions that a tokenizer takes for one, as by unknown words; not of mere case."""
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


def _end_of_country(caption: str, country: str) -> int | None:
    """Where the first mention of a country ends; None if there is none."""
    known = find_country(country)
    names = {country, bare_name(country), *([known.name] if known else [])}
    ends = [match.end() for name in names if (match := _whole_word(name).search(caption))]
    return min(ends, default=None)


@functools.lru_cache(maxsize=1024)
def _whole_word(name: str) -> re.Pattern[str]:
    pattern = re.escape(name)
    # Scripts without spaces between words have no such bounds.
    return re.compile(rf"(?<!\w){pattern}(?!\w)" if name.isascii() else pattern, re.IGNORECASE)


def _where(rows: CaptionRows, row: int) -> str:
    return f"{rows.path}:{rows.lines[row]}: {shown(rows.captions[row])}"


def _advice(rows: CaptionRows, row: int) -> str:
    if rows.patterns[row] is not None:
        return "Give --templates that are shorter, or that name the country earlier."
    return (
        "Shorten the captions or put the place first, or remove the column, so that captions are "
        "made of --templates."
    )
