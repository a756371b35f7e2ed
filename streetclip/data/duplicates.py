"""Finding what occurs twice in a stream of any length, in memory that does not grow with it."""

import contextlib
import tempfile
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray

from streetclip.files import translated_disk_errors

_IN_MEMORY = 2**16  # hashes held before they are spilled: 512 KiB
_NUM_FILES = 64  # each is sorted alone at the end: 1/64 of 8 bytes a name


class RepeatedHashes:
    """Collects 64-bit hashes, in temporary files when there are many, and tells which repeat.

    Raises:
        ResourceError: The disk of the temporary folder is full.

    Examples:
        >>> with RepeatedHashes() as hashes:
        ...     hashes.add([7, 8, 7])
        ...     hashes.add([9, 8])
        ...     sorted(hashes.repeated())
        [7, 8]
    """

    def __init__(self) -> None:
        self._pending = array("q")
        self._files: list[IO[bytes]] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def add(self, hashes: Iterable[int]) -> None:
        """Add signed 64-bit numbers, as `hash` makes them."""
        self._pending.extend(hashes)
        if len(self._pending) >= _IN_MEMORY:
            self._spill()

    def repeated(self) -> set[int]:
        """The hashes that were added more than once."""
        if not self._files:
            return _repeated(np.array(self._pending, np.int64))
        self._spill()
        found: set[int] = set()
        for file in self._files:
            file.seek(0)
            found |= _repeated(np.frombuffer(file.read(), np.int64))
        return found

    def _spill(self) -> None:
        # Equal hashes go to the same file.
        values = np.array(self._pending, np.int64)
        self._pending = array("q")
        bucket = values & (_NUM_FILES - 1)
        values = values[np.argsort(bucket, kind="stable")]
        ends = np.cumsum(np.bincount(bucket, minlength=_NUM_FILES))
        with translated_disk_errors(Path(tempfile.gettempdir()) / "streetclip"):
            if not self._files:
                enter = self._stack.enter_context
                self._files = [
                    enter(tempfile.TemporaryFile())  # noqa: SIM115 -- the stack closes it
                    for _ in range(_NUM_FILES)
                ]
            for file, part in zip(self._files, np.split(values, ends[:-1]), strict=True):
                file.write(part.tobytes())


def _repeated(values: NDArray[np.int64]) -> set[int]:
    distinct, counts = np.unique(values, return_counts=True)
    return set(distinct[counts > 1].tolist())
