"""Write captions CSVs: a manifest's columns and a caption per image."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from operator import iconcat
from pathlib import Path

from streetclip.captions.templates import (
    CLIP_TOKENS,
    CaptionTemplate,
    estimate_tokens,
    make_captions,
)
from streetclip.data.columns import CAPTION_COLUMNS
from streetclip.data.csv_formulas import defuse
from streetclip.data.manifest import ManifestReader

_NUM_EXAMPLES = 2


@dataclass(frozen=True)
class CaptionFile:
    """Describe a written captions CSV; `num_skipped`, `problems`, `warnings` as in `Manifest`."""

    num_rows: int
    num_skipped: int
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    examples: tuple[tuple[str, str], ...]  # image name and caption of the first two that differ
    num_long: int = 0  # captions that probably exceed CLIP's 77 tokens
    longest: tuple[str, str] | None = None  # image name and caption of the longest of these


def write_captions(
    reader: ManifestReader, destination: Path, templates: Sequence[CaptionTemplate], *, seed: int
) -> CaptionFile:
    """Write a manifest with a caption for each image, chunk by chunk.

    The manifest's columns come first, then new `caption` and `template` columns, all defused: see
    `csv_formulas`; `ManifestReader` undoes it. The caller makes sure that the destination is whole
    or absent. Bad rows that are not to be skipped raise a `ManifestError`, an image that no
    template fits a `TemplateError`.
    """
    kept = [i for i, name in enumerate(reader.header) if name not in CAPTION_COLUMNS]
    has_captions = len(kept) < len(reader.header)
    examples: dict[str, str] = {}
    num_long, most_tokens, longest = 0, float(CLIP_TOKENS), None
    # With "\r\n" between rows, the csv module quotes every cell with a "\r" or "\n" in it.
    with destination.open("w", encoding="utf-8", newline="", buffering=2**18) as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(map(defuse, [*(reader.header[i] for i in kept), *CAPTION_COLUMNS]))
        for chunk in reader:
            made = make_captions(templates, chunk.columns, seed=seed)
            rows = [[row[i] for i in kept] for row in chunk.rows] if has_captions else chunk.rows
            writer.writerows(map(defuse, row) for row in map(iconcat, rows, made))
            # Images share captions: estimate each once, and name its first image.
            names, captions = chunk.columns["image_filename"], [caption for caption, _ in made]
            counts = Counter(captions)
            for caption in islice(counts, _NUM_EXAMPLES):
                if len(examples) < _NUM_EXAMPLES:
                    examples.setdefault(caption, names[captions.index(caption)])
            for caption, count in counts.items():
                tokens = estimate_tokens(caption)
                num_long += count * (tokens > CLIP_TOKENS)
                if tokens > most_tokens:
                    most_tokens, longest = tokens, (names[captions.index(caption)], caption)
    return CaptionFile(
        num_rows=reader.num_rows,
        num_skipped=reader.num_skipped,
        problems=tuple(reader.problems),
        warnings=tuple(reader.warnings),
        examples=tuple((name, caption) for caption, name in examples.items()),
        num_long=num_long,
        longest=longest,
    )
