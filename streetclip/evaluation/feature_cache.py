"""Cache image features on disk, so that a second evaluation decodes nothing.

Each way of computing them has a folder, named by its hash. Each process that writes has a segment
in it: `NAME.features`, rows of float16, and `NAME.index`, a record for each row; names ascend, so
that of two records of an image the newer one counts. Files are read, not mapped, so that a file cut
off ends no process. Rows that are cut off or do not fit their checksum are ignored.

Images are identified by path, size and times; those moved, copied or touched by their content.

Shapes: N images, D embedding, F rows of a file.
"""

import contextlib
import hashlib
import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from streetclip.data.file_identity import (
    SIGNATURE_FIELDS,
    Digests,
    content_digests,
    signatures,
)
from streetclip.errors import StreetClipError
from streetclip.files import clear_leftovers, read_json, write_json

_LOG = logging.getLogger(__name__)

Float16 = NDArray[np.float16]
Int64 = NDArray[np.int64]

# Increase it when our code changes pixels or features.
_VERSION = 2
_MADE_OF = "made_of.json"
_SIGNATURE = [name for name, _ in SIGNATURE_FIELDS]
_RECORD = np.dtype([*SIGNATURE_FIELDS, ("content", "<u8", 2), ("checksum", "<u8")])
_MISSING = -1
_CLOSE_ROWS = 16  # gaps of at most so many rows are read too


class FeatureCache:
    """Features that were computed in one way: found by file, read by row.

    `made_of` holds all that decides a feature except the image; `dimensions` is D. Opening writes
    nothing.
    """

    def __init__(self, cache_dir: Path, made_of: Mapping[str, Any], dimensions: int) -> None:
        self._made_of = {"version": _VERSION, "dimensions": dimensions, **made_of}
        text = json.dumps(self._made_of, sort_keys=True)
        self.folder = cache_dir / hashlib.sha256(text.encode()).hexdigest()[:16]
        self._dimensions = dimensions
        self._files: list[Path] = []
        records, starts = [np.empty(0, _RECORD)], [0]
        for path in sorted(self.folder.glob("*.features")):
            try:
                index = np.fromfile(path.with_suffix(".index"), _RECORD)
            except FileNotFoundError:
                continue
            num_whole = path.stat().st_size // (2 * dimensions)  # the last may be cut off
            records.append(index[:num_whole])
            starts.append(starts[-1] + len(records[-1]))
            self._files.append(path)
        self._records = np.concatenate(records)
        self._starts = np.array(starts)
        self.num_rows = len(self._records)
        self._by_name = _sorted(self._records["name"])
        self._by_content: tuple[Digests, Int64] | None = None

    @property
    def num_bytes(self) -> int:
        """Size of its rows and records on disk."""
        return self.num_rows * (2 * self._dimensions + _RECORD.itemsize)

    def find(self, paths: Sequence[str], signatures_N: NDArray[Any]) -> Int64:
        """Find the rows of images by absolute path, −1 where missing, unknown or changed."""
        if not self.num_rows:
            return np.full(len(paths), _MISSING, np.int64)
        rows_N = _lookup(self._by_name, signatures_N["name"])
        for name in _SIGNATURE:
            rows_N[self._records[name][rows_N] != signatures_N[name]] = _MISSING
        # Files that were moved, copied or touched are known by their content.
        is_likely_N = (rows_N < 0) & np.isin(signatures_N["size"], self._records["size"])
        likely = np.flatnonzero(is_likely_N)
        if len(likely):
            if self._by_content is None:
                self._by_content = _sorted(self._records["content"][:, 0])
            digests = content_digests([paths[i] for i in likely.tolist()])
            rows = _lookup(self._by_content, digests[:, 0])
            same = (self._records["content"][rows] == digests).all(axis=1) & digests.any(axis=1)
            rows_N[likely] = np.where(same, rows, _MISSING)
        return rows_N

    def digests(self, rows_N: Int64) -> Digests:
        """Get digests N × 2 of the images' content, by row."""
        return np.asarray(self._records["content"][rows_N])

    def read(self, rows_N: Int64) -> tuple[Float16, NDArray[np.bool_]]:
        """Read features ND of rows, and a mask of the intact ones."""
        features_ND = np.zeros((len(rows_N), self._dimensions), np.float16)
        checksums_N = self._records["checksum"][rows_N]
        file_N = np.searchsorted(self._starts, rows_N, side="right") - 1
        for number in np.unique(file_N):
            chosen = np.flatnonzero(file_N == number)
            offsets = rows_N[chosen] - self._starts[number]
            with self._files[number].open("rb") as file:
                # Rows that are close together are read at once.
                order = np.argsort(offsets, kind="stable")
                breaks = np.flatnonzero(np.diff(offsets[order]) > _CLOSE_ROWS) + 1
                for part in np.split(order, breaks):
                    first, last = int(offsets[part[0]]), int(offsets[part[-1]])
                    span_FD = np.zeros((last + 1 - first, self._dimensions), np.float16)
                    file.seek(2 * self._dimensions * first)
                    found = np.fromfile(file, np.float16, span_FD.size)
                    span_FD.reshape(-1)[: len(found)] = found  # zeros where it was cut off
                    features_ND[chosen[part]] = span_FD[offsets[part] - first]
        return features_ND, _checksums(features_ND) == checksums_N

    def writer(self) -> "CacheWriter":
        """Create a context that adds features for the next `FeatureCache`."""
        return CacheWriter(self.folder, self._made_of)


