"""Open the store: one SQLite file that several jobs write while the dashboard reads.

With write-ahead logging, readers and the one writer of the moment do not wait for each other. A
writer takes its lock at the start of a transaction; nothing is written outside one.

A released migration keeps its name for good; a change of the schema is a further migration.
"""

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from sqlite_utils import Database, Migrations

from streetclip.errors import StoreError, shown
from streetclip.store import tables
from streetclip.store.backfill import (
    add_checksums,
    fill_columns,
    fill_contents,
    fill_filenames,
    forget_nearest_candidates,
)
from streetclip.store.connection import Store, translated

# In the file's header, so that another program's database is never taken for a store.
APPLICATION_ID = 0x53434C50  # "SCLP"

_CACHE_KIB = 64 * 1024
_CHECKPOINT_PAGES = 4_000  # of 4 KiB: fewer, longer syncs than SQLite's 1,000 when writing in bulk
_LOG_LIMIT_BYTES = 64 * 2**20  # the log is cut back to this after a busy hour

MIGRATIONS = Migrations("streetclip")


@MIGRATIONS()
def m001_images_runs_and_trainings(db: Database) -> None:
    """Create images, datasets, runs, predictions and training curves."""
    _execute(db, tables.IMAGES, tables.RUNS, tables.TRAININGS)


@MIGRATIONS()
def m002_columns_and_annotations(db: Database) -> None:
    """Create columns and annotations; fill the columns from the rows."""
    _execute(db, "DROP INDEX IF EXISTS predictions_by_pair")  # 0.1 had it
    _execute(db, tables.COLUMNS, tables.ANNOTATIONS)
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
    add_checksums(db.conn)  # what writes columns today needs them
    forget_nearest_candidates(db.conn)


@MIGRATIONS()
def m005_identities(db: Database) -> None:
    """Identify runs, trainings and annotations by random tokens, datasets by their content."""
    _execute(db, *tables.IDENTITIES)
    fill_contents(db.conn)


@MIGRATIONS()
def m006_image_files(db: Database) -> None:
    """Create the state of image files when they were predicted."""
    db.execute(tables.RUN_FILES)


@MIGRATIONS()
def m007_no_aggregates(db: Database) -> None:
    """Drop the tables of counts: figures are computed from the columns."""
    names = ("place_aggregates", "pair_aggregates", "distance_histogram")
    _execute(db, *(f"DROP TABLE IF EXISTS {name}" for name in names))


@MIGRATIONS()
def m008_origin_of_jobs(db: Database) -> None:
    """Create signatures of queued jobs, and the boot that starts of processes count from."""
    _execute(db, tables.JOB_ORIGIN)


@MIGRATIONS()
def m009_column_checksums(db: Database) -> None:
    """Add a checksum to each part of a column."""
    add_checksums(db.conn)


@MIGRATIONS()
def m010_authors_of_annotations(db: Database) -> None:
    """Add authors to the history of annotations, and the states after each event."""
    _execute(db, tables.ANNOTATION_AUTHORS)


@MIGRATIONS()
def m011_run_notes(db: Database) -> None:
    """Add descriptions and archival of runs, and the numbers of deleted ones."""
    _execute(db, *tables.RUN_NOTES)


@MIGRATIONS()
def m012_named_views(db: Database) -> None:
    """Create the views that people name."""
    _execute(db, tables.VIEWS)


@MIGRATIONS()
def m013_filenames(db: Database) -> None:
    """Add the file names to the columns of datasets."""
    fill_filenames(db.conn)


def _execute(db: Database, *scripts: str) -> None:
    # `executescript` would commit the transaction.
    for script in scripts:
        for statement in script.split(";\n"):
            db.execute(statement)


def open_store(
    path: Path | str,
    *,
    read_only: bool = False,
    must_exist: bool = False,
    busy_timeout_s: float = 60.0,
) -> Store:
    """Open the store; make it if it is missing, unless for reading or if it must exist.

    A file of an older schema is migrated first, with its rows kept, also for a reader. Another
    writer is waited for up to `busy_timeout_s`. A reader needs no write permission.

    Raises:
        StoreError: The file is missing and may not be made, is no SQLite database, another
            program's, of a newer schema, or cannot be opened.
        ResourceError: The disk is full or fails, or another job holds the lock for too long.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open_store(Path(folder) / "streetclip.db") as store:
        ...         store.rows("SELECT count(*) FROM runs")
        [(0,)]
    """
    path = Path(path)
    _check_place(path, must_exist=read_only or must_exist)
    if not read_only:
        _check_writable(path)
    with contextlib.ExitStack() as closed_on_error:
        mode = "ro" if read_only else "rw" if must_exist else "rwc"
        store = closed_on_error.enter_context(connect(path, mode, busy_timeout_s))
        with translated(path):
            _check_schema(store, may_be_new=mode == "rwc")
            _check_statements(store, is_written=not read_only)
            if not read_only:
                _turn_on_write_ahead_log(store.db.conn, busy_timeout_s)
            is_outdated = bool(MIGRATIONS.pending(store.db))
        if is_outdated and not read_only:
            _migrate(store)
        closed_on_error.pop_all()
    if is_outdated and read_only:
        store.close()
        _check_writable(path, "has an older schema, which this program migrates, but")
        open_store(path, busy_timeout_s=busy_timeout_s).close()
        store = connect(path, "ro", busy_timeout_s)
    return store


