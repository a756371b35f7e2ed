"""Statements of the fourth migration: what tells runs, trainings, datasets and annotations apart.

Ids, times and counters repeat in other files and in restored backups; random tokens do not. A `uid`
is that of the row for good, a `revision` is another after each change. Triggers renew them, so that
no statement can forget to, and a job of an older program that still writes renews them too.
"""

_TOKEN = "lower(hex(randomblob(16)))"  # noqa: S105 -- no secret


def _trigger(name: str, event: str, *, table: str, row: str, changes: str = "") -> str:
    """Give a row another revision, and further changes, after an event."""
    changed = f"revision = {_TOKEN}{changes}"
    update = f"UPDATE {table} SET {changed} WHERE {row};"  # noqa: S608 -- our own names
    return f"CREATE TRIGGER {name} AFTER {event} BEGIN {update} END"


def _named(table: str, columns: str) -> tuple[str, ...]:
    """Give every row of a table a uid, and a revision that a change of some columns renews."""
    both = f"uid = {_TOKEN}, revision = {_TOKEN}"
    uid, changed = f", uid = {_TOKEN}", f"UPDATE OF {columns} ON {table}"
    return (
        f"ALTER TABLE {table} ADD COLUMN uid TEXT NOT NULL DEFAULT ''",
        f"ALTER TABLE {table} ADD COLUMN revision TEXT NOT NULL DEFAULT ''",
        f"UPDATE {table} SET {both}",  # noqa: S608 -- our own names
        _trigger(
            f"{table}_made", f"INSERT ON {table}", table=table, row="id = NEW.id", changes=uid
        ),
        _trigger(f"{table}_changed", changed, table=table, row="id = NEW.id"),
    )


# A training writes on behind its newest step: only what replaces or removes points renews it.
_POINTS = (
    _trigger(
        "training_points_removed",
        "DELETE ON training_points",
        table="trainings",
        row="id = OLD.training_id",
    ),
    _trigger(
        "training_points_replaced",
        "UPDATE ON training_points WHEN OLD.value IS NOT NEW.value OR OLD.epoch <> NEW.epoch",
        table="trainings",
        row="id = NEW.training_id",
    ),
)

_ANNOTATIONS = (
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
            table="revisions",
            row="name = 'annotations'",
        )
        for name, event in (("made", "INSERT"), ("undone", "UPDATE"), ("removed", "DELETE"))
    ),
)

# SQLite cannot change a table's UNIQUE: the rows, which are few, move into a new table.
_DATASETS = (
    "PRAGMA defer_foreign_keys = ON",
    "CREATE TABLE kept_datasets AS SELECT * FROM datasets",
    "DROP TABLE datasets",
    """
    CREATE TABLE datasets (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        csv_path TEXT NOT NULL,
        csv_sha256 TEXT NOT NULL,
        folder_id INTEGER NOT NULL REFERENCES image_folders (id),
        num_images INTEGER NOT NULL,
        num_skipped INTEGER NOT NULL,      -- bad rows left out
        attribute_columns TEXT NOT NULL,   -- JSON list
        drawn INTEGER NOT NULL,            -- 1: the demo's drawn world
        created_at TEXT NOT NULL,
        content_sha256 TEXT NOT NULL DEFAULT '', -- of its rows: places depend on the program, too
        UNIQUE (csv_sha256, folder_id, num_skipped, content_sha256)
    ) STRICT""",
    "INSERT INTO datasets SELECT *, 'dataset ' || id FROM kept_datasets",
    "DROP TABLE kept_datasets",
)

IDENTITY_STATEMENTS = (
    *_DATASETS,
    *_named("runs", "name, dataset_id, num_images, num_done, state, error, metrics"),
    *_named("trainings", "state, created_at"),
    *_POINTS,
    *_ANNOTATIONS,
)
