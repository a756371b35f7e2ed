"""Image features that were computed before, kept on disk: a second question costs no decoding.

A folder for each way of computing them (model with its configuration, image processing, precision,
versions of the packages that compute), named by its hash. In it each process that writes has a
segment of its own: `NAME.features`, rows of float16, and `NAME.index`, a record for each row,
mapped into memory. Rows are read when they are asked for: mapped ones would count as memory in
use, and end the process if somebody cut the file off. What was cut off by a crash or a full disk is
left out; a row that does not add up to its checksum is not used.

An image is known by its path, size and times, which costs no reading; one that was moved, copied
or touched by its content. So a changed image is computed anew, whatever it is called.

Shapes: N images, D embedding.
"""

import contextlib
import hashlib
import json
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streetclip.data.file_identity import SIGNATURE_FIELDS, content_digests, signatures
from streetclip.files import read_json, write_json

_LOG = logging.getLogger(__name__)

Float16 = NDArray[np.float16]
Int64 = NDArray[np.int64]

# Raise it when our own code makes other pixels or features: older caches are not read then.
_VERSION = 2
_MADE_OF = "made_of.json"
_RECORD = np.dtype([*SIGNATURE_FIELDS, ("content", "<u8", 2), ("checksum", "<u8")])
_MISSING = -1
_CLOSE_ROWS = 16  # reading so many too much costs less than reading twice