class CacheWriter:
    """Append features to a new segment, each before its record.

    The first failed write is logged and ends writing.
    """

    def __init__(self, folder: Path, made_of: Mapping[str, Any]) -> None:
        self._folder = folder
        self._made_of = made_of
        self._stack = contextlib.ExitStack()
        self._segment: tuple[BinaryIO, BinaryIO] | None = None
        self._has_failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def add(
        self,
        paths: Sequence[str],
        before_N: NDArray[Any],
        features_ND: Float16,
        digests_N2: Digests,
    ) -> None:
        """Write features of images, except those that changed since `before_N`.

        Paths are absolute. `before_N` are their `signatures` before decoding, `digests_N2` those of
        their content after it; of zeros, an image is not cached.
        """
        if self._has_failed:
            return
        kept = np.flatnonzero((signatures(paths) == before_N) & digests_N2.any(axis=1))
        records = np.zeros(len(kept), _RECORD)
        for name in _SIGNATURE:
            records[name] = before_N[name][kept]
        records["content"] = digests_N2[kept]
        rows = np.ascontiguousarray(features_ND[kept])
        records["checksum"] = _checksums(rows)
        try:
            for file, data in zip(self._opened(), (rows, records), strict=True):
                file.write(data.tobytes())
                file.flush()
        except (OSError, StreetClipError) as error:
            _LOG.warning("%s: features are not kept from here on (%s)", self._folder, error)
            self._has_failed = True
            with contextlib.suppress(OSError):  # closing tries to write the rest
                self._stack.close()

    def _opened(self) -> tuple[BinaryIO, BinaryIO]:
        if self._segment is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            clear_leftovers(self._folder)
            if not (self._folder / _MADE_OF).exists():
                write_json(self._folder / _MADE_OF, self._made_of)
            # Behind the names of earlier versions, which were random alone.
            number = sum(1 for _ in self._folder.glob("*.features"))
            path = self._folder / f"segment-{number:06}-{uuid.uuid4().hex}"
            features = self._stack.enter_context(path.with_suffix(".features").open("xb"))
            index = self._stack.enter_context(path.with_suffix(".index").open("xb"))
            self._segment = features, index
        return self._segment


class CachedFolder(NamedTuple):
    """A cache on disk."""

    folder: Path
    made_of: dict[str, Any]  # what decides its features besides the images
    num_bytes: int


def cached_folders(cache_dir: Path) -> list[CachedFolder]:
    """List the caches in a folder, without links."""
    found = []
    for path in sorted(cache_dir.glob(f"*/{_MADE_OF}")):
        if not path.parent.is_symlink():
            size = sum(each.stat().st_size for each in path.parent.iterdir())
            found.append(CachedFolder(path.parent, read_json(path), size))
    return found


def _sorted(keys: Digests) -> tuple[Digests, Int64]:
    """Sort keys, with their rows; of equals the newest comes last."""
    order = np.argsort(keys, kind="stable")
    return keys[order], order.astype(np.int64)


def _lookup(index: tuple[Digests, Int64], keys_N: Digests) -> Int64:
    keys, rows = index
    last_N = np.searchsorted(keys, keys_N, side="right") - 1
    return np.where(keys[last_N] == keys_N, rows[last_N], _MISSING)


def _checksums(features_ND: Float16) -> NDArray[np.uint64]:
    """Sum the bits of each row, weighted, modulo 2**64."""
    bits_ND = features_ND.view(np.uint16).astype(np.uint64)
    weights_D = np.arange(1, 2 * features_ND.shape[1], 2, dtype=np.uint64) * np.uint64(
        0x9E3779B97F4A7C15
    )
    sums_N: NDArray[np.uint64] = (bits_ND * weights_D).sum(axis=1, dtype=np.uint64)
    return sums_N + np.uint64(1)
