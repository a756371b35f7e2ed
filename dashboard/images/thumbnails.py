"""Make small pictures of images on request, and keep them in the process.

Only files under the folder of a dataset are read; a failure gives a reason instead of an error.
"""

import base64
import functools
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from dashboard.queries import store_state
from streetclip.data.decoding import real_image_path
from streetclip.data.previews import decode_preview
from streetclip.errors import ImageError, shown

CARD_SIDE = 480
"""Longest side of a card's picture, in pixels: 360 × 240 on the page, sharp on dense screens."""

DETAIL_SIDE = 1600
"""Longest side of the picture of one image, in pixels."""

_THREADS = 4
_JPEG_QUALITY = 82


class ImageFile(NamedTuple):
    """An image in the store: its dataset's folder, and its name in there."""

    folder: Path
    name: str


class Thumbnail(NamedTuple):
    """A small JPEG of our own, or why there is none (untrusted)."""

    jpeg: bytes = b""
    width: int = 0
    height: int = 0
    problem: str = ""

    @property
    def data_uri(self) -> str:
        """The picture as an address that needs no server; empty where there is none."""
        if not self.jpeg:
            return ""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode('ascii')}"


class _Key(NamedTuple):
    """A file in its present state: one that is replaced has another key."""

    path: Path
    modified_ns: int
    changed_ns: int  # changes with the file's permissions, too
    num_bytes: int
    inode: int
    period: int  # see `store_state.period`
    max_side: int


@functools.cache
def _pool() -> ThreadPoolExecutor:
    workers = min(_THREADS, os.cpu_count() or 1)
    return ThreadPoolExecutor(workers, thread_name_prefix="thumbnails")


def thumbnails(requests: Sequence[ImageFile]) -> list[Thumbnail]:
    """Make or find the pictures of a page of cards, in order."""
    return list(_pool().map(thumbnail, requests))


def thumbnail(request: ImageFile, max_side: int = CARD_SIDE) -> Thumbnail:
    """Make or find the picture of one image, `CARD_SIDE` or `DETAIL_SIDE` pixels at most."""
    try:
        path = real_image_path(*request)
        return _KEPT[max_side](_key(path, path.stat(), max_side))
    except ImageError as error:
        return Thumbnail(problem=str(error))
    except FileNotFoundError:
        problem = f"The folder {shown(request.folder)} is gone. Put the images back there."
        if request.folder.is_dir():
            problem = (
                f"{shown(request.name)} is no longer in {shown(request.folder)}. Put it back to "
                "see it; the results stay."
            )
        return Thumbnail(problem=problem)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a circle
        reason = error.strerror if isinstance(error, OSError) else shown(error)
        return Thumbnail(problem=f"{shown(request.name)}: cannot be read ({reason}).")


def _key(path: Path, status: os.stat_result, max_side: int) -> _Key:
    times_ns = status.st_mtime_ns, status.st_ctime_ns
    period = store_state.period(max(times_ns))
    return _Key(path, *times_ns, status.st_size, status.st_ino, period, max_side)


def _make(key: _Key) -> Thumbnail:
    try:
        image = decode_preview(key.path, key.max_side)
    except ImageError as error:
        return Thumbnail(problem=str(error))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return Thumbnail(buffer.getvalue(), *image.size)


# By longest side, what keeps the pictures used last: some 40 kB a card, 400 kB a large one.
_KEPT = {
    CARD_SIDE: functools.lru_cache(maxsize=1_500)(_make),
    DETAIL_SIDE: functools.lru_cache(maxsize=64)(_make),
}
