"""Identify a dataset by its labels as they were read: another version may read a file otherwise."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from streetclip.store.connection import Store

LABEL_COLUMNS = (
    "line",
    "city",
    "region",
    "country",
    "country_code",
    "continent",
    "latitude_deg",
    "longitude_deg",
    "attributes",
)
"""Columns of dataset_images that come from the file and from how it is read."""

_ROWS_AT_ONCE = 2**14


def labels_digest(rows: Iterable[Sequence[Any]]) -> str:
    """Hash rows of `LABEL_COLUMNS`, in the order of their lines, as the store keeps them."""
    digest = hashlib.sha256()
    iterator = iter(rows)
    while chunk := list(itertools.islice(iterator, _ROWS_AT_ONCE)):
        for row in chunk:
            digest.update(repr(tuple(row)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def stored_labels_digest(store: Store, dataset_id: int) -> str:
    """Hash the labels of a dataset in the store; see `labels_digest`."""
    return labels_digest(_stored_rows(store, dataset_id))


def _stored_rows(store: Store, dataset_id: int) -> Iterator[tuple[Any, ...]]:
    cursor = store.db.conn.execute(
        f"SELECT {', '.join(LABEL_COLUMNS)} FROM dataset_images "  # noqa: S608 -- our own names
        "WHERE dataset_id = ? ORDER BY line",
        (dataset_id,),
    )
    yield from cursor
