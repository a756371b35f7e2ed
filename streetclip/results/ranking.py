"""Order the images that a filter leaves; read a page without sorting all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streetclip.results.run_table import Bool, RunTable, check_known

Positions = NDArray[np.intp]


@dataclass(frozen=True)
class Order:
    """An order of images; equals in the order of the dataset, images without a value last.

    A column of None is the order of the dataset.
    """

    column: str | None
    descending: bool = False


ORDERS: Final[Mapping[str, Order]] = {
    "surest": Order("country_probability", descending=True),
    "unsurest": Order("country_probability"),
    "farthest": Order("distance_km", descending=True),
    "nearest": Order("distance_km"),
    "margin": Order("margin"),
    "file": Order(None),
}
"""Orders by name: margin begins with the smallest."""


def page_of(
    table: RunTable, mask: Bool, order: str, page: int, size: int
) -> tuple[NDArray[np.int64], int]:
    """Return the ids of one page (from 0) of the selected images, and the number of all.

    A page beyond the last one is empty. Raises ValueError if `order` is none of `ORDERS`, `page` <
    0, or `size` < 1.
    """
    if page < 0 or size < 1:
        msg = f"page {page} of {size} images; expected 0 or more, and 1 or more"
        raise ValueError(msg)
    rows, values = _ranked(table, mask, order)
    chosen = _at_ranks(values, page * size, (page + 1) * size)
    return table.image_ids[rows[chosen]], len(rows)


def neighbours_of(
    table: RunTable, mask: Bool, order: str, image_id: int
) -> tuple[int | None, int | None, int | None]:
    """Find the rank of an image among the selected ones, and the images before and after it.

    Returns (rank from 0, id of the previous image, id of the next one). The ids are None at the
    ends; all three are None if the image is not among the selected.
    """
    rank, before, after = images_around(table, mask, order, image_id)
    return rank, before[-1] if before else None, after[0] if after else None


def images_around(
    table: RunTable,
    mask: Bool,
    order: str,
    image_id: int,
    *,
    num_before: int = 1,
    num_after: int = 1,
) -> tuple[int | None, list[int], list[int]]:
    """Find the rank of an image among the selected, and the ids around it in their order.

    The rank, from 0, is None and the lists are empty if the image is not among the selected.
    """
    rows, values = _ranked(table, mask, order)
    position = int(np.searchsorted(table.image_ids[rows], image_id))
    if position == len(rows) or table.image_ids[rows[position]] != image_id:
        return None, [], []
    value = values[position]
    rank = int(np.count_nonzero(values < value) + np.count_nonzero(values[:position] == value))
    first = max(rank - num_before, 0)
    found = table.image_ids[rows[_at_ranks(values, first, rank + num_after + 1)]].tolist()
    own = rank - first
    return rank, found[:own], found[own + 1 :]


def _ranked(table: RunTable, mask: Bool, order: str) -> tuple[Positions, NDArray[Any]]:
    """Find the selected rows, and numbers that ascend in the order; infinite if missing."""
    check_known("order", order, ORDERS)
    rows = np.flatnonzero(table.with_prediction(mask))
    column = ORDERS[order].column
    if column is None:
        return rows, rows
    values = table.column(column)[rows]
    if ORDERS[order].descending:
        np.negative(values, out=values)
    values[np.isnan(values)] = np.inf
    return rows, values


def _at_ranks(values: NDArray[Any], first: int, stop: int) -> Positions:
    """Find the positions of the values from rank `first` to below `stop`, both from 0."""
    stop = min(stop, len(values))
    if first >= stop:
        return np.empty(0, dtype=np.intp)
    low, high = np.partition(values, [first, stop - 1])[[first, stop - 1]]
    near = np.flatnonzero((values >= low) & (values <= high))
    num_below = int(np.count_nonzero(values < low))
    order = np.argsort(values[near], kind="stable")
    return near[order[first - num_below : stop - num_below]]
