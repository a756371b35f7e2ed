"""Find what is damaged in a store, and repair what the store holds twice.

Columns are rebuilt from the rows of datasets and predictions, indexes and triggers from tables.
"""

import contextlib
import re
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from streetclip.errors import StoreError, StreetClipError, shown
from streetclip.progress import Progress, no_progress
from streetclip.store.backfill import fill_dataset_columns, fill_run_columns
from streetclip.store.columns import RUN_DTYPES, Owner, attribute_column, read_column
from streetclip.store.connection import Store, repair_advice, translated
from streetclip.store.filenames import FILENAMES, name_ends
from streetclip.store.schema import MIGRATIONS, connect, open_store

Repair = tuple[Callable[[sqlite3.Connection, Any], None], Any]
"""A function that repairs in a transaction, and its argument."""

_BUSY_S = 5.0
_MOST_MESSAGES = 20  # of one check of SQLite
_INDEX_DISAGREES = re.compile(r"index (\w+)$")
_UNDECODABLE = re.compile(r"Could not decode to UTF-8 column '(\w+)'")
# By table: its key, and what its JSON columns hold.
_JSON_COLUMNS = {
    "datasets": ("id", {"attribute_columns": "array"}),
    "dataset_images": ("image_id", {"attributes": "object"}),
    "runs": ("id", dict.fromkeys(("prompts", "config", "versions", "metrics"), "object")),
    "trainings": ("id", dict.fromkeys(("config", "versions", "best"), "object")),
    "jobs": (
        "id",
        {"arguments": "array", "parameters": "object", "numbers": "object", "outputs": "array"},
    ),
    "annotation_changes": ("event_id", {"tags": "array", "new_tags": "array"}),
    "prediction_rankings": ("image_id", {"top_countries": "array", "top_cities": "array"}),
}
_DATASET_DTYPES = {"image_id": "i8", "place": "u4", FILENAMES: "u1"}
_ATTRIBUTE_DTYPE = "u2"


@dataclass(frozen=True)
class Fault:
    """A fault of a store: where and what, and how to repair it, None if it cannot be."""

    text: str
    repair: Repair | None = None


class Schema(NamedTuple):
    """The tables with their columns, and the SQL of indexes and triggers by name."""

    columns: dict[str, set[str]]
    statements: dict[str, str]


def find_faults(store: Store, progress: Progress = no_progress) -> Iterator[Fault]:
    """Yield the faults of a store, the gravest first; the first may hide others.

    Checked are the schema, SQLite's own structure and types, texts and JSON, the checksums and row
    counts of columns, and references between tables.
    """
    checks = (
        _schema_faults,
        _page_faults,
        _text_faults,
        _json_faults,
        _column_faults,
        _reference_faults,
    )
    with store.snapshot():
        for number, check in enumerate(checks):
            progress(number, len(checks))
            found = list(check(store))
            yield from found
            if check in checks[:2] and any(fault.repair is None for fault in found):
                return  # what follows reads what is damaged
        progress(len(checks), len(checks))


