"""Read latitudes and longitudes as people write them."""

import math
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streetclip.errors import shown

_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)
_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*", re.ASCII)
_NAMES = ("latitude", "longitude")
_LIMITS = (90.0, 180.0)

Degrees = NDArray[np.float64]


def parse_coordinates(
    latitudes: Sequence[str], longitudes: Sequence[str]
) -> tuple[Degrees, Degrees, list[tuple[int, str]]]:
    """Read coordinates from the cells of two columns.

    Returns:
        Latitudes and longitudes in degrees, NaN where blank or bad, and for each bad pair its
        index and the problem.

    Examples:
        >>> *_, problems = parse_coordinates(["48.9", "151"], ["2.4", "-33"])
        >>> problems
        [(1, 'latitude is 151; expected −90 to 90. Are the columns swapped?')]
    """
    cells = (latitudes, longitudes)
    values = (_parse(latitudes), _parse(longitudes))
    with np.errstate(invalid="ignore"):
        fits = [np.abs(value) <= limit for value, limit in zip(values, _LIMITS, strict=True)]
    problems = []
    for i in np.flatnonzero(~(fits[0] & fits[1])).tolist():
        problem = _explain((cells[0][i], cells[1][i]), (values[0][i], values[1][i]))
        if problem:
            problems.append((i, problem))
        values[0][i] = values[1][i] = math.nan
    return values[0], values[1], problems


def _parse(cells: Sequence[str]) -> Degrees:
    text = "".join(cells)
    if text.isascii() and "_" not in text:  # float() reads "1_0" as 10.
        try:
            return np.array([float(cell) if cell else math.nan for cell in cells])
        except ValueError:
            pass
    return np.array([float(c) if _NUMBER.fullmatch(c) else math.nan for c in cells])


def _explain(cells: tuple[str, str], values: tuple[float, float]) -> str | None:
    blank = [not cell.strip() for cell in cells]
    if all(blank):
        return None
    if any(blank):
        given = blank.index(False)
        return (
            f"{_NAMES[1 - given]} is blank but {_NAMES[given]} is {shown(cells[given])}; "
            "expected both or neither."
        )
    for name, cell, value, limit in zip(_NAMES, cells, values, _LIMITS, strict=True):
        if not math.isfinite(value):
            hint = " Write the decimal comma as a point." if _DECIMAL_COMMA.fullmatch(cell) else ""
            return f"{name} is {shown(cell)}; expected a number of degrees, or blank.{hint}"
        if abs(value) > limit:
            swap = abs(values[0]) <= _LIMITS[1] and abs(values[1]) <= _LIMITS[0]
            question = " Are the columns swapped?" if swap else ""
            return f"{name} is {value:g}; expected −{limit:g} to {limit:g}.{question}"
    return None
