"""Claim the evaluation folder: `config.json`, `predictions.csv`, `metrics.json`."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from streetclip.config import STRATEGIES
from streetclip.errors import OutputError
from streetclip.files import atomic_path, clear_leftovers, read_json

CONFIG_FILE = "config.json"  # marks the folder as taken
METRICS_FILE = "metrics.json"  # marks the evaluation as complete
PREDICTIONS_FILE = "predictions.csv"


def claim_folder(folder: Path, decisive: dict[str, Any], *, resume: bool) -> None:
    """Check that the folder is free or holds this evaluation; else OutputError."""
    for each in (folder, *(folder / strategy for strategy in STRATEGIES)):
        clear_leftovers(each)
    config_path = folder / CONFIG_FILE
    if not config_path.exists():
        return
    held = read_json(config_path).get("decisive", {})
    differing = sorted(key for key in decisive if held.get(key) != decisive[key])
    state = "a finished" if (folder / METRICS_FILE).exists() else "an unfinished"
    if differing and not any(key in held for key in differing):
        found = (
            "an evaluation by an earlier version of StreetCLIP, which did not record "
            f"{', '.join(differing)}, so it cannot be resumed. Name"
        )
    elif differing:
        found = f"another evaluation (it differs in {', '.join(differing)}). Name"
    elif not resume:
        found = (
            f"{state} evaluation of the same model and images. Add --resume to keep or finish it, "
            "or name"
        )
    else:
        return
    msg = f"{folder}: holds {found} another folder with --output_dir."
    raise OutputError(msg)


def write_predictions(folder: Path, chunks: Iterable[Mapping[str, Sequence[Any]]]) -> None:
    """Write `predictions.csv` from chunks of columns with the same names."""
    with (
        atomic_path(folder / PREDICTIONS_FILE) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        # The writer quotes carriage returns only with this line terminator.
        lines = SimpleNamespace(write=lambda line: file.write(line[:-2] + "\n"))
        writer = csv.writer(lines, lineterminator="\r\n")
        for number, chunk in enumerate(chunks):
            if number == 0:
                writer.writerow(chunk)
            writer.writerows(zip(*chunk.values(), strict=True))
