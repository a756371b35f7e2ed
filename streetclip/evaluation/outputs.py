"""The evaluation folder: `config.json` first, `predictions.csv` and `metrics.json` at the end."""

from pathlib import Path
from typing import Any

import pandas as pd

from streetclip.config import STRATEGIES
from streetclip.errors import OutputError
from streetclip.files import atomic_path, clear_leftovers, read_json, write_json

CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.csv"


def claim_folder(folder: Path, decisive: dict[str, Any], *, resume: bool) -> None:
    """Make sure that the folder is free, or holds this very evaluation and may go on.

    What a killed evaluation left half written is removed.

    Args:
        folder: `--output_dir`.
        decisive: What decides the predictions; compared with what the folder holds.
        resume: Whether to go on where an earlier run stopped.

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
    if differing:
        msg = (
            f"{folder}: holds another evaluation (it differs in {', '.join(differing)}). "
            "Name another folder with --output_dir."
        )
        raise OutputError(msg)
    if not resume:
        state = "a finished" if (folder / METRICS_FILE).exists() else "an unfinished"
        msg = (
            f"{folder}: holds {state} evaluation of the same model and images. "
            "Add --resume to keep or finish it, or name another folder with --output_dir."
        )
        raise OutputError(msg)


def write_config(folder: Path, settings: dict[str, Any]) -> None:
    """Write `config.json`, which marks the folder as taken."""
    write_json(folder / CONFIG_FILE, settings)


def write_results(folder: Path, metrics: dict[str, Any], predictions: pd.DataFrame) -> None:
    """Write `predictions.csv`, then `metrics.json`, whose presence says that all is there."""
    with atomic_path(folder / PREDICTIONS_FILE) as temporary:
        predictions.to_csv(temporary, index=False)
    write_json(folder / METRICS_FILE, metrics)


def strategy_folder(folder: Path, strategies: tuple[str, ...], strategy: str) -> Path:
    """Where a strategy's files go: the first one's in the folder itself, others' below it."""
    return folder if strategy == strategies[0] else folder / strategy
