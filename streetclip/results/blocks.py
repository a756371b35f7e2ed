"""Go over millions of rows a block at a time, so that what is computed stays in the cache."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 2**18
"""Rows of a block: a float64 array of that length is 2 MiB."""

Rows = slice | NDArray[np.intp]
"""Rows of an array: all of a block, or those of it that are selected, ascending."""


def blocks(num_rows: int, size: int = BLOCK) -> Iterator[slice]:
    """Slices that cover all rows in order.

    Examples:
        >>> [(each.start, each.stop) for each in blocks(5, 2)]
        [(0, 2), (2, 4), (4, 5)]
    """
    for start in range(0, num_rows, size):
        yield slice(start, min(start + size, num_rows))


def selected_rows(mask: NDArray[np.bool_], size: int = BLOCK) -> Iterator[Rows]:
    """The rows that a mask selects, block by block; blocks without any are left out.

    Args:
        mask: N booleans.
        size: Rows of a block.

    Examples:
        >>> rows = selected_rows(np.array([True, True, False, False, False, True]), 2)
        >>> [each if isinstance(each, slice) else each.tolist() for each in rows]
        [slice(0, 2, None), [5]]
    """
    for block in blocks(len(mask), size):
        chosen = mask[block]
        count = np.count_nonzero(chosen)
        if count == len(chosen):
            yield block
        elif count:
            yield np.flatnonzero(chosen) + block.start
