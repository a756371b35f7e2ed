"""Count the images of each value that a filter offers."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from streetclip.results.filters import Ids
from streetclip.results.groups import Grouping, grouping
from streetclip.results.run_table import Bool, RunTable, signed_rows
from streetclip.store import NUM_FLAGS, Flag

_OUTCOMES = {"country_correct": Flag.COUNTRY_CORRECT, "city_correct": Flag.CITY_CORRECT}


def value_counts(table: RunTable, mask: Bool, names: Iterable[str]) -> dict[str, dict[Any, int]]:
    """Count the images of each value of some filters, by name and value.

    Names are groupings of `groups.grouping`, or "country_correct" and "city_correct", whose values
    are True and False. Values without an image may be missing.
    """
    groupings = {name: _grouping(table, name) for name in names}
    columns = {id(each.codes): each.codes for each in groupings.values()}
    sizes = {id(each.codes): len(each.group_of) for each in groupings.values()}
    counts = {key: np.zeros(size, dtype=np.int64) for key, size in sizes.items()}
    for rows, sign in signed_rows(table.with_prediction(mask)):
        for key, column in columns.items():
            counts[key] += sign * np.bincount(column[rows], minlength=sizes[key])
    found: dict[str, dict[Any, int]] = {}
    for name, each in groupings.items():
        n = np.bincount(each.group_of, counts[id(each.codes)], minlength=len(each.keys))
        values = each.keys.iloc[:, -1].to_numpy()
        found[name] = {
            value: int(total) for value, total in pd.Series(n).groupby(values).sum().items()
        }
    return found


def _grouping(table: RunTable, name: str) -> Grouping:
    if name not in _OUTCOMES:
        return grouping(table, name)
    is_correct = (np.arange(NUM_FLAGS) & _OUTCOMES[name]) != 0
    values = pd.DataFrame({"value": [False, True]})
    return Grouping(table.column("flags"), is_correct.astype(np.int64), values)


def num_among(table: RunTable, mask: Bool, image_ids: Ids) -> int:
    """Count the selected images among some ids, in any order; of other datasets, too."""
    rows = np.minimum(np.searchsorted(table.image_ids, image_ids), table.num_images - 1)
    return int(np.count_nonzero(mask[rows] & (table.image_ids[rows] == image_ids)))
