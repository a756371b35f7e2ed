"""Claim the folder of a run, keep the run's state, and write its predictions as CSV."""

import contextlib
import csv
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from streetclip import store
from streetclip.config import STRATEGIES
from streetclip.data.csv_formulas import defuse
from streetclip.errors import OutputError, StreetClipError
from streetclip.evaluation.run_folder import CONFIG_FILE, METRICS_FILE, PREDICTIONS_FILE
from streetclip.files import atomic_path, clear_leftovers, read_json

_LOG = logging.getLogger(__name__)


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


@contextlib.contextmanager
def running(database: store.Store, run_ids: Collection[int], job_id: int | None) -> Iterator[None]:
    """Mark runs as running, and unfinished ones as interrupted or failed."""
    for run_id in run_ids:
        store.set_run_state(database, run_id, "running", job_id=job_id)
    try:
        yield
    except (KeyboardInterrupt, Exception) as error:
        state: store.RunState = "failed"
        cause: str | None = str(error) if isinstance(error, StreetClipError) else repr(error)
        if isinstance(error, KeyboardInterrupt):
            state, cause = "interrupted", None
        try:
            for run_id in run_ids:
                if store.get_run(database, run_id)["state"] == "running":
                    store.set_run_state(database, run_id, state, error=cause)
        except StreetClipError as second:  # such as a full disk; the first error is raised
            _LOG.warning("the run could not be marked as %s: %s", state, second)
        raise


def write_predictions(folder: Path, chunks: Iterable[Mapping[str, Sequence[Any]]]) -> None:
    """Write `predictions.csv` from chunks of columns with the same names; see `csv_formulas`."""
    with (
        atomic_path(folder / PREDICTIONS_FILE) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        # The writer quotes carriage returns only with this line terminator.
        lines = SimpleNamespace(write=lambda line: file.write(line[:-2] + "\n"))
        writer = csv.writer(lines, lineterminator="\r\n")
        for number, chunk in enumerate(chunks):
            if number == 0:
                writer.writerow(map(defuse, chunk))
            columns = [
                map(defuse, column) if str in set(map(type, column)) else column
                for column in chunk.values()
            ]
            writer.writerows(zip(*columns, strict=True))
