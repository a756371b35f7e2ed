"""Run statements on the store, and convert between frames and SQLite's values.

SQLite's errors become ours: a full disk, a lock, a file that is no store.
"""

import contextlib
import json
import shlex
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlite_utils import Database

from streetclip.errors import ResourceError, StoreError, StreetClipError, shown

_RESUME = "Free some space and run again with --resume."
_FULL = f"the disk is full; what was written before is kept. {_RESUME}"
# SQLite tells a full disk from a failing one, but not a quota or a limit from either.
_FULL_OR_FAILING = (
    "cannot be written ({error}): the disk is full, over its quota, or fails; what was written "
    f"before is kept. {_RESUME}"
)
_FAILING = (
    "the disk failed ({error}). Check it and its free space, and keep the store on a local disk."
)
_LOCKED = (
    "another program kept it locked for too long. Wait for that job or end it, then run again "
    "with --resume."
)
_CLOSED = (
    "cannot be opened ({error}). SQLite writes files next to it, also for a reader: give the "
    "file and its folder write permission, or name another file with --db."
)
_NO_DATABASE = "is no SQLite database; expected a StreetCLIP store. Name another file with --db."
_DAMAGED = (
    "is damaged ({error}). See what can be repaired with jobs/check_store.py, restore a backup, or "
    "name another file with --db."
)
_NO_LOCKS = (
    "its file system does not lock as SQLite needs it ({error}), as some network disks. Put the "
    "store on a local disk, and name it with --db."
)
_UNDECODABLE = "Could not decode to UTF-8"  # Python's error, which has no code

_TRANSLATIONS: dict[int, tuple[type[StreetClipError], str]] = {
    sqlite3.SQLITE_FULL: (ResourceError, _FULL),
    sqlite3.SQLITE_BUSY: (ResourceError, _LOCKED),
    sqlite3.SQLITE_LOCKED: (ResourceError, _LOCKED),
    sqlite3.SQLITE_CANTOPEN: (StoreError, _CLOSED),
    sqlite3.SQLITE_READONLY: (StoreError, _CLOSED),
    sqlite3.SQLITE_PERM: (StoreError, _CLOSED),
    sqlite3.SQLITE_IOERR_WRITE: (ResourceError, _FULL_OR_FAILING),
    sqlite3.SQLITE_IOERR_SHMSIZE: (ResourceError, _FULL_OR_FAILING),
    sqlite3.SQLITE_IOERR: (ResourceError, _FAILING),
    sqlite3.SQLITE_NOTADB: (StoreError, _NO_DATABASE),
    sqlite3.SQLITE_CORRUPT: (StoreError, _DAMAGED),
    sqlite3.SQLITE_PROTOCOL: (ResourceError, _NO_LOCKS),
    sqlite3.SQLITE_IOERR_LOCK: (ResourceError, _NO_LOCKS),
    sqlite3.SQLITE_IOERR_SHMLOCK: (ResourceError, _NO_LOCKS),
}


T = TypeVar("T")


