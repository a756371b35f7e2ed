"""The evaluation folder: `config.json` first, `predictions.csv` and `metrics.json` at the end."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from streetclip.config import STRATEGIES
from streetclip.errors import OutputError
from streetclip.files import atomic_path, clear_leftovers, read_json, write_json

CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.csv"

_UNSAFE = re.compile('[",\r\n]')


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
    if differing and not any(key in held for key in differing):
        msg = (
            f"{folder}: holds an evaluation by an earlier version of StreetCLIP, which did not "
            f"record {', '.join(differing)}, so it cannot be resumed. "
            "Name another folder with --output_dir."
        )
        raise OutputError(msg)
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


def write_predictions(folder: Path, chunks: Iterable[Mapping[str, Sequence[Any]]]) -> None:
    """Write `predictions.csv`, as `pandas.DataFrame.to_csv` would, but in little time and memory.

    Args:
        folder: Where it goes.
        chunks: At least one; columns of plain values by name, the same names in each.
    """
    with (
        atomic_path(folder / PREDICTIONS_FILE) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        for number, chunk in enumerate(chunks):
            if number == 0:
                file.write(",".join(map(_csv_text, chunk)) + "\n")
            columns = map(_csv_column, chunk.values())
            file.write("\n".join([*map(",".join, zip(*columns, strict=True)), ""]))


def write_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Write `metrics.json`, whose presence says that all is there."""
    write_json(folder / METRICS_FILE, metrics)


def strategy_folder(folder: Path, strategies: tuple[str, ...], strategy: str) -> Path:
    """Where a strategy's files go: the first one's in the folder itself, others' below it."""
    return folder if strategy == strategies[0] else folder / strategy


def _csv_column(values: Sequence[Any]) -> Iterable[str]:
    kind = type(next((value for value in values if value is not None), None))
    if kind is str:
        return map(_CsvTexts().__getitem__, values)
    if None in values:
        return ["" if value is None else repr(value) for value in values]
    return map(repr, values)


class _CsvTexts(dict[str | None, str]):
    """Texts as CSV, each distinct one made once."""

    def __missing__(self, value: str | None) -> str:
        text = self[value] = _csv_text(value)
        return text


def _csv_text(value: str | None) -> str:
    if value is None:
        return ""
    return '"' + value.replace('"', '""') + '"' if _UNSAFE.search(value) else value