def missing_folders(store: Store) -> list[str]:
    """List the image folders that do not exist on this machine."""
    found = store.rows("SELECT path FROM image_folders ORDER BY path")
    return [path for (path,) in found if not Path(path).is_dir()]


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an unexpected error into a StoreError where damage of the store explains it."""
    try:
        yield
    except (StreetClipError, OSError):  # neither is SQLite's
        raise
    except Exception as error:
        if not path.is_file():
            raise
        found = _damage(path, *_stamp(path), *_stamp(path.with_name(f"{path.name}-wal")))
        if not found:
            raise
        raise StoreError(found) from error


def _stamp(path: Path) -> tuple[int, int]:
    if not path.exists():
        return 0, 0
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=4)  # of a store with a million images it takes seconds: not for each click
def _damage(path: Path, *_stamp: int) -> str:
    """Describe the first fault of a store and what to do; "" if none is found."""
    try:
        with connect(path, "ro", _BUSY_S) as store:
            fault = next(find_faults(store), None)
    except StreetClipError as error:
        return str(error)
    if fault is None:
        return ""
    advice = "Restore a backup, or name another file with --db."
    return f"{path}: {fault.text}. {repair_advice(path) if fault.repair else advice}"


def repair_store(path: Path, faults: list[Fault]) -> int:
    """Repair those faults that can be, all or none, and return how many."""
    repairs = [fault.repair for fault in faults if fault.repair is not None]
    with open_store(path) as store, store.transaction() as connection:
        for repair, argument in dict.fromkeys(repairs):
            repair(connection, argument)
    return len(repairs)


@cache
def _expected() -> Schema:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        from sqlite_utils import Database

        MIGRATIONS.apply(Database(connection, execute_plugins=False))
        return _read_schema(connection)


def _read_schema(connection: sqlite3.Connection) -> Schema:
    columns: dict[str, set[str]] = {}
    for table, name in connection.execute(
        "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c "
        "WHERE m.type = 'table'"
    ):
        columns.setdefault(table, set()).add(name)
    statements = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL"
    )
    return Schema(columns, dict(statements.fetchall()))


def _schema_faults(store: Store) -> Iterator[Fault]:
    expected = _expected()
    with translated(store.path):
        found = _read_schema(store.db.conn)
    for table, names in expected.columns.items():
        if table not in found.columns:
            yield Fault(f"the table {table} is missing")
        elif missing := sorted(names - found.columns[table]):
            yield Fault(f"the table {table} lacks the columns {', '.join(missing)}")
    if not expected.columns.keys() <= found.columns.keys():
        return
    for name, sql in expected.statements.items():
        if name not in found.statements:
            yield Fault(f"{name}, an index or trigger, is missing", (_run, sql))


def _page_faults(store: Store) -> Iterator[Fault]:
    messages = store.rows(f"PRAGMA integrity_check({_MOST_MESSAGES})")
    for (message,) in dict.fromkeys(messages):
        if message != "ok":
            index = _INDEX_DISAGREES.search(message)
            repair: Repair | None = (_run, f'REINDEX "{index[1]}"') if index else None
            yield Fault(f"SQLite finds {shown(message)}", repair)


def _text_faults(store: Store) -> Iterator[Fault]:
    """Decode every text; a reader of the store shows those that are not UTF-8 with marks."""
    connection = store.db.conn
    kept, connection.text_factory = connection.text_factory, str
    try:
        for table, known in _expected().columns.items():
            typed = store.rows(
                "SELECT name FROM pragma_table_info(?) WHERE type = 'TEXT'", (table,)
            )
            names = [name for (name,) in typed if name in known]
            if not names:
                continue
            try:
                sql = f"SELECT {', '.join(names)} FROM {table}"  # noqa: S608 -- our own names
                deque(connection.execute(sql), maxlen=0)
            except sqlite3.OperationalError as error:
                found = _UNDECODABLE.match(str(error))
                if found is None:
                    raise
                yield Fault(f"{found[1]} of {table} holds a text that is not UTF-8")
    finally:
        connection.text_factory = kept


def _json_faults(store: Store) -> Iterator[Fault]:
    for table, (row, kinds) in _JSON_COLUMNS.items():
        for name, kind in kinds.items():
            is_bad = f"CASE WHEN json_valid({name}) THEN json_type({name}) <> '{kind}' ELSE 1 END"
            bad = f"{name} IS NOT NULL AND {is_bad}"
            for (row_id,) in store.rows(f"SELECT {row} FROM {table} WHERE {bad} LIMIT 1"):  # noqa: S608 -- our own names
                yield Fault(f"{name} of row {row_id} of {table} is no JSON {kind}")


def _column_faults(store: Store) -> Iterator[Fault]:
    for dataset_id, num_images in store.rows("SELECT id, num_images FROM datasets ORDER BY id"):
        dtypes = dict(_DATASET_DTYPES)
        attributes = "SELECT DISTINCT name FROM attribute_values WHERE dataset_id = ?"
        for (name,) in store.rows(attributes, (dataset_id,)):
            dtypes[attribute_column(name)] = _ATTRIBUTE_DTYPE
        owner = ("dataset", dataset_id)
        counted = _count(store, "dataset_images", "dataset_id", dataset_id)
        places = _count(store, "places", "dataset_id", dataset_id)
        if counted != num_images:
            yield Fault(f"dataset {dataset_id} has {counted:,} images; expected {num_images:,}")
        repair = (_rebuild, owner) if counted == num_images else None
        columns = _Columns(owner, dtypes, num_images, {"place": places}, repair)
        yield from _faults_of_columns(store, columns)
    for run_id, num_done in store.rows("SELECT id, num_done FROM runs ORDER BY id"):
        owner = ("run", run_id)
        counted = _count(store, "predictions", "run_id", run_id)
        places = _count(store, "predicted_places", "run_id", run_id) + 1
        # Where rows were lost, the columns may hold more: they are not rebuilt.
        repair = (_rebuild, owner) if counted >= num_done else None
        if counted != num_done:
            text = f"run {run_id} has {counted:,} predictions; expected {num_done:,}"
            yield Fault(text, repair)
        num_rows = max(counted, num_done)
        columns = _Columns(owner, RUN_DTYPES, num_rows, {"pred_place": places}, repair)
        yield from _faults_of_columns(store, columns)


class _Columns(NamedTuple):
    """What is expected of the columns of a dataset or run; `bounds` are above all values."""

    owner: Owner
    dtypes: Mapping[str, str]
    num_rows: int
    bounds: Mapping[str, int]
    repair: Repair | None


def _faults_of_columns(store: Store, expected: _Columns) -> Iterator[Fault]:
    owner, dtypes, num_rows, bounds, repair = expected
    for name, dtype in dtypes.items():
        try:
            column = read_column(store.db.conn, owner, name, dtype)
        except StoreError:
            found = "is damaged"
        else:
            found = ""
            column = name_ends(column) if name == FILENAMES else column
            if len(column) != num_rows:
                found = f"has {len(column):,} rows; expected {num_rows:,}"
            elif name in bounds and np.any(column >= bounds[name]):
                found = f"names places beyond the {bounds[name]:,} that are known"
        if found:
            text = f"the column {shown(name)} of {owner[0]} {owner[1]} {found}"
            yield Fault(text, repair)


def _reference_faults(store: Store) -> Iterator[Fault]:
    found = store.rows("PRAGMA foreign_key_check")
    for table, parent in sorted({(table, parent) for table, _, parent, _ in found}):
        count = sum(each[0] == table and each[2] == parent for each in found)
        yield Fault(f"{count:,} rows of {table} name rows that {parent} lacks")


def _count(store: Store, table: str, column: str, owner_id: int) -> int:
    sql = f"SELECT count(*) FROM {table} WHERE {column} = ?"  # noqa: S608 -- our own names
    return int(store.rows(sql, (owner_id,))[0][0])


def _run(connection: sqlite3.Connection, sql: str) -> None:
    connection.execute(sql)


def _rebuild(connection: sqlite3.Connection, owner: Owner) -> None:
    """Write the columns of a dataset or run again from its rows."""
    kind, owner_id = owner
    connection.execute(
        "DELETE FROM column_parts WHERE owner = ? AND owner_id = ?", (kind, owner_id)
    )
    if kind == "run":
        connection.execute("DELETE FROM predicted_places WHERE run_id = ?", (owner_id,))
        fill_run_columns(connection, owner_id)
        connection.execute(
            "UPDATE runs SET num_done = (SELECT count(*) FROM predictions WHERE run_id = ?1) "
            "WHERE id = ?1",
            (owner_id,),
        )
        return
    for table in ("places", "attribute_values"):
        connection.execute(f"DELETE FROM {table} WHERE dataset_id = ?", (owner_id,))  # noqa: S608 -- our own names
    fill_dataset_columns(connection, owner_id)
