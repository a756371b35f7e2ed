"""Convert between frames and SQLite: values, statements, JSON."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


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


def floats(column: "pd.Series[Any] | npt.NDArray[Any]") -> npt.NDArray[np.float64]:
    """Return a column as float64; missing values become NaN."""
    if isinstance(column, pd.Series):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(column, dtype=np.float64)


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


def to_json(value: Any) -> str:
    """Return JSON text as the store keeps it; refuses NaN, which is no JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