def is_writable(path: Path) -> bool:
    """Check whether an existing store, and the files that SQLite makes next to it, can change."""
    return os.access(path, os.W_OK) and os.access(path.resolve().parent, os.W_OK)


def _check_writable(path: Path, before: str = "") -> None:
    if path.exists() and not is_writable(path):
        msg = (
            f"{path}: {before} cannot be written: the file, its folder or its disk is read-only. "
            "Copy it into a folder that can be written, and name that copy with --db."
        )
        raise StoreError(msg.replace("  ", " "))


def _migrate(store: Store) -> None:
    with store.transaction() as connection:
        # Another job may have migrated it while this one waited for its turn.
        _check_schema(store)
        MIGRATIONS.apply(store.db)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def connect(path: Path, mode: str, busy_timeout_s: float) -> Store:
    """Connect without a check of the schema; `mode` is ro, rw or rwc."""
    settings = [f"cache_size = -{_CACHE_KIB}", "temp_store = MEMORY", "foreign_keys = ON"]
    settings += ["trusted_schema = OFF"]  # the file may come from elsewhere
    if mode == "ro":
        settings += ["query_only = ON"]
    else:
        settings += [
            # In WAL a power cut may undo the last batches, but never damages the file.
            "synchronous = NORMAL",
            # Some builds of SQLite overwrite what is deleted: twice the writing for columns.
            "secure_delete = FAST",
            f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
            f"journal_size_limit = {_LOG_LIMIT_BYTES}",
        ]
    with translated(path):
        if mode == "ro" and not is_writable(path):
            mode = _mode_without_log(path)
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=busy_timeout_s,
            isolation_level=None,  # this module begins transactions itself
        )
        try:
            for setting in settings:
                connection.execute(f"PRAGMA {setting}")
        except sqlite3.Error:
            connection.close()
            raise
    db = Database(connection, recursive_triggers=False, execute_plugins=False)
    return Store(db, path, is_reader="ro" in mode)


def _mode_without_log(path: Path) -> str:
    """Choose how to read a store next to which no log can be made.

    A program that writes has made one: then SQLite reads with it. Else nothing changes the file.
    """
    log = path.resolve().with_name(f"{path.resolve().name}-wal")
    shared = log.with_name(log.name.removesuffix("wal") + "shm")
    if not path.exists() or (log.exists() and shared.exists()):
        return "ro"
    if log.exists() and log.stat().st_size:
        msg = (
            f"{path}: its newest changes are in {log.name}, which can only be read in a folder "
            "that can be written. Copy both files into one, and name that copy with --db."
        )
        raise StoreError(msg)
    return "ro&immutable=1"


def _turn_on_write_ahead_log(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    # Here SQLite does not wait for other openers by itself.
    deadline = time.monotonic() + busy_timeout_s
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _check_place(path: Path, *, must_exist: bool) -> None:
    try:
        if not must_exist:
            path.parent.mkdir(parents=True, exist_ok=True)
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        msg = (
            f"{path}: its folder cannot be made or entered ({error.strerror}). "
            "Name a file in a folder that can be written with --db."
        )
        raise StoreError(msg) from error
    if is_folder:
        msg = f"{path}: is a folder; expected a SQLite file. Name a file in it with --db."
        raise StoreError(msg)
    if must_exist and not exists:
        raise _no_store(path, "does not exist")


def _no_store(path: Path, found: str) -> StoreError:
    return StoreError(
        f"{path}: {found}; expected a StreetCLIP store. Run a training or an evaluation with "
        "this --db first, or name another file."
    )


def _check_statements(store: Store, *, is_written: bool) -> None:
    """Raise StoreError for statements of others that would run when the store is used.

    A view may stand in for a table; a trigger may change what is written, such as a job.
    """
    sql = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')"
    for kind, name, statement in store.rows(sql):
        is_view = kind == "view"
        is_own = name.lower() not in tables.NAMES if is_view else statement in tables.TRIGGERS
        if not is_own and (is_view or is_written):
            msg = (
                f"{store.path}: holds the {kind} {shown(name)}, which is not StreetCLIP's. Remove "
                f"it with another program (DROP {kind.upper()}), or name another file with --db."
            )
            raise StoreError(msg)


def _check_schema(store: Store, *, may_be_new: bool = True) -> None:
    """Raise StoreError for a file of another program or a newer schema."""
    if store.rows("SELECT count(*) FROM sqlite_master") == [(0,)]:
        if not may_be_new:
            raise _no_store(store.path, "is empty")
        return
    if store.rows("PRAGMA application_id") != [(APPLICATION_ID,)]:
        msg = (
            f"{store.path}: is the SQLite database of another program; expected a StreetCLIP "
            "store. Name another file with --db."
        )
        raise StoreError(msg)
    with contextlib.closing(Database(memory=True, execute_plugins=False)) as nothing:
        known = {migration.name for migration in MIGRATIONS.pending(nothing)}
    unknown = [each.name for each in MIGRATIONS.applied(store.db) if each.name not in known]
    if unknown:
        msg = (
            f"{store.path}: was written by a newer StreetCLIP: its schema has "
            f"{shown(unknown[-1])}, which this program lacks. Update this program, or name "
            "another file with --db."
        )
        raise StoreError(msg)
