"""The evaluation folder: `config.json` first, `predictions.csv` and `metrics.json` at the end."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from streetclip.config import STRATEGIES
from streetclip.errors import OutputError
from streetclip.files import atomic_path, clear_leftovers, read_json, write_json

CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.csv"


def claim_folder(folder: Path, decisive: dict[str, Any], *, resume: bool) -> None:
    """Check that the folder is free, or holds this evaluation.

    Removes what a killed evaluation left half written, and compares `decisive`, what decides the
    predictions, with what the folder holds.

    Raises:
        OutputError: Something else is there, or this without `resume`.
    """
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


def write_config(folder: Path, settings: dict[str, Any]) -> None:
    """Write `config.json`, which marks the folder as taken."""
    write_json(folder / CONFIG_FILE, settings)


def write_predictions(folder: Path, chunks: Iterable[Mapping[str, Sequence[Any]]]) -> None:
    """Write `predictions.csv` from chunks: columns of plain values, the same names in each."""
    with (
        atomic_path(folder / PREDICTIONS_FILE) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        # The writer quotes a carriage return in a text only where that may end a line.
        lines = SimpleNamespace(write=lambda line: file.write(line[:-2] + "\n"))
        writer = csv.writer(lines, lineterminator="\r\n")
        for number, chunk in enumerate(chunks):
            if number == 0:
                writer.writerow(chunk)
            writer.writerows(zip(*chunk.values(), strict=True))


def write_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Write `metrics.json`, whose presence shows that the evaluation is complete."""
    write_json(folder / METRICS_FILE, metrics)


def strategy_folder(folder: Path, strategies: tuple[str, ...], strategy: str) -> Path:
    """Get the folder of a strategy; the first one's is `folder` itself."""
    return folder if strategy == strategies[0] else folder / strategy
