"""Columns kept beside the rows: arrays in parts, each a blob, so that a page loads them at once.

Only this module knows how they lie in the file. It needs no more than a connection, so that a
migration can fill columns too.
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


def add_parts(
    connection: sqlite3.Connection, owner: Owner, columns: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Append arrays of equal length to columns; to be called in a transaction.

    Args:
        connection: Of the store.
        owner: Whose columns.
        columns: By name; all the columns of this owner that are written in step.
    """
    for name, values in columns.items():
        sql = f"SELECT coalesce(max(part) + 1, 0) FROM column_parts {_WHERE}"  # noqa: S608 -- our own text
        first = connection.execute(sql, (*owner, name)).fetchone()[0]
        little_endian = values.astype(values.dtype.newbyteorder("<"), copy=False)
        slices = [
            little_endian[start : start + PART_ROWS] for start in range(0, len(values), PART_ROWS)
        ]
        connection.executemany(
            "INSERT INTO column_parts (owner, owner_id, name, part, num_rows, data) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                (*owner, name, first + i, len(part), np.ascontiguousarray(part).data)
                for i, part in enumerate(slices)
            ),
        )


def replace_column(
    connection: sqlite3.Connection, owner: Owner, name: str, values: npt.NDArray[Any]
) -> None:
    """Write a column anew, in as few parts as may be; to be called in a transaction."""
    connection.execute(f"DELETE FROM column_parts {_WHERE}", (*owner, name))  # noqa: S608 -- our own text
    add_parts(connection, owner, {name: values})


def num_parts(connection: sqlite3.Connection, owner: Owner, name: str) -> tuple[int, int]:
    """How many parts a column has, and how many rows."""
    sql = f"SELECT count(*), coalesce(sum(num_rows), 0) FROM column_parts {_WHERE}"  # noqa: S608 -- our own text
    found = connection.execute(sql, (*owner, name)).fetchone()
    return int(found[0]), int(found[1])


def read_column(
    connection: sqlite3.Connection, owner: Owner, name: str, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """A whole column, in the order in which its parts were written; empty if there is none."""
    dtype = np.dtype(dtype)
    column = np.empty(num_parts(connection, owner, name)[1], dtype)
    sql = f"SELECT num_rows, data FROM column_parts {_WHERE} ORDER BY part"  # noqa: S608 -- our own text
    start = 0
    for num_rows, data in connection.execute(sql, (*owner, name)):
        column[start : start + num_rows] = np.frombuffer(data, dtype.newbyteorder("<"))
        start += num_rows
    return column


def sort_parts(
    connection: sqlite3.Connection, owner: Owner, key: str, dtypes: Mapping[str, npt.DTypeLike]
) -> None:
    """Bring columns into ascending order of one of them, in as few parts as may be.

    Takes one column at a time into memory; to be called in a transaction.

    Args:
        connection: Of the store.
        owner: Whose columns.
        key: The column that gives the order.
        dtypes: By name, all the columns that are written in step, with `key`.
    """
    parts, num_rows = num_parts(connection, owner, key)
    keys = read_column(connection, owner, key, dtypes[key])
    is_sorted = bool((keys[1:] >= keys[:-1]).all())
    if is_sorted and parts == -(-num_rows // PART_ROWS):
        return
    order = None if is_sorted else np.argsort(keys, kind="stable")
    del keys
    for name, dtype in dtypes.items():
        column = read_column(connection, owner, name, dtype)
        replace_column(connection, owner, name, column if order is None else column[order])
