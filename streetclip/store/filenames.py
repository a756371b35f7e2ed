"""Keep the file names of a dataset as one column of bytes, which is searched at once.

The names are `folded`, in UTF-8, by ascending image ids, each ended by a zero byte.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streetclip.store.columns import check_content, damaged_columns, read_column
from streetclip.store.connection import Store, translated

FILENAMES = "filenames"
"""Name of the column; of its numbers, bytes, there are more than images."""

_ENDS, _REPLACED = "\0", "\ufffd"  # no file has a zero in its name
_BLOCK = 2**20  # bytes, so that they stay in the processor's cache


def folded(text: str) -> str:
    """Make a text in which upper and lower case, and ways to write an accent, are the same.

    Examples:
        >>> folded("Cafe\u0301.JPG") == folded("CAF\u00c9.jpg")
        True
    """
    return _fold(text.replace(_ENDS, _REPLACED))


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


def encoded(names: Sequence[str]) -> npt.NDArray[np.uint8]:
    r"""Encode file names as a part of the column.

    Examples:
        >>> encoded(["A.jpg", "b.png"]).tobytes()
        b'a.jpg\x00b.png\x00'
    """
    # Folded all at once, many times faster: neither case nor accents reach past a zero.
    text = _ENDS.join([*names, ""])
    if text.count(_ENDS) > len(names):
        text = _ENDS.join([*(name.replace(_ENDS, _REPLACED) for name in names), ""])
    return np.frombuffer(_fold(text).encode(), np.uint8)


def name_ends(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Find where the names of the column end, each behind its zero."""
    blocks = range(0, len(data), _BLOCK)
    found = [np.flatnonzero(data[start : start + _BLOCK] == 0) + (start + 1) for start in blocks]
    return np.concatenate([np.empty(0, np.int64), *found])


class FileNames:
    """The file names of a dataset's N images: 8 bytes for each more than their texts take."""

    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        """Keep the bytes of the column."""
        import pyarrow as pa  # type: ignore[import-untyped]

        starts = np.append(0, name_ends(data))
        buffers = (pa.py_buffer(each) for each in (starts, data))
        self._texts = pa.LargeStringArray.from_buffers(len(starts) - 1, *buffers)

    def __len__(self) -> int:
        """Count the names."""
        return len(self._texts)

    def containing(self, text: str) -> npt.NDArray[np.bool_]:
        """Find the names that contain a text, in any case: N booleans."""
        from pyarrow import compute

        found = compute.match_substring(self._texts, folded(text))
        return np.asarray(found.to_numpy(zero_copy_only=False), np.bool_)


def read_filenames(
    store: Store, dataset_id: int, num_images: int, content: str | None = None
) -> FileNames:
    """Read the file names of a dataset's images, by ascending ids.

    Raises StoreError if the dataset has another `content`, or another number of names.
    """
    connection, owner = store.db.conn, ("dataset", dataset_id)
    with store.snapshot(), translated(store.path):
        check_content(store, dataset_id, content)
        names = FileNames(read_column(connection, owner, FILENAMES, np.uint8))
        if len(names) != num_images:
            found = f"its column {FILENAMES} has {len(names):,} names; expected {num_images:,}"
            raise damaged_columns(connection, owner, found)
    return names
