"""Go over millions of rows a block at a time, so that temporary arrays stay small."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 2**18
"""Rows of a block: a float64 array of that length is 2 MiB."""

Rows = slice | NDArray[np.intp]
"""Rows of an array: all of a block, or the selected ones of it, ascending."""


def selected_rows(mask: NDArray[np.bool_], size: int = BLOCK) -> Iterator[Rows]:
    """Yield the rows that a mask selects, block by block; blocks without any are left out.

    Examples:
        >>> rows = selected_rows(np.array([True, True, False, False, False, True]), 2)
        >>> [each if isinstance(each, slice) else each.tolist() for each in rows]
        [slice(0, 2, None), [5]]
    """
    for start in range(0, len(mask), size):
        block = mask[start : start + size]
        if block.all():
            yield slice(start, start + len(block))
        elif block.any():
            yield np.flatnonzero(block) + start
