"""Define the identities of runs, trainings, datasets and annotations in SQL.

Ids, times and counters repeat in other files and in restored backups; random tokens do not. A `uid`
stays with its row, a `revision` changes with every change of the row. Triggers renew them, so that
no statement can forget to.
"""

from streetclip.store.tables import DATASETS

_TOKEN = "lower(hex(randomblob(16)))"  # noqa: S105 -- no secret


def _trigger(name: str, event: str, table: str, row: str, changes: str = "") -> str:
    """Renew the revision of a row after an event."""
    update = f"UPDATE {table} SET revision = {_TOKEN}{changes} WHERE {row};"  # noqa: S608 -- our own names
    return f"CREATE TRIGGER {name} AFTER {event} BEGIN {update} END"


def _identify(table: str, columns: str) -> tuple[str, ...]:
    """Add to each row a uid, and a revision that a change of these columns renews."""
    new = f", uid = {_TOKEN}"
    return (
        f"ALTER TABLE {table} ADD COLUMN uid TEXT NOT NULL DEFAULT ''",
        f"ALTER TABLE {table} ADD COLUMN revision TEXT NOT NULL DEFAULT ''",
        f"UPDATE {table} SET uid = {_TOKEN}, revision = {_TOKEN}",  # noqa: S608 -- our own names
        _trigger(f"{table}_made", f"INSERT ON {table}", table, "id = NEW.id", new),
        _trigger(f"{table}_changed", f"UPDATE OF {columns} ON {table}", table, "id = NEW.id"),
    )


_OLD_COLUMNS = (
    "id, name, csv_path, csv_sha256, folder_id, num_images, num_skipped, attribute_columns, drawn, "
    "created_at"
)

IDENTITIES = (
    "PRAGMA defer_foreign_keys = ON",
    "CREATE TABLE kept_datasets AS SELECT * FROM datasets",
    "DROP TABLE datasets",
    DATASETS,
    f"""
    INSERT INTO datasets ({_OLD_COLUMNS}, content_sha256)
    SELECT {_OLD_COLUMNS}, 'dataset ' || id FROM kept_datasets""",  # noqa: S608 -- our own names
    "DROP TABLE kept_datasets",
    *_identify("runs", "name, dataset_id, num_images, num_done, state, error, metrics"),
    *_identify("trainings", "state, created_at"),
    # A training appends points: only what replaces or removes some renews its revision.
    _trigger(
        "training_points_removed", "DELETE ON training_points", "trainings", "id = OLD.training_id"
    ),
    _trigger(
        "training_points_replaced",
        "UPDATE ON training_points WHEN OLD.value IS NOT NEW.value OR OLD.epoch <> NEW.epoch",
        "trainings",
        "id = NEW.training_id",
    ),
    """
    CREATE TABLE revisions (               -- of what has no row of its own
        name TEXT PRIMARY KEY,             -- annotations
        revision TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    f"INSERT INTO revisions VALUES ('annotations', {_TOKEN})",  # noqa: S608 -- our own names
    *(
        _trigger(
            f"annotations_{name}",
            f"{event} ON annotation_events",
            "revisions",
            "name = 'annotations'",
        )
        for name, event in (("made", "INSERT"), ("undone", "UPDATE"), ("removed", "DELETE"))
    ),
)
