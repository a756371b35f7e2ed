"""Between frames and SQLite: values, statements, JSON."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


def column_values(column: "pd.Series[Any] | npt.NDArray[Any]") -> list[Any]:
    """A column as plain Python values for SQLite; what is missing becomes None.

    Examples:
        >>> column_values(pd.Series(["a", None]))
        ['a', None]
        >>> column_values(np.array([True, False]))
        [1, 0]
    """
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        values = np.asarray(column)
        if values.dtype.kind == "b":
            values = values.astype(np.int64)
    else:
        series = pd.Series(column)
        values = series.to_numpy(dtype=object, copy=True)
        values[series.isna().to_numpy()] = None
    plain: list[Any] = values.tolist()  # SQLite takes NaN as NULL
    return plain


def floats(column: "pd.Series[Any] | npt.NDArray[Any]") -> npt.NDArray[np.float64]:
    """A column as float64; what is missing becomes NaN.

    Examples:
        >>> floats(pd.Series([1, None], dtype="Int64")).tolist()
        [1.0, nan]
    """
    if isinstance(column, pd.Series):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(column, dtype=np.float64)


def number_rows(
    columns: "Sequence[pd.Series[Any] | npt.NDArray[Any]]",
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number the distinct rows of some columns, in the order in which they come up.

    Args:
        columns: At least one, all of N values; what is missing equals what is missing.

    Returns:
        The number of each of the N rows, and of each number the first row that has it.

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
    """Statement that inserts one row with bound values.

    Examples:
        >>> insert_sql("runs", ["id", "name"])
        'INSERT INTO runs (id, name) VALUES (?, ?)'
    """
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 -- our own names


def to_json(value: Any) -> str:
    """JSON text as the store keeps it; refuses NaN, which is no JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
