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
    db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    db.conn.commit()
    db.execute("ATTACH ? AS newer", (str(path),))
    tables = "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE '%sqlite%'"
    for (table,) in db.execute(tables).fetchall():
        found = db.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
        names = ", ".join(name for (name,) in found)
        db.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM newer.{table}")
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
