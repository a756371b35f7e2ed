"""Keep runs: the predictions of one model, dataset and strategy."""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.errors import StoreError
from streetclip.store.column_writer import sort_run_columns
from streetclip.store.columns import RUN_DTYPES, Flag, read_column
from streetclip.store.connection import Store, from_json, to_json, utc_now

_CORRECT = {"country_correct": Flag.COUNTRY_CORRECT, "city_correct": Flag.CITY_CORRECT}

RunState = Literal["running", "interrupted", "failed", "done"]


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """What a run is made of.

    Attributes:
        fingerprint: Hash of all that decides the predictions; a resume looks for it.
        model_source: Hub id, folder or file.
        prompts: `PromptSet.to_dict()`.
        strategy: hierarchical, flat or marginal.
        seed: As given; an evaluation draws nothing at random.
        config: `EvaluateConfig.to_dict()`.
        num_images: Number of predictions of the complete run.
    """

    name: str
    fingerprint: str
    dataset_id: int
    model_source: str
    model_sha256: str
    candidates_path: str | Path
    candidates_sha256: str
    prompts: dict[str, Any]
    strategy: str
    seed: int
    config: dict[str, Any]
    versions: dict[str, Any]
    commit: str | None
    num_images: int
    output_dir: str | Path


def start_run(store: Store, spec: RunSpec, *, job_id: int | None = None) -> int:
    """Add a run in state `running`, of a job if any, and return its id."""
    values = spec_values(spec, job_id)
    with store.transaction():
        return store.insert("runs", values)


def spec_values(spec: Any, job_id: int | None) -> dict[str, Any]:
    """Return the columns of a new run or training, in state `running`, from its spec."""
    now = utc_now()
    values: dict[str, Any] = {"state": "running", "created_at": now, "updated_at": now}
    for name, value in asdict(spec).items():
        column = "commit_sha" if name == "commit" else name
        plain = str(value) if isinstance(value, Path) else value
        values[column] = to_json(plain) if isinstance(plain, dict | list) else plain
    return values if job_id is None else values | {"job_id": job_id}


def find_run(
    store: Store, fingerprint: str, dataset_id: int | None = None
) -> dict[str, Any] | None:
    """Find the newest run with this fingerprint, of one dataset or any; None without one."""
    found = store.rows(
        "SELECT max(id) FROM runs WHERE fingerprint = ?1 AND (?2 IS NULL OR dataset_id = ?2)",
        (fingerprint, dataset_id),
    )
    return get_run(store, found[0][0]) if found[0][0] else None


def get_run(store: Store, run_id: int) -> dict[str, Any]:
    """Read a run with everything it was made of, and what is known of its dataset.

    Returns:
        The columns of `runs`, with prompts, config, versions and metrics as dicts (metrics None
            until the run is done), and dataset (its name), dataset_content (a hash of its rows),
            csv_path, drawn, num_skipped and attribute_columns (a tuple of names) of its dataset.
            uid is the same as long as the run exists, revision changes with each change.

    Raises:
        StoreError: The run does not exist.
    """
    with store.snapshot():
        store.require("runs", run_id)
        found = store.frame(
            """
            SELECT runs.*, datasets.name AS dataset, datasets.csv_path, datasets.drawn,
                datasets.content_sha256 AS dataset_content, datasets.num_skipped,
                datasets.attribute_columns
            FROM runs JOIN datasets ON datasets.id = runs.dataset_id WHERE runs.id = ?""",
            (run_id,),
            dtype=object,
        )
    run = {str(name): value for name, value in found.iloc[0].items()}
    where = f"{store.path}: run {run_id}:"
    for name in ("prompts", "config", "versions", "metrics"):
        run[name] = from_json(run[name], dict, f"{where} {name}")
    run["drawn"] = bool(run["drawn"])
    names = from_json(run["attribute_columns"], list, f"{where} attribute_columns")
    run["attribute_columns"] = tuple(map(str, names or ()))
    return run