class Store:
    """A connection to the store; made by `open_store`, used by the thread that opened it.

    `db` is the sqlite-utils database; only for this package. A reader gets texts that are not
    UTF-8 with replacement characters.
    """

    def __init__(self, db: Database, path: Path, *, is_reader: bool = False) -> None:
        self.db = db
        self.path = path
        self._is_reader = is_reader

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
        return self._read(sql, parameters)[1]

    def frame(
        self, sql: str, parameters: Sequence[Any] = (), dtype: type | None = None
    ) -> pd.DataFrame:
        """Run a query and return all of its rows, with the names of its columns."""
        cursor, rows = self._read(sql, parameters)
        return pd.DataFrame(rows, columns=[each[0] for each in cursor.description], dtype=dtype)

    def require(self, table: str, row_id: int, column: str = "id") -> Any:
        """Read a value of a row; raise StoreError if the row does not exist."""
        sql = f"SELECT {column} FROM {table} WHERE id = ?"  # noqa: S608 -- our own names
        found = self.rows(sql, (row_id,))
        if not found:
            kind = table.removesuffix("s")
            msg = f"{self.path}: has no {kind} {row_id}. Choose one of those that it lists."
            raise StoreError(msg)
        return found[0][0]

    def insert(self, table: str, values: Mapping[str, Any]) -> int:
        """Insert a row and return its id; call it in a transaction."""
        sql = insert_sql(table, list(values))
        return int(self.rows(f"{sql} RETURNING id", tuple(values.values()))[0][0])

    def update(self, table: str, row_id: int, values: Mapping[str, Any]) -> None:
        """Change a row, or raise StoreError if it does not exist; call it in a transaction."""
        self.require(table, row_id)
        changes = ", ".join(f"{name} = ?" for name in values)
        sql = f"UPDATE {table} SET {changes} WHERE id = ?"  # noqa: S608 -- our own names
        self.rows(sql, (*values.values(), row_id))

    def _read(
        self, sql: str, parameters: Sequence[Any]
    ) -> tuple[sqlite3.Cursor, list[tuple[Any, ...]]]:
        self._check_range(parameters)
        with translated(self.path):
            connection = self.db.conn
            try:
                cursor = connection.execute(sql, parameters)
                return cursor, cursor.fetchall()
            except sqlite3.OperationalError as error:
                if not self._is_reader or _UNDECODABLE not in str(error):
                    raise
                # Slower: only where it is needed, until this connection is closed.
                connection.text_factory = partial(str, encoding="utf-8", errors="replace")
                cursor = connection.execute(sql, parameters)
                return cursor, cursor.fetchall()

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


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about disk, lock and file into ours; pass on our own faults."""
    try:
        yield
    except sqlite3.Error as error:
        # Errors of Python's own module, as of a wrong thread, carry no code.
        code = getattr(error, "sqlite_errorcode", 0)
        found = _TRANSLATIONS.get(code) or _TRANSLATIONS.get(code & 0xFF)
        if _UNDECODABLE in str(error):
            found = StoreError, _DAMAGED
        if found is None:
            raise
        kind, text = found
        msg = f"{path}: {text.format(error=shown(error)[1:-1])}"
        raise kind(msg) from error


def check_advice(path: Path) -> str:
    """Return the command that finds all damage of a store."""
    return f"See what can be repaired: python jobs/check_store.py --db {shlex.quote(str(path))}"


def repair_advice(path: Path) -> str:
    """Return the command that rebuilds what a store holds twice."""
    return f"{check_advice(path)} --repair".replace("See what can be repaired", "Repair it")


def utc_now(timespec: str = "milliseconds") -> str:
    """Return the time as ISO 8601 text in UTC, as fine as `timespec`."""
    return datetime.now(UTC).isoformat(timespec=timespec)


def column_values(column: "pd.Series[Any] | npt.NDArray[Any]") -> list[Any]:
    """Return a column as plain Python values for SQLite; missing ones become None.

    Examples:
        >>> column_values(pd.Series(["a", None]))
        ['a', None]
        >>> column_values(np.array([True, False]))
        [1, 0]
    """
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        values = np.asarray(column)
        values = values.astype(np.int64) if values.dtype.kind == "b" else values
    else:
        series = pd.Series(column)
        values = series.to_numpy(dtype=object, copy=True)
        values[series.isna().to_numpy()] = None
    plain: list[Any] = values.tolist()  # SQLite takes NaN as NULL
    return plain


def floats(column: "pd.Series[Any]") -> npt.NDArray[np.float64]:
    """Return a column as float64; missing values become NaN."""
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def number_rows(
    columns: "Sequence[pd.Series[Any] | npt.NDArray[Any]]",
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number the distinct rows of columns of N values, in the order of their first occurrence.

    Missing values equal each other. Returns the number of each row, and the first row of each
    number.

    Examples:
        >>> numbers, firsts = number_rows([np.array(["b", "a", "b"]), np.array([1, 1, 1])])
        >>> numbers.tolist(), firsts.tolist()
        ([0, 1, 0], [0, 1])
    """
    numbers, distinct = pd.factorize(columns[0], use_na_sentinel=False)
    for column in columns[1:]:
        codes, of_column = pd.factorize(column, use_na_sentinel=False)
        # Renumbered at each step, so that the products stay below the square of N.
        numbers, distinct = pd.factorize(numbers * np.int64(len(of_column)) + codes)
    firsts = np.empty(len(distinct), np.int64)
    firsts[numbers[::-1]] = np.arange(len(numbers))[::-1]
    return numbers.astype(np.int64), firsts


def insert_sql(table: str, columns: Sequence[str]) -> str:
    """Make a statement that inserts one row with bound values."""
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 -- our own names


def from_json(text: Any, kind: type[T], where: str) -> T | None:
    """Parse the store's JSON, None for NULL; raise StoreError if it is no dict or list as asked."""
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        value = None
    if isinstance(value, kind):
        return value
    what = f"holds {shown(text)}; expected a JSON {kind.__name__}"
    msg = f"{where} {what}. The store is damaged: restore a copy, or name another with --db."
    raise StoreError(msg)


def to_json(value: Any) -> str:
    """Return JSON text as the store keeps it; refuses NaN, which is no JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
