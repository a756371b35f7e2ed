"""Captions CSVs: a manifest's own columns with a caption beside each image."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from operator import iconcat
from pathlib import Path

from streetclip.captions import CLIP_TOKENS, CaptionTemplate, estimate_tokens, make_captions
from streetclip.data.columns import CAPTION_COLUMNS
from streetclip.data.csv_text import Rows
from streetclip.data.manifest import ManifestReader

_NUM_EXAMPLES = 2


@dataclass(frozen=True)
class CaptionFile:
    """What was written.

    Attributes:
        num_rows: Images with a caption.
        num_skipped: Bad rows left out.
        problems: What is wrong with the first 20 of them.
        warnings: What is doubtful about rows that are kept; see `Manifest`.
        examples: The first two captions that differ, each with its image's name; one if all
            captions are equal.
        num_long: Captions that are probably longer than the 77 tokens that CLIP reads.
        longest: The longest of these, with its image's name; None if there is none.
    """

    num_rows: int
    num_skipped: int
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    examples: tuple[tuple[str, str], ...]
    num_long: int = 0
    longest: tuple[str, str] | None = None


def write_captions(
    reader: ManifestReader,
    destination: Path,
    templates: Sequence[CaptionTemplate],
    *,
    seed: int,
) -> CaptionFile:
    """Write a manifest with a caption for each image, in memory that its length does not change.

    The columns are those of the manifest, as written, in its order, then `caption` and
    `template`; a manifest that has these already gets new ones.

    Args:
        reader: The manifest, not read yet.
        destination: CSV to write; the caller sees to it that it is whole or not there.
        templates: As `captions.make_captions` takes them.
        seed: Seed of every random choice.

    Raises:
        ManifestError: The manifest has bad rows that are not to be skipped.
        TemplateError: No template fits an image.
    """
    replaced = [i for i, name in enumerate(reader.header) if name in CAPTION_COLUMNS]
    examples: dict[str, str] = {}
    long = _LongCaptions()
    # With "\r\n" between rows, the csv module quotes every cell with a "\r" or "\n" in it.
    with destination.open("w", encoding="utf-8", newline="", buffering=2**18) as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([*_without([list(reader.header)], replaced)[0], *CAPTION_COLUMNS])
        for chunk in reader:
            made = make_captions(templates, chunk.columns, seed=seed)
            writer.writerows(map(iconcat, _without(chunk.rows, replaced), made))
            long.add(made, chunk.columns["image_filename"])
            if len(examples) < _NUM_EXAMPLES:
                _collect_examples(examples, made, chunk.columns["image_filename"])
    return CaptionFile(
        num_rows=reader.num_rows,
        num_skipped=reader.num_skipped,
        problems=tuple(reader.problems),
        warnings=tuple(reader.warnings),
        examples=tuple((name, caption) for caption, name in examples.items()),
        num_long=long.count,
        longest=long.longest,
    )


class _LongCaptions:
    """Counts captions that are probably longer than CLIP reads.

    Attributes:
        count: How many there are.
        longest: The longest, with its image's name.
    """

    def __init__(self) -> None:
        self.count = 0
        self.longest: tuple[str, str] | None = None
        self._most_tokens = float(CLIP_TOKENS)

    def add(self, made: Sequence[tuple[str, str]], names: Sequence[str]) -> None:
        """Count those of some captions, each with its template."""
        estimates = {caption: estimate_tokens(caption) for caption, _ in made}
        if max(estimates.values(), default=0.0) <= CLIP_TOKENS:
            return
        for (caption, _), name in zip(made, names, strict=True):
            self.count += estimates[caption] > CLIP_TOKENS
            if estimates[caption] > self._most_tokens:
                self._most_tokens, self.longest = estimates[caption], (name, caption)


def _without(rows: Rows, positions: list[int]) -> Rows:
    for row in rows if positions else ():
        for position in reversed(positions):
            del row[position]
    return rows


def _collect_examples(
    examples: dict[str, str], made: Sequence[tuple[str, str]], names: Sequence[str]
) -> None:
    for (caption, _), name in zip(made, names, strict=True):
        examples.setdefault(caption, name)
        if len(examples) == _NUM_EXAMPLES:
            return