def list_runs(store: Store, *, with_correct: bool = True) -> pd.DataFrame:
    """List all runs, the newest first, with their correct predictions so far.

    Returns:
        A frame with id, uid, revision, name, state, error, dataset_id, dataset, drawn (bool),
        model_source, model_sha256, strategy, num_done, num_images, created_at, updated_at, job_id
        (missing where no job is known); `with_correct`, which reads a column of each unfinished
        run, country_correct and city_correct (images), too.
    """
    with store.snapshot():
        runs = store.frame(
            """
            SELECT runs.id, runs.uid, runs.revision, runs.name, runs.state, runs.error,
                runs.dataset_id, datasets.name AS dataset, datasets.drawn, runs.model_source,
                runs.model_sha256, runs.strategy, runs.num_done, runs.num_images, runs.created_at,
                runs.updated_at, runs.job_id,
                iif(json_valid(runs.metrics),
                    runs.metrics ->> '$.country_accuracy.successes', NULL) AS country_correct,
                iif(json_valid(runs.metrics),
                    runs.metrics ->> '$.city_accuracy.successes', NULL) AS city_correct
            FROM runs JOIN datasets ON datasets.id = runs.dataset_id ORDER BY runs.id DESC"""
        )
        types: dict[str, Any] = {"drawn": bool, "job_id": "Int64"}
        if not with_correct:
            return runs.drop(columns=list(_CORRECT)).astype(types)
        # Only finished runs have metrics: of the others, count the predictions so far.
        unfinished = runs["country_correct"].isna()
        counts = [_count_correct(store, run_id) for run_id in runs.loc[unfinished, "id"].tolist()]
    runs.loc[unfinished, list(_CORRECT)] = np.array(counts).reshape(-1, len(_CORRECT))
    return runs.astype(types | dict.fromkeys(_CORRECT, np.int64))


def _count_correct(store: Store, run_id: int) -> tuple[int, ...]:
    try:
        flags = read_column(store.db.conn, ("run", run_id), "flags", RUN_DTYPES["flags"])
    except StoreError:  # damaged: the rows hold the same, but are slower to count
        sums = ", ".join(f"coalesce(sum({name}), 0)" for name in _CORRECT)
        sql = f"SELECT {sums} FROM predictions WHERE run_id = ?"  # noqa: S608 -- our own names
        return store.rows(sql, (run_id,))[0]
    return tuple(int(np.count_nonzero(flags & flag)) for flag in _CORRECT.values())


def run_revision(store: Store, run_id: int, uid: str) -> str:
    """Read the revision of a run; raise StoreError if its uid is another: it was replaced."""
    found = store.rows("SELECT revision FROM runs WHERE id = ? AND uid = ?", (run_id, uid))
    if not found:
        msg = f"{store.path}: was replaced while it was being read. Reload the page."
        raise StoreError(msg)
    return str(found[0][0])


def set_state(
    table: Literal["runs", "trainings"],
    store: Store,
    row_id: int,
    state: RunState,
    error: str | None = None,
    *,
    job_id: int | None = None,
) -> None:
    """Set the state of a run or training; `error` is why it failed, `job_id` its new job."""
    values = {"state": state, "error": error, "updated_at": utc_now()}
    with store.transaction():
        store.update(table, row_id, values if job_id is None else values | {"job_id": job_id})


set_run_state = partial(set_state, "runs")
"""Set the state of a run; see `set_state`."""


def finish_run(store: Store, run_id: int, metrics: dict[str, Any]) -> None:
    """Mark a complete run as done and store its metrics (the body of metrics.json)."""
    with store.transaction():
        run = get_run(store, run_id)
        if run["num_done"] != run["num_images"]:
            msg = f"run {run_id} has {run['num_done']} of {run['num_images']} predictions"
            raise ValueError(msg)
        values = {"state": "done", "error": None, "metrics": to_json(metrics)}
        store.update("runs", run_id, values | {"updated_at": utc_now()})
        sort_run_columns(store.db.conn, run_id)


def pending_image_ids(store: Store, run_id: int) -> npt.NDArray[np.int64]:
    """List the images of a run without a prediction, in the order of the manifest."""
    with store.snapshot():
        dataset_id = store.require("runs", run_id, "dataset_id")
        found = store.frame(
            """
            SELECT d.image_id FROM dataset_images AS d
            WHERE d.dataset_id = ? AND NOT EXISTS (
                SELECT 1 FROM predictions AS p
                WHERE p.run_id = ? AND p.image_id = d.image_id)
            ORDER BY d.line""",
            (dataset_id, run_id),
            np.int64,
        )
    return found["image_id"].to_numpy()
