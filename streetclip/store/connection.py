"""Open the store: one SQLite file that several jobs write while the dashboard reads.

With write-ahead logging, readers and the one writer of the moment do not wait for each other. A
writer takes its lock at the start of a transaction; nothing is written outside one.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pandas as pd
from sqlite_utils import Database

from streetclip.errors import StoreError, shown
from streetclip.store import schema
from streetclip.store.sql_values import insert_sql
from streetclip.store.sqlite_errors import translated

_CACHE_KIB = 64 * 1024
_CHECKPOINT_PAGES = 4_000  # of 4 KiB: fewer, longer syncs than SQLite's 1,000 when writing in bulk
_LOG_LIMIT_BYTES = 64 * 2**20  # the log is cut back to this after a busy hour


class Store:
    """A connection to the store; made by `open_store`, used by the thread that opened it.

    `db` is the sqlite-utils database; only for this package.
    """

    def __init__(self, db: Database, path: Path) -> None:
        self.db = db
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a second time does nothing."""
        self.db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write, all or nothing: take the writer's lock, commit at the end, roll back on an error.

        Raises:
            ResourceError: The disk is full or fails, or another job holds the lock for too long.
            StoreError: The file cannot be written.
        """
        with self._begun("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read several times from one state of the store.

        Within another snapshot or a transaction, that one's state is read.
        """
        if self.db.conn.in_transaction:
            yield
        else:
            with self._begun("BEGIN"):
                yield

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return all of its rows."""
        self._check_range(parameters)
        with translated(self.path):
            return self.db.conn.execute(sql, parameters).fetchall()

    def frame(
        self, sql: str, parameters: Sequence[Any] = (), dtype: type | None = None
    ) -> pd.DataFrame:
        """Run a query and return all of its rows, with the names of its columns."""
        self._check_range(parameters)
        with translated(self.path):
            cursor = self.db.conn.execute(sql, parameters)
            names = [column[0] for column in cursor.description]
            return pd.DataFrame(cursor.fetchall(), columns=names, dtype=dtype)

    def insert(self, table: str, values: Mapping[str, Any]) -> int:
        """Insert a row and return its id; call it in a transaction."""
        sql = insert_sql(table, list(values))
        return int(self.rows(f"{sql} RETURNING id", tuple(values.values()))[0][0])

    def update(self, table: str, row_id: int, values: Mapping[str, Any]) -> bool:
        """Change a row and return whether it exists; call it in a transaction."""
        changes = ", ".join(f"{name} = ?" for name in values)
        sql = f"UPDATE {table} SET {changes} WHERE id = ? RETURNING id"  # noqa: S608 -- our own names
        return bool(self.rows(sql, (*values.values(), row_id)))

    def _check_range(self, parameters: Sequence[Any]) -> None:
        # An id may come from a link, which may hold any number.
        for value in parameters:
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                msg = (
                    f"{self.path}: has nothing with the id {shown(value)}. "
                    "Choose one of those that it lists."
                )
                raise StoreError(msg)

    @contextlib.contextmanager
    def _begun(self, begin: str) -> Iterator[sqlite3.Connection]:
        connection = self.db.conn
        with translated(self.path):
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # A full disk has rolled the transaction back already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def open_store(path: Path | str, *, read_only: bool = False, busy_timeout_s: float = 60.0) -> Store:
    """Open the store; make it if it is missing, unless for reading.

    A file of an older schema is migrated first, with its rows kept, also for a reader. Another
    writer is waited for up to `busy_timeout_s`.

    Raises:
        StoreError: The file is missing (when reading), no SQLite database, another program's, of
            a newer schema, or cannot be opened.
        ResourceError: The disk is full or fails, or another job holds the lock for too long.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open_store(Path(folder) / "streetclip.db") as store:
        ...         store.rows("SELECT count(*) FROM runs")
        [(0,)]
    """
    path = Path(path)
    _check_place(path, read_only=read_only)
    if not read_only:
        return _open_for_writing(path, busy_timeout_s)
    store = _connect(path, "ro", busy_timeout_s)
    try:
        with translated(path):
            schema.check_schema(store.db, str(path))
            is_empty, outdated = schema.is_empty(store.db), schema.is_outdated(store.db)
    except BaseException:
        store.close()
        raise
    if is_empty:
        store.close()
        raise _no_store(path, "is empty")
    if outdated:
        store.close()
        _open_for_writing(path, busy_timeout_s).close()
        store = _connect(path, "ro", busy_timeout_s)
    return store


def utc_now() -> str:
    """Return the time as ISO 8601 text in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _open_for_writing(path: Path, busy_timeout_s: float) -> Store:
    store = _connect(path, "rwc", busy_timeout_s)
    try:
        with translated(path):
            schema.check_schema(store.db, str(path))
            _turn_on_write_ahead_log(store.db.conn, busy_timeout_s)
        if schema.is_outdated(store.db):
            with store.transaction():
                # Another job may have migrated it while this one waited for its turn.
                schema.check_schema(store.db, str(path))
                schema.migrate(store.db)
    except BaseException:
        store.close()
        raise
    return store


def _connect(path: Path, mode: str, busy_timeout_s: float) -> Store:
    settings = [f"cache_size = -{_CACHE_KIB}", "temp_store = MEMORY", "foreign_keys = ON"]
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
    return Store(Database(connection, recursive_triggers=False, execute_plugins=False), path)


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


def _check_place(path: Path, *, read_only: bool) -> None:
    try:
        if not read_only:
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
    if read_only and not exists:
        raise _no_store(path, "does not exist")


def _no_store(path: Path, found: str) -> StoreError:
    return StoreError(
        f"{path}: {found}; expected a StreetCLIP store. Run a training or an evaluation with "
        "this --db first, or name another file."
    )
