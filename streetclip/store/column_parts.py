"""Store columns as blobs of numbers, in parts of at most `PART_ROWS` rows.

Only this module knows their layout. It takes a plain connection, as migrations have it.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

PART_ROWS = 2**20
"""The most rows of a part."""

Owner = tuple[str, int]
"""Whose columns: ("dataset", its id) or ("run", its id)."""

_WHERE = "WHERE owner = ? AND owner_id = ? AND name = ?"


def append_columns(
    connection: sqlite3.Connection, owner: Owner, columns: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Append arrays of equal length to columns; call it in a transaction."""
    for name, values in columns.items():
        sql = f"SELECT coalesce(max(part) + 1, 0) FROM column_parts {_WHERE}"  # noqa: S608 -- our own text
        first = connection.execute(sql, (*owner, name)).fetchone()[0]
        little_endian = values.astype(values.dtype.newbyteorder("<"), order="C", copy=False)
        for number, start in enumerate(range(0, len(values), PART_ROWS), first):
            part = little_endian[start : start + PART_ROWS]
            connection.execute(
                "INSERT INTO column_parts (owner, owner_id, name, part, num_rows, data) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (*owner, name, number, len(part), part.data),
            )


def replace_column(
    connection: sqlite3.Connection, owner: Owner, name: str, values: npt.NDArray[Any]
) -> None:
    """Write a column again, in as few parts as possible; call it in a transaction."""
    connection.execute(f"DELETE FROM column_parts {_WHERE}", (*owner, name))  # noqa: S608 -- our own text
    append_columns(connection, owner, {name: values})


def count_parts(connection: sqlite3.Connection, owner: Owner, name: str) -> tuple[int, int]:
    """Count the parts of a column, and their rows."""
    sql = f"SELECT count(*), coalesce(sum(num_rows), 0) FROM column_parts {_WHERE}"  # noqa: S608 -- our own text
    num_parts, num_rows = connection.execute(sql, (*owner, name)).fetchone()
    return int(num_parts), int(num_rows)


def read_column(
    connection: sqlite3.Connection, owner: Owner, name: str, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """Read a whole column in the order of writing; empty if there is none."""
    dtype = np.dtype(dtype)
    column = np.empty(count_parts(connection, owner, name)[1], dtype)
    sql = f"SELECT num_rows, data FROM column_parts {_WHERE} ORDER BY part"  # noqa: S608 -- our own text
    start = 0
    for num_rows, data in connection.execute(sql, (*owner, name)):
        column[start : start + num_rows] = np.frombuffer(data, dtype.newbyteorder("<"))
        start += num_rows
    return column


def sort_columns(
    connection: sqlite3.Connection, owner: Owner, key: str, dtypes: Mapping[str, npt.DTypeLike]
) -> None:
    """Sort columns by one of them, into as few parts as possible; call it in a transaction.

    `dtypes` lists all columns of the owner that have equal length, `key` among them.
    """
    num_parts, num_rows = count_parts(connection, owner, key)
    keys = read_column(connection, owner, key, dtypes[key])
    is_sorted = bool((keys[1:] >= keys[:-1]).all())
    if is_sorted and num_parts == -(-num_rows // PART_ROWS):
        return
    order = slice(None) if is_sorted else np.argsort(keys, kind="stable")
    for name, dtype in dtypes.items():
        column = read_column(connection, owner, name, dtype)
        replace_column(connection, owner, name, column[order])
