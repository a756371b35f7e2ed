"""Keep trainings and their curves."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from streetclip.errors import StoreError
from streetclip.store.connection import Store, from_json, to_json, utc_now
from streetclip.store.runs import set_state, spec_values

set_training_state = partial(set_state, "trainings")
"""Set the state of a training; see `runs.set_state`."""


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """What a training is made of; config is `TrainConfig.to_dict()`."""

    name: str
    model_source: str
    train_csv: str | Path
    val_csv: str | Path
    output_dir: str | Path
    config: dict[str, Any]
    versions: dict[str, Any] = field(default_factory=dict)
    commit: str | None = None


def start_training(store: Store, spec: TrainingSpec, *, job_id: int | None = None) -> int:
    """Add a training in state `running`, of a job if any, and return its id."""
    values = spec_values(spec, job_id)
    with store.transaction():
        return store.insert("trainings", values)


def restart_training(
    store: Store, training_id: int, spec: TrainingSpec, *, job_id: int | None = None
) -> None:
    """Restart a training stopped before its first checkpoint: remove its points."""
    values = spec_values(spec, job_id) | {"error": None, "best": None}
    with store.transaction() as connection:
        store.update("trainings", training_id, values)
        connection.execute("DELETE FROM training_points WHERE training_id = ?", (training_id,))


def find_begun_training(store: Store, output_dir: str | Path) -> int | None:
    """Find the newest training of a folder if it was stopped before any checkpoint was chosen."""
    found = store.rows(
        "SELECT id, state <> 'done' AND best IS NULL FROM trainings WHERE output_dir = ? "
        "ORDER BY id DESC LIMIT 1",
        (str(output_dir),),
    )
    return int(found[0][0]) if found and found[0][1] else None


def find_training(store: Store, output_dir: str | Path) -> int | None:
    """Find the newest training with checkpoints in a folder, for a resume."""
    found = store.rows("SELECT max(id) FROM trainings WHERE output_dir = ?", (str(output_dir),))
    return None if found[0][0] is None else int(found[0][0])


def log_training_points(
    store: Store, training_id: int, rows: Iterable[tuple[int, float, str, float]]
) -> None:
    """Add points to a training's curves, replacing those of the same curve and step.

    A point is (step, epoch, name of the curve, value): optimizer steps done, passes over the images
    done, with a fraction; NaN is stored as missing. Raises StoreError if there is no such training.
    """
    points = [(training_id, name, step, epoch, value) for step, epoch, name, value in rows]
    with store.transaction() as connection:
        store.update("trainings", training_id, {"updated_at": utc_now()})
        connection.executemany(
            "INSERT INTO training_points (training_id, name, step, epoch, value) "
            "VALUES (?, ?, ?, ?, ?) ON CONFLICT (training_id, name, step) "
            "DO UPDATE SET epoch = excluded.epoch, value = excluded.value",
            points,
        )


def set_training_best(store: Store, training_id: int, best: dict[str, Any]) -> None:
    """Store the chosen checkpoint of a training: epoch, step, checkpoint, reason."""
    with store.transaction():
        values = {"best": to_json(best), "updated_at": utc_now()}
        store.update("trainings", training_id, values)


def list_trainings(store: Store) -> pd.DataFrame:
    """List all trainings, the newest first.

    Returns:
        A frame with id, name, state, error, model_source, train_csv, val_csv, output_dir,
        commit_sha, created_at, updated_at, config and versions (dicts), best (as
        `set_training_best` takes it, or None), job_id (missing where no job is known), uid (the
        same as long as the training exists), revision (the same as long as only points after the
        newest step are added).
    """
    frame = store.frame(
        "SELECT id, name, state, error, model_source, train_csv, val_csv, output_dir, commit_sha, "
        "created_at, updated_at, config, versions, best, job_id, uid, revision "
        "FROM trainings ORDER BY id DESC"
    )
    for name in ("config", "versions", "best"):
        frame[name] = pd.Series([_settings(text) for text in frame[name]], dtype=object)
    return frame.astype({"job_id": "Int64"})


def _settings(text: Any) -> dict[str, Any] | None:
    """Parse settings; None for NULL and for what is none: one odd row must not hide the others."""
    try:
        return from_json(text, dict, "settings")
    except StoreError:
        return None


def training_curves(store: Store, training_id: int, *, from_step: int = 0) -> pd.DataFrame:
    """Read the points of a training from a step on: step, epoch, name, value, by name and step.

    A training writes in the order of steps: after reading up to a step, only that step and later
    ones may have new points.
    """
    frame = store.frame(
        "SELECT step, epoch, name, value FROM training_points WHERE training_id = ? AND step >= ? "
        "ORDER BY name, step",
        (training_id, from_step),
    )
    return frame.astype({"epoch": "float64", "value": "float64"})


def training_revision(store: Store, training_id: int) -> str:
    """Read the revision of a training, as in `list_trainings`; "" if it does not exist."""
    found = store.rows("SELECT revision FROM trainings WHERE id = ?", (training_id,))
    return str(found[0][0]) if found else ""