class FeatureCache:
    """What was computed in one way: found by file, read by row.

    Attributes:
        folder: Where its segments are.
        num_rows: Rows that are there.
    """

    def __init__(self, cache_dir: Path, made_of: Mapping[str, Any], dimensions: int) -> None:
        """Open what is there; nothing is made or written.

        Args:
            cache_dir: Folder of all caches.
            made_of: Everything that decides a feature but the image, as plain values.
            dimensions: D.
        """
        self._made_of = {"version": _VERSION, "dimensions": dimensions, **made_of}
        text = json.dumps(self._made_of, sort_keys=True)
        self.folder = cache_dir / hashlib.sha256(text.encode()).hexdigest()[:16]
        self._dimensions = dimensions
        self._segments = [
            _Segment.open(path, dimensions) for path in sorted(self.folder.glob("*.index"))
        ]
        self._starts = np.cumsum([0, *(segment.num_rows for segment in self._segments)])
        self.num_rows = int(self._starts[-1])
        self._by_name = self._sorted("name")
        self._by_content: tuple[NDArray[np.uint64], Int64] | None = None

    @property
    def num_bytes(self) -> int:
        """What its rows and records take on disk."""
        return self.num_rows * (2 * self._dimensions + _RECORD.itemsize)

    def find(self, paths: Sequence[str], signatures_N: NDArray[Any] | None = None) -> Int64:
        """Rows of the images, −1 for one that is not known, or not as it is now.

        Args:
            paths: N files, absolute; one that is missing is not known.
            signatures_N: Of the files as they are now; None to take them here.
        """
        if not self.num_rows:
            return np.full(len(paths), _MISSING, np.int64)
        if signatures_N is None:
            signatures_N = signatures(paths)
        rows_N = self._lookup(self._by_name, signatures_N["name"])
        found = self._records(rows_N.clip(min=0), [name for name, _ in SIGNATURE_FIELDS])
        same_N = rows_N >= 0
        for name, _ in SIGNATURE_FIELDS:
            same_N &= found[name] == signatures_N[name]
        rows_N = np.where(same_N, rows_N, _MISSING)
        self._find_by_content(paths, signatures_N, rows_N)
        return rows_N

    def digests(self, rows_N: Int64) -> NDArray[np.uint64]:
        """Digests N × 2 of the images' content, by row."""
        found: NDArray[np.uint64] = self._records(rows_N, ["content"])["content"]
        return found

    def read(self, rows_N: Int64) -> tuple[Float16, NDArray[np.bool_]]:
        """Features ND of rows, and which of them are whole."""
        features_ND = np.zeros((len(rows_N), self._dimensions), np.float16)
        checksums_N = self._records(rows_N, ["checksum"])["checksum"]
        segment_N = np.searchsorted(self._starts, rows_N, side="right") - 1
        for number in np.unique(segment_N):
            chosen_N = segment_N == number
            offsets = rows_N[chosen_N] - self._starts[number]
            features_ND[chosen_N] = self._segments[number].read(offsets)
        return features_ND, _checksums(features_ND) == checksums_N

    @contextlib.contextmanager
    def writer(self) -> "Iterator[CacheWriter]":
        """Add features in a segment of this process; they are found when the cache is opened anew.

        Raises:
            OSError: The folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / _MADE_OF).exists():
            write_json(self.folder / _MADE_OF, self._made_of)
        name = uuid.uuid4().hex
        with (
            (self.folder / f"{name}.features").open("xb") as features,
            (self.folder / f"{name}.index").open("xb") as index,
        ):
            yield CacheWriter(features, index)

    def _find_by_content(
        self, paths: Sequence[str], signatures_N: NDArray[Any], rows_N: Int64
    ) -> None:
        """Fill in rows of files whose content is known under another path or time."""
        sizes = np.unique(np.concatenate([each.records["size"] for each in self._segments]))
        likely = np.flatnonzero((rows_N < 0) & np.isin(signatures_N["size"], sizes))
        if not len(likely):
            return
        if self._by_content is None:
            self._by_content = self._sorted("content")
        digests = content_digests([paths[i] for i in likely.tolist()])
        rows = self._lookup(self._by_content, digests[:, 0])
        found = self._records(rows.clip(min=0), ["content"])["content"]
        same = (rows >= 0) & (found == digests).all(axis=1) & digests.any(axis=1)
        rows_N[likely[same]] = rows[same]

    def _sorted(self, name: str) -> tuple[NDArray[np.uint64], Int64]:
        """The values of a field in order, and the row of each; of equals the newest comes last."""
        parts = [segment.records[name] for segment in self._segments]
        keys = np.concatenate(
            [np.empty(0, np.uint64), *(p if p.ndim == 1 else p[:, 0] for p in parts)]
        )
        order = np.argsort(keys, kind="stable")
        return keys[order], order.astype(np.int64)

    def _lookup(self, index: tuple[NDArray[np.uint64], Int64], keys_N: NDArray[np.uint64]) -> Int64:
        keys, rows = index
        last_N = np.searchsorted(keys, keys_N, side="right") - 1
        known_N = (last_N >= 0) & (keys[last_N.clip(min=0)] == keys_N)
        return np.where(known_N, rows[last_N.clip(min=0)], _MISSING)

    def _records(self, rows_N: Int64, names: list[str]) -> NDArray[Any]:
        out = np.empty(len(rows_N), np.dtype([(n, *_field(n)) for n in names]))
        segment_N = np.searchsorted(self._starts, rows_N, side="right") - 1
        for number in np.unique(segment_N):
            chosen_N = segment_N == number
            offsets = rows_N[chosen_N] - self._starts[number]
            for name in names:
                out[name][chosen_N] = self._segments[number].records[name][offsets]
        return out


class CacheWriter:
    """Appends features to a segment: first the row, then the record that makes it count."""

    def __init__(self, features: BinaryIO, index: BinaryIO) -> None:
        self._features = features
        self._index = index

    def add(
        self,
        paths: Sequence[str],
        before_N: NDArray[Any],
        features_ND: Float16,
        digests_N2: NDArray[np.uint64] | None = None,
    ) -> None:
        """Write features of images, but not of those that changed since they were looked at.

        Args:
            paths: N files, absolute.
            before_N: Their `signatures` before they were decoded.
            features_ND: Their features.
            digests_N2: Of their content, taken after they were decoded; None to take them here.

        Raises:
            OSError: The disk is full, or fails.
        """
        digests = content_digests(paths) if digests_N2 is None else digests_N2
        kept = np.flatnonzero((signatures(paths) == before_N) & digests.any(axis=1))
        records = np.zeros(len(kept), _RECORD)
        for name, _ in SIGNATURE_FIELDS:
            records[name] = before_N[name][kept]
        records["content"] = digests[kept]
        rows = np.ascontiguousarray(features_ND[kept])
        records["checksum"] = _checksums(rows)
        for file, data in ((self._features, rows), (self._index, records)):
            file.write(data.tobytes())
            file.flush()


class _Segment(NamedTuple):
    records: NDArray[Any]
    features_path: Path
    dimensions: int
    num_rows: int

    @classmethod
    def open(cls, index_path: Path, dimensions: int) -> "_Segment":
        features_path = index_path.with_suffix(".features")
        try:
            sizes = index_path.stat().st_size, features_path.stat().st_size
        except FileNotFoundError:
            sizes = 0, 0
        num_rows = min(sizes[0] // _RECORD.itemsize, sizes[1] // (2 * dimensions))
        records: NDArray[Any] = np.empty(0, _RECORD)
        if num_rows:
            records = np.memmap(index_path, _RECORD, mode="r", shape=(num_rows,))
        return cls(records, features_path, dimensions, num_rows)

    def read(self, rows_R: Int64) -> Float16:
        """Some rows, in any order; zeros for what the file has lost since it was opened."""
        features_RD = np.zeros((len(rows_R), self.dimensions), np.float16)
        order_R = np.argsort(rows_R, kind="stable")
        # Rows that lie close together are read in one go.
        breaks = np.flatnonzero(np.diff(rows_R[order_R]) > _CLOSE_ROWS) + 1
        with self.features_path.open("rb") as file:
            for part in np.split(order_R, breaks):
                first, last = int(rows_R[part[0]]), int(rows_R[part[-1]])
                span_FD = self._read_span(file, first, last + 1)
                features_RD[part] = span_FD[rows_R[part] - first]
        return features_RD

    def _read_span(self, file: BinaryIO, start: int, stop: int) -> Float16:
        span_FD = np.zeros((stop - start, self.dimensions), np.float16)
        file.seek(2 * self.dimensions * start)
        found = np.fromfile(file, np.float16, span_FD.size)
        span_FD.reshape(-1)[: len(found)] = found
        return span_FD


class CachedFolder(NamedTuple):
    """One cache, as it is seen from outside.

    Attributes:
        folder: Where it is.
        made_of: What decides its features besides the images.
        num_bytes: What it takes on disk.
    """

    folder: Path
    made_of: dict[str, Any]
    num_bytes: int


def cached_folders(cache_dir: Path) -> list[CachedFolder]:
    """The caches in a folder; what is something else is left out, links too."""
    found = []
    for path in sorted(cache_dir.glob(f"*/{_MADE_OF}")):
        if not path.parent.is_symlink():
            size = sum(each.stat().st_size for each in path.parent.iterdir())
            found.append(CachedFolder(path.parent, read_json(path), size))
    return found


def _checksums(features_ND: Float16) -> NDArray[np.uint64]:
    """One number a row, that changes with any of its bits: a weighted sum modulo 2**64."""
    bits_ND = features_ND.view(np.uint16).astype(np.uint64)
    weights_D = np.arange(1, 2 * features_ND.shape[1], 2, dtype=np.uint64) * np.uint64(
        0x9E3779B97F4A7C15
    )
    sums_N: NDArray[np.uint64] = (bits_ND * weights_D).sum(axis=1, dtype=np.uint64)
    return sums_N + np.uint64(1)


def _field(name: str) -> tuple[Any, ...]:
    found = _RECORD[name]
    return (found.base, found.shape) if found.shape else (found,)
