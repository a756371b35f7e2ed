"""Describe, archive and delete runs, and rename datasets.

Each change names the run's `uid` and raises StoreError if the run was deleted or replaced since it
was read; ConfigError for a text that is not allowed.
"""

from streetclip.errors import StoreError
from streetclip.store.annotations import checked_name, checked_text
from streetclip.store.connection import Store, utc_now
from streetclip.store.runs import run_revision

LONGEST_DESCRIPTION = 10_000

_PARTS = ("predictions", "prediction_rankings", "predicted_places", "run_files")


def describe_run(store: Store, run_id: int, uid: str, *, name: str, description: str) -> None:
    """Set the name of a run, 1 to 500 characters, and its description, at most 10,000."""
    values = {
        "name": checked_name("the name of a run", name),
        "description": checked_text("a description", description, LONGEST_DESCRIPTION, "\n\t"),
    }
    with store.transaction():
        run_revision(store, run_id, uid)
        store.update("runs", run_id, values)


def rename_dataset(store: Store, dataset_id: int, name: str) -> None:
    """Set the name of a dataset, 1 to 500 characters; later evaluations keep it."""
    values = {"name": checked_name("the name of a dataset", name)}
    with store.transaction():
        store.update("datasets", dataset_id, values)


def archive_run(store: Store, run_id: int, uid: str, *, is_archived: bool) -> None:
    """Archive a run, or take it back; nothing of it is removed."""
    with store.transaction():
        run_revision(store, run_id, uid)
        store.update("runs", run_id, {"archived_at": utc_now() if is_archived else None})


def delete_run(store: Store, run_id: int, uid: str) -> None:
    """Delete a run with its predictions; its images, annotations and dataset stay.

    Raises StoreError if a job still writes it.
    """
    with store.transaction():
        run_revision(store, run_id, uid)
        if store.require("runs", run_id, "state") == "running":
            msg = f"{store.path}: run {run_id} is still written. Cancel its job, or wait for it."
            raise StoreError(msg)
        for table in _PARTS:
            store.rows(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608 -- our own names
        store.rows("DELETE FROM column_parts WHERE owner = 'run' AND owner_id = ?", (run_id,))
        store.rows(
            "INSERT INTO deleted_runs SELECT id, name, ? FROM runs WHERE id = ?",
            (utc_now(), run_id),
        )
        store.rows("DELETE FROM runs WHERE id = ?", (run_id,))
