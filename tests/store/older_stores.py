"""Stores as earlier programs left them, made of one that this program wrote."""

import sqlite3

from sqlite_utils import Database, Migrations

from streetclip.store import schema

NAMES = (
    "m001_images_runs_and_trainings",
    "m002_columns_and_annotations",
    "m003_jobs",
    "m004_nearest_candidate_of_any_country",
    "m005_identities",
    "m006_image_files",
    "m007_no_aggregates",
    "m008_origin_of_jobs",
    "m009_column_checksums",
    "m010_authors_of_annotations",
    "m011_run_notes",
    "m012_named_views",
    "m013_filenames",
)
DROPPED = {"place_aggregates", "pair_aggregates", "distance_histogram"}
# What a later migration changed or dropped, as the first one made it.
FIRST_DATASETS = (
    "PRAGMA foreign_keys = OFF",
    "DROP TABLE datasets",
    """
    CREATE TABLE datasets (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        csv_path TEXT NOT NULL,
        csv_sha256 TEXT NOT NULL,
        folder_id INTEGER NOT NULL REFERENCES image_folders (id),
        num_images INTEGER NOT NULL,
        num_skipped INTEGER NOT NULL,
        attribute_columns TEXT NOT NULL,
        drawn INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        UNIQUE (csv_sha256, folder_id, num_images, num_skipped)
    ) STRICT""",
)
AGGREGATES = (
    """
    CREATE TABLE place_aggregates (
        run_id INTEGER NOT NULL REFERENCES runs (id),
        level TEXT NOT NULL,
        country TEXT NOT NULL,
        n INTEGER NOT NULL,
        reachable_within_25 INTEGER NOT NULL,
        PRIMARY KEY (run_id, level, country)
    ) STRICT, WITHOUT ROWID""",
    """
    CREATE TABLE pair_aggregates (
        run_id INTEGER NOT NULL REFERENCES runs (id),
        true_country TEXT NOT NULL,
        pred_country TEXT NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (run_id, true_country, pred_country)
    ) STRICT, WITHOUT ROWID""",
    """
    CREATE TABLE distance_histogram (
        run_id INTEGER NOT NULL REFERENCES runs (id),
        bin INTEGER NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (run_id, bin)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX predictions_by_pair ON predictions (run_id, true_country, pred_country)",
)


def migrations_until(number):
    """A copy of this program's first migrations, to apply or to add to."""
    migrations = Migrations("streetclip")
    for name in NAMES[:number]:
        migrations(name=name)(getattr(schema, name))
    return migrations


def make_older(path, number):
    """Replace a closed store by one with the first migrations only, and the rows they know."""
    older = path.with_name("older.db")
    db = Database(older, execute_plugins=False)
    migrations_until(number).apply(db)
    for statement in (*(FIRST_DATASETS if number < 5 else ()), *AGGREGATES):
        db.execute(statement)
    if number > 1:
        db.execute("DROP INDEX predictions_by_pair")
    if 1 < number < 9:
        db.execute("ALTER TABLE column_parts DROP COLUMN crc32")
    db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    db.conn.commit()
    db.execute("ATTACH ? AS newer", (str(path),))
    tables = "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE '%sqlite%'"
    for (table,) in db.execute(tables).fetchall():
        found = db.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
        names = ", ".join(name for (name,) in found)
        if table not in DROPPED:
            db.execute(f"DELETE FROM main.{table}")  # a row that the migrations made
            db.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM newer.{table}")
    db.execute("INSERT INTO main.pair_aggregates SELECT id, 'FR', 'GB', 7 FROM main.runs")
    db.conn.commit()
    db.close()
    for suffix in ("-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
    older.replace(path)


def dump(path):
    """Every row of every table, as dicts."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    found = {
        name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]
        for (name,) in names
    }
    connection.close()
    return found
