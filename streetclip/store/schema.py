"""Migrate the store.

A released migration keeps its name for good; a change of the schema is a further migration.
"""

import contextlib
from collections.abc import Iterable

from sqlite_utils import Database, Migrations

from streetclip.errors import StoreError, shown
from streetclip.store import tables
from streetclip.store.backfill import fill_columns, forget_nearest_candidates
from streetclip.store.content_hash import fill_contents
from streetclip.store.identity_tables import IDENTITIES

# In the file's header, so that another program's database is never taken for a store.
APPLICATION_ID = 0x53434C50  # "SCLP"

MIGRATIONS = Migrations("streetclip")


@MIGRATIONS()
def m001_images_runs_and_trainings(db: Database) -> None:
    """Create images, datasets, runs, predictions and training curves."""
    _execute(db, (*tables.IMAGES, *tables.RUNS, *tables.TRAININGS))


@MIGRATIONS()
def m002_columns_and_annotations(db: Database) -> None:
    """Create columns and annotations; fill the columns from the rows."""
    _execute(db, ("DROP INDEX IF EXISTS predictions_by_pair",))  # 0.1 had it
    _execute(db, (*tables.COLUMNS, *tables.ANNOTATIONS))
    fill_columns(db.conn)


@MIGRATIONS()
def m003_jobs(db: Database) -> None:
    """Create jobs; mark running runs and trainings interrupted."""
    _execute(db, tables.JOBS)


@MIGRATIONS()
def m004_nearest_candidate_of_any_country(db: Database) -> None:
    """Blank nearest candidates that were searched in the true country alone.

    A prediction may be nearer than those, so that a share could pass its ceiling. The candidates
    are not in the store: the nearest stays unknown until the images are evaluated again.
    """
    forget_nearest_candidates(db.conn)


@MIGRATIONS()
def m005_identities(db: Database) -> None:
    """Identify runs, trainings and annotations by random tokens, datasets by their content."""
    _execute(db, IDENTITIES)
    fill_contents(db.conn)


@MIGRATIONS()
def m006_image_files(db: Database) -> None:
    """Create the state of image files when they were predicted."""
    _execute(db, (tables.RUN_FILES,))


@MIGRATIONS()
def m007_no_aggregates(db: Database) -> None:
    """Drop the tables of counts: figures are computed from the columns."""
    names = ("place_aggregates", "pair_aggregates", "distance_histogram")
    _execute(db, [f"DROP TABLE IF EXISTS {name}" for name in names])


def _execute(db: Database, statements: Iterable[str]) -> None:
    for statement in statements:
        db.execute(statement)


def migrate(db: Database) -> None:
    """Apply the missing migrations; call it in a transaction."""
    MIGRATIONS.apply(db)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def is_outdated(db: Database) -> bool:
    """Return whether the file lacks a migration of this program."""
    return bool(MIGRATIONS.pending(db))


def is_empty(db: Database) -> bool:
    """Return whether the file holds no table, as a new one."""
    return bool(db.execute("SELECT count(*) = 0 FROM sqlite_master").fetchone()[0])


def check_schema(db: Database, name: str) -> None:
    """Raise StoreError for a file of another program or a newer schema.

    A file without tables passes; `name` is what to call the file in the message.
    """
    if is_empty(db):
        return
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        msg = (
            f"{name}: is the SQLite database of another program; expected a StreetCLIP store. "
            "Name another file with --db."
        )
        raise StoreError(msg)
    with contextlib.closing(Database(memory=True, execute_plugins=False)) as nothing:
        known = {migration.name for migration in MIGRATIONS.pending(nothing)}
    unknown = [each.name for each in MIGRATIONS.applied(db) if each.name not in known]
    if unknown:
        msg = (
            f"{name}: was written by a newer StreetCLIP: its schema has {shown(unknown[-1])}, "
            "which this program lacks. Update this program, or name another file with --db."
        )
        raise StoreError(msg)
