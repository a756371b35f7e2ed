"""Order the images of a selection, and give a page of them without sorting all."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streetclip.errors import shown
from streetclip.results.blocks import Rows, selected_rows
from streetclip.results.run_table import RunTable


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
    rank, *around = ranks.around(row)
    before, after = (None if each is None else int(table.image_ids[each]) for each in around)
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

    def around(self, row: int) -> tuple[int, int | None, int | None]:
        """The rank of a selected row, and the rows before and after it."""
        if self._column is None:
            before, after = self.mask[:row][::-1], self.mask[row + 1 :]
            return (
                int(np.count_nonzero(before)),
                row - 1 - int(before.argmax()) if before.any() else None,
                row + 1 + int(after.argmax()) if after.any() else None,
            )
        around = _Around(row, int(_sortable(self._column[row : row + 1], falls=self._falls)[0]))
        for rows, keys in self._blocks():
            around.see(rows, keys)
        return around.rank, around.before, around.after

    def rows(self, first: int, stop: int) -> NDArray[np.intp]:
        """The rows of ranks `first` to `stop` − 1, which are at most `total`."""
        if first >= stop:
            return np.empty(0, dtype=np.intp)
        if self._column is None:
            return self._rows_of_dataset(first, stop)
        shift = self._bits - _DIGIT_BITS
        up_to = self._digits(0, shift).cumsum()
        low, high = np.searchsorted(up_to, [first, stop - 1], side="right").tolist()
        below = int(up_to[low - 1]) if low else 0
        if int(up_to[high]) - below <= _FEW:
            rows, keys = self._between(low << shift, ((high + 1) << shift) - 1)
            return rows[np.argsort(keys, kind="stable")[first - below : stop - below]]
        return self._rows_among_equals(first, stop)

    def _between(self, low: int, high: int) -> tuple[NDArray[np.intp], Keys]:
        """Rows, ascending, whose keys are from `low` to `high`, and these keys."""
        found = [
            (_at(rows, hits), keys[hits])
            for rows, keys in self._blocks()
            if (hits := np.flatnonzero((keys >= low) & (keys <= high))).size
        ]
        return np.concatenate([each for each, _ in found]), np.concatenate([k for _, k in found])

    def _rows_among_equals(self, first: int, stop: int) -> NDArray[np.intp]:
        """`rows`, where so many have almost the same key that they must not all be held."""
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
            found.append((_at(rows, hits), keys[hits]))
        near = np.concatenate([each for each, _ in found])
        near_keys = np.concatenate([each for _, each in found])
        return near[np.lexsort((near, near_keys))[:wanted]]

    def _rows_of_dataset(self, first: int, stop: int) -> NDArray[np.intp]:
        found: list[NDArray[np.intp]] = []
        seen = 0
        for rows in selected_rows(self.mask):
            count = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
            found.append(_at(rows, np.arange(max(first - seen, 0), min(stop - seen, count))))
            seen += count
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
            below += int(up_to[digit - 1]) if digit else 0
            prefix = prefix << _DIGIT_BITS | digit
        return prefix, below

    def _digits(self, prefix: int, shift: int) -> NDArray[np.int64]:
        """How often each next digit follows the first ones."""
        if (prefix, shift) not in self._counts:
            counts = np.zeros(1 << _DIGIT_BITS, dtype=np.int64)
            known = shift + _DIGIT_BITS
            for _, keys in self._blocks():
                inside = keys[keys >> known == prefix] if known < self._bits else keys
                digits = (inside >> shift & ((1 << _DIGIT_BITS) - 1)).astype(np.intp)
                np.add.at(counts, digits, 1)
            self._counts[prefix, shift] = counts
        return self._counts[prefix, shift]

    def _blocks(self) -> Iterator[tuple[Rows, Keys]]:
        """Selected rows with their keys."""
        assert self._column is not None
        for rows in selected_rows(self.mask):
            yield rows, _sortable(self._column[rows], falls=self._falls)


class _Around:
    """Finds what stands right before and after a row, block by block.

    Attributes:
        rank: How many stand before it.
        before: The row before it.
        after: The row after it.
    """

    def __init__(self, row: int, key: int) -> None:
        self._row, self._key = row, key
        self._best_before, self._best_after = -1, -1
        self.rank = 0
        self.before: int | None = None
        self.after: int | None = None

    def see(self, rows: Rows, keys: Keys) -> None:
        """Look at the next block, whose rows follow on those seen."""
        equal = np.flatnonzero(keys == self._key)
        less, more = keys < self._key, keys > self._key
        equal_before = equal[_at(rows, equal) < self._row]
        equal_after = equal[_at(rows, equal) > self._row]
        num_less = int(np.count_nonzero(less))
        self.rank += num_less + len(equal_before)
        if num_less:
            self._offer_before(rows, keys, int(np.where(less, keys, 0).max()))
        if more.any():
            self._offer_after(rows, keys, int(np.where(more, keys, _last(keys)).min()))
        if len(equal_before):
            self._best_before, self.before = self._key, int(_at(rows, equal_before[-1:])[0])
        if len(equal_after) and self._best_after != self._key:
            self._best_after, self.after = self._key, int(_at(rows, equal_after[:1])[0])

    def _offer_before(self, rows: Rows, keys: Keys, key: int) -> None:
        if key >= self._best_before:  # of equals, the last
            self._best_before = key
            self.before = int(_at(rows, np.flatnonzero(keys == key)[-1:])[0])

    def _offer_after(self, rows: Rows, keys: Keys, key: int) -> None:
        if self._best_after < 0 or key < self._best_after:  # of equals, the first
            self._best_after = key
            self.after = int(_at(rows, np.flatnonzero(keys == key)[:1])[0])


def _at(rows: Rows, positions: NDArray[np.intp]) -> NDArray[np.intp]:
    """Rows at positions of a block."""
    return positions + rows.start if isinstance(rows, slice) else rows[positions]


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
    keys: Keys = (values + values.dtype.type(0)).view(kind)  # −0 becomes 0
    negative = keys >= sign
    keys = np.where(negative, ~keys, keys | sign) if negative.any() else keys | sign
    if falls:
        np.invert(keys, out=keys)
    missing = np.isnan(values)
    if missing.any():
        keys[missing] = _last(keys)
    return keys


def _last(keys: Keys) -> Any:
    """The key after all others, of the same type."""
    return keys.dtype.type(np.iinfo(keys.dtype).max)
