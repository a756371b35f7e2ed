"""Detect changed image files: by size and times, then by content.

Only files whose size or times differ are read: a copy, a restored backup or `touch` changes
times and not the image. Shapes: N files.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streetclip.errors import shown
from streetclip.files import open_regular

MISSING = -1
"""Size of a file that does not exist."""

TIMES = ("size", "mtime_ns", "ctime_ns")
SIGNATURE_FIELDS = [("name", "<u8"), *((name, "<i8") for name in TIMES)]
FILE_RECORD = np.dtype([*SIGNATURE_FIELDS[1:], ("content", "<u8", 2)])
"""A file as it was: size in bytes, times in ns, and a digest (zeros: unknown)."""

Digests = NDArray[np.uint64]

_NAMED = 3  # files in a message; the others are only counted
_READERS = 8  # threads that hash files; they wait for the disk
_SAMPLE_BYTES = 2**13


def signatures(paths: Sequence[str]) -> NDArray[Any]:
    """Describe files by absolute path without reading them.

    Returns:
        N records: name (a hash of the path), size in bytes (−1 where there is no file), times of
        the last change of content and of metadata in ns.
    """
    out = np.zeros(len(paths), np.dtype(SIGNATURE_FIELDS))
    for i, path in enumerate(paths):
        text = path.encode("utf-8", "surrogateescape")
        name = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
        try:
            status = os.stat(path)  # noqa: PTH116 -- a Path for each of a million takes seconds
        except (OSError, ValueError):
            out[i] = name, MISSING, 0, 0
        else:
            out[i] = name, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    return out


def content_digests(paths: Sequence[str]) -> Digests:
    """Hash files' content, N × 2; zeros where unreadable."""
    return _digests(paths, _content_digest)


def sampled_digests(paths: Sequence[str]) -> Digests:
    """Hash size and three samples of 8 KiB per file, as `content_digests`."""
    return _digests(paths, _sampled_digest)


def file_records(signatures_N: NDArray[Any], digests_N2: Digests) -> NDArray[Any]:
    """Join signatures and digests of files to records of `FILE_RECORD`."""
    records_N = np.zeros(len(signatures_N), FILE_RECORD)
    for name in TIMES:
        records_N[name] = signatures_N[name]
    records_N["content"] = digests_N2
    return records_N


def compare_files(
    paths: Sequence[str], recorded_N: NDArray[Any], digests_of: Callable[[Sequence[str]], Digests]
) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Return a mask of the N files whose content changed, and their records now.

    `digests_of`, by which `recorded_N` was made, hashes the files whose size or times differ.
    """
    now_N = file_records(signatures(paths), recorded_N["content"])
    suspects = np.flatnonzero(now_N != recorded_N)
    now_N["content"][suspects] = digests_of([paths[i] for i in suspects.tolist()])
    # A file that could not be read has no digest: nothing proves that it is the same.
    differs_N = (now_N["content"] != recorded_N["content"]).any(axis=1)
    differs_N |= ~now_N["content"].any(axis=1)
    changed_N = np.zeros(len(paths), bool)
    changed_N[suspects] = differs_N[suspects]
    return changed_N, now_N


def count_changed(paths: Sequence[str], changed_N: NDArray[np.bool_], since: str) -> str:
    """Count changed files and name the first; "" if none changed.

    Examples:
        >>> count_changed(["/photos/a.jpg", "/photos/b.jpg"], np.array([False, True]), "yesterday")
        "1 of 2 images changed since yesterday ('b.jpg')"
    """
    names = [shown(Path(paths[i]).name) for i in np.flatnonzero(changed_N)[:_NAMED].tolist()]
    if not names:
        return ""
    count = int(changed_N.sum())
    more = " and others" if count > len(names) else ""
    return f"{count:,} of {len(paths):,} images changed since {since} ({', '.join(names)}{more})"


def _digests(paths: Sequence[str], digest: Callable[[str], bytes]) -> Digests:
    with ThreadPoolExecutor(_READERS) as pool:
        digests = b"".join(pool.map(digest, paths))
    return np.frombuffer(digests, "<u8").reshape(-1, 2)


def _content_digest(path: str) -> bytes:
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    except (OSError, ValueError):
        return bytes(16)


def _sampled_digest(path: str) -> bytes:
    try:
        with os.fdopen(open_regular(path), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.blake2b(size.to_bytes(8, "little"), digest_size=16)
            for start in (0, (size - _SAMPLE_BYTES) // 2, size - _SAMPLE_BYTES):
                digest.update(os.pread(file.fileno(), _SAMPLE_BYTES, max(0, start)))
            return digest.digest()
    except (OSError, ValueError):
        return bytes(16)
