"""Find and remove the files that an evaluation wrote of one run."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from streetclip.errors import OutputError, shown
from streetclip.files import locked_folder, read_json

CONFIG_FILE: Final = "config.json"
"""File that marks the folder of an evaluation as taken."""

METRICS_FILE: Final = "metrics.json"
"""File that marks the evaluation as complete."""

PREDICTIONS_FILE: Final = "predictions.csv"


def folder_of(output_dir: Path, strategy: str, first: str) -> Path:
    """Locate the folder of a run; that of the first strategy is the evaluation's."""
    return output_dir / ("" if strategy == first else strategy)


def files_of_run(run: Mapping[str, Any], output_dir: Path, others: Collection[int]) -> list[Path]:
    """List the files of a run, as `store.get_run`, in the evaluation's folder.

    Nothing that another run or program wrote: the metrics are those of the store. The settings of
    the evaluation are listed unless one of the runs `others` is also of it.
    """
    strategies = (run["config"] or {}).get("strategy") or [run["strategy"]]
    folder = folder_of(output_dir, run["strategy"], strategies[0])
    written = {"run_id": run["id"], "strategy": run["strategy"]} | (run["metrics"] or {})
    found = []
    if run["metrics"] and _content(folder / METRICS_FILE) == written:
        found = [folder / METRICS_FILE, folder / PREDICTIONS_FILE]
    settings = _content(output_dir / CONFIG_FILE)
    of_evaluation = settings.get("run_ids") if isinstance(settings, dict) else None
    if isinstance(of_evaluation, dict) and of_evaluation.get(run["strategy"]) == run["id"]:
        is_same = (settings["versions"], settings["commit"]) == (run["versions"], run["commit_sha"])
        if is_same and not set(of_evaluation.values()) & set(others):
            found.append(output_dir / CONFIG_FILE)
    return [each for each in found if each.is_file() and not each.is_symlink()]


def remove_files(paths: Collection[Path], output_dir: Path) -> None:
    """Remove the files of a run, and their folders once they are empty.

    Raises OutputError if a job holds the evaluation's folder, or a file cannot be removed.
    """
    if not paths:
        return
    try:
        with locked_folder(output_dir, "the deletion of a run"):
            for path in paths:
                path.unlink(missing_ok=True)
        for folder in (*{path.parent for path in paths} - {output_dir}, output_dir):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    except OSError as error:
        msg = f"{error.filename}: cannot be removed ({shown(error.strerror)}). Remove it by hand."
        raise OutputError(msg) from error


def _content(path: Path) -> Any:
    """Read a JSON file; None if it is missing or another program's."""
    try:
        return read_json(path)
    except (OSError, OutputError):
        return None
