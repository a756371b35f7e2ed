"""Order the images of a selection, and give a page of them without sorting all."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streetclip.analysis.blocks import Rows, selected_rows
from streetclip.analysis.table import RunTable
from streetclip.errors import shown


@dataclass(frozen=True)
class Order:
    """An order of images; equals stand as in the dataset, images without a value last.

    Attributes:
        column: What it goes by; None: the dataset's own order.
        falls: Whether the greatest come first.
    """

    column: str | None
    falls: bool = False


ORDERS: Final[Mapping[str, Order]] = {
    "surest": Order("country_probability", falls=True),
    "unsurest": Order("country_probability"),
    "farthest": Order("distance_km", falls=True),
    "nearest": Order("distance_km"),
    "margin": Order("margin"),
    "file": Order(None),
}
"""Orders by name: margin begins with the smallest."""

_DIGIT_BITS: Final = 16
_FEW: Final = 2**18  # keys to be sorted as they are

Keys = NDArray[Any]  # unsigned integers in the order of the images


def page_of(
    table: RunTable, mask: NDArray[np.bool_], order: str, page: int, size: int
) -> tuple[NDArray[np.int64], int]:
    """One page of the images of a selection, in an order that no two pages overlap in.

    Args:
        table: The run.
        mask: N booleans: which images to look at; those without a prediction are left out.
        order: One of `ORDERS`.
        page: From 0.
        size: Images of a page, at least 1.

    Returns:
        Ids of the images on the page, first to last (none beyond the last page), and how many
        images there are on all pages.

    Raises:
        ValueError: There is no such order, `page` < 0, or `size` < 1.
    """
    if page < 0 or size < 1:
        msg = f"page {page} of {size} images; expected 0 or more, and 1 or more"
        raise ValueError(msg)
    ranks = _Ranks(table, mask, order)
    total = ranks.total
    first, stop = min(page * size, total), min((page + 1) * size, total)
    return table.image_ids[ranks.rows(first, stop)], total


def neighbours_of(
    table: RunTable, mask: NDArray[np.bool_], order: str, image_id: int
) -> tuple[int | None, int | None, int | None]:
    """Where an image stands in a selection, and which are before and after it.

    Args:
        table: The run.
        mask: N booleans: which images to look at; those without a prediction are left out.
        order: One of `ORDERS`.
        image_id: The image.

    Returns:
        (rank from 0, id of the previous image, id of the next one). The ids are None at the ends;
        all three are None if the image is not among the selected.

    Raises:
        ValueError: There is no such order.
    """
    ranks = _Ranks(table, mask, order)
    row = int(np.searchsorted(table.image_ids, image_id))
    if row >= table.num_images or table.image_ids[row] != image_id or not ranks.mask[row]:
        return None, None, None
    rank = ranks.rank(row)
    around = ranks.rows(max(rank - 1, 0), min(rank + 2, ranks.total))
    ids = table.image_ids[around].tolist()
    before = ids[0] if rank > 0 else None
    after = ids[-1] if rank + 1 < ranks.total else None
    return rank, before, after


class _Ranks:
    """The selected images in their order, by rank."""

    def __init__(self, table: RunTable, mask: NDArray[np.bool_], order: str) -> None:
        if order not in ORDERS:
            msg = f"order is {shown(order)}; expected one of {', '.join(ORDERS)}"
            raise ValueError(msg)
        self.mask = table.judged(mask)
        self.total = int(np.count_nonzero(self.mask))
        name, self._falls = ORDERS[order].column, ORDERS[order].falls
        self._column = None if name is None else table.column(name)
        self._bits = 0 if self._column is None else self._column.dtype.itemsize * 8
        self._counts: dict[tuple[int, int], NDArray[np.int64]] = {}

    def rank(self, row: int) -> int:
        """How many images stand before this one."""
        if self._column is None:
            return int(np.count_nonzero(self.mask[:row]))
        key = _sortable(self._column[row : row + 1], falls=self._falls)[0]
        before = 0
        for rows, keys in self._blocks():
            before += int(np.count_nonzero(keys < key))
            before += int(np.count_nonzero(rows[keys == key] < row))
        return before

    def rows(self, first: int, stop: int) -> NDArray[np.intp]:
        """The rows of ranks `first` to `stop` − 1, which are at most `total`."""
        if first >= stop:
            return np.empty(0, dtype=np.intp)
        if self._column is None:
            return self._rows_of_dataset(first, stop)
        low, num_below = self._key(first)
        high, _ = self._key(stop - 1)
        skip, wanted = first - num_below, stop - first
        found: list[tuple[NDArray[np.intp], Keys]] = []
        for rows, keys in self._blocks():
            # Of those that share the lowest or the highest key, no more than can be wanted.
            lowest = np.flatnonzero(keys == low)
            highest = np.flatnonzero(keys == high)[:wanted] if high > low else lowest[:0]
            between = np.flatnonzero((keys > low) & (keys < high))
            hits = np.concatenate([lowest[skip : skip + wanted], between, highest])
            skip = max(skip - len(lowest), 0)
            found.append((rows[hits], keys[hits]))
        rows = np.concatenate([each for each, _ in found])
        keys = np.concatenate([each for _, each in found])
        return rows[np.lexsort((rows, keys))[:wanted]]

    def _rows_of_dataset(self, first: int, stop: int) -> NDArray[np.intp]:
        found: list[NDArray[np.intp]] = []
        seen = 0
        for rows in selected_rows(self.mask):
            positions = _positions(rows)
            found.append(positions[max(first - seen, 0) : max(stop - seen, 0)])
            seen += len(positions)
            if seen >= stop:
                break
        return np.concatenate(found)

    def _key(self, rank: int) -> tuple[int, int]:
        """The key at a rank, and how many keys are smaller: found digit by digit."""
        prefix, below, shift = 0, 0, self._bits
        while shift:
            shift -= _DIGIT_BITS
            up_to = self._digits(prefix, shift).cumsum()
            digit = int(np.searchsorted(up_to, rank - below, side="right"))
            count = int(up_to[digit] - (up_to[digit - 1] if digit else 0))
            below += int(up_to[digit]) - count
            prefix = prefix << _DIGIT_BITS | digit
            if count <= _FEW and shift:
                keys = np.concatenate([keys[keys >> shift == prefix] for _, keys in self._blocks()])
                key = int(np.partition(keys, rank - below)[rank - below])
                return key, below + int(np.count_nonzero(keys < key))
        return prefix, below

    def _digits(self, prefix: int, shift: int) -> NDArray[np.int64]:
        """How often each next digit follows the first ones."""
        if (prefix, shift) not in self._counts:
            counts = np.zeros(1 << _DIGIT_BITS, dtype=np.int64)
            for _, keys in self._blocks():
                known = shift + _DIGIT_BITS
                inside = keys[keys >> known == prefix] if known < self._bits else keys
                digits = inside >> shift & ((1 << _DIGIT_BITS) - 1)
                counts += np.bincount(digits.astype(np.intp), minlength=len(counts))
            self._counts[prefix, shift] = counts
        return self._counts[prefix, shift]

    def _blocks(self) -> Iterator[tuple[NDArray[np.intp], Keys]]:
        """Selected rows with their keys."""
        assert self._column is not None
        for rows in selected_rows(self.mask):
            yield _positions(rows), _sortable(self._column[rows], falls=self._falls)


def _positions(rows: Rows) -> NDArray[np.intp]:
    return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows


def _sortable(values: NDArray[Any], *, falls: bool) -> Keys:
    """Unsigned integers in the order that is asked for, equal for equal numbers; NaN is last.

    The bits of floating-point numbers without a sign are in the order of these numbers (IEEE 754).

    Examples:
        >>> keys = _sortable(np.array([2.5, -0.0, np.nan, -7.0, 0.0], np.float32), falls=False)
        >>> np.argsort(keys, kind="stable").tolist()
        [3, 1, 4, 0, 2]
    """
    kind = np.dtype(f"u{values.dtype.itemsize}").type
    sign = kind(1 << (values.dtype.itemsize * 8 - 1))
    bits = (values + values.dtype.type(0)).view(kind)  # −0 becomes 0
    keys: Keys = np.where(bits & sign, ~bits, bits | sign)
    if falls:
        keys = ~keys
    keys[np.isnan(values)] = np.iinfo(kind).max
    return keys
