"""Small pictures of images, made when they are asked for and kept in the process.

A picture is served only for a name under the folder registered with its data set. What cannot be
shown gives its reason instead of a picture; nothing here raises because of a file.
"""

import base64
import functools
import io
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dashboard.queries import file_times
from streetclip.data.decoding import decode_image
from streetclip.data.image_folders import real_image_path
from streetclip.errors import ImageError, shown

CARD_SIDE = 480
"""Longest side of a card's picture, in pixels: 360 × 240 on the page, sharp on dense screens."""

DETAIL_SIDE = 1600
"""Longest side of the picture of one image, in pixels."""

CACHE_BYTES = 96 * 1024 * 1024
_THREADS = 4
_JPEG_QUALITY = 82


@dataclass(frozen=True)
class ImageFile:
    """An image as the store knows it: the folder of its data set, and its name in there."""

    folder: Path
    name: str


@dataclass(frozen=True)
class Thumbnail:
    """A small picture, or why there is none.

    Attributes:
        jpeg: Our own JPEG, empty where there is no picture.
        width: Pixels.
        height: Pixels.
        problem: Empty, or one sentence that says why there is no picture; it may hold the file's
            name and is untrusted.
    """

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


@dataclass(frozen=True)
class _Key:
    """A file as it is now: one that is replaced has another key.

    Attributes:
        period: See `file_times`.
    """

    path: Path
    modified_ns: int
    changed_ns: int  # changes with the file's rights, too
    num_bytes: int
    inode: int
    period: int
    max_side: int


class Cache:
    """The pictures used last, as many as fit into a number of bytes; for several threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pictures: OrderedDict[_Key, Thumbnail] = OrderedDict()
        self._lock = threading.Lock()
        self.num_bytes = 0

    def get(self, key: _Key) -> Thumbnail | None:
        """The picture of a file, if it is still here; it becomes the last one used."""
        with self._lock:
            found = self._pictures.get(key)
            if found is not None:
                self._pictures.move_to_end(key)
            return found

    def put(self, key: _Key, picture: Thumbnail) -> None:
        """Keep a picture, and let go of those that have not been used for longest."""
        with self._lock:
            if key in self._pictures:
                return
            self._pictures[key] = picture
            self.num_bytes += _size(picture)
            while self.num_bytes > self._max_bytes:
                _, oldest = self._pictures.popitem(last=False)
                self.num_bytes -= _size(oldest)


def _size(picture: Thumbnail) -> int:
    return len(picture.jpeg) + 4 * len(picture.problem) + 1024  # what Python needs beside


@functools.cache
def _cache() -> Cache:
    return Cache(CACHE_BYTES)


@functools.cache
def _pool() -> ThreadPoolExecutor:
    workers = min(_THREADS, os.cpu_count() or 1)
    return ThreadPoolExecutor(workers, thread_name_prefix="thumbnails")


def thumbnails(requests: Sequence[ImageFile], max_side: int = CARD_SIDE) -> list[Thumbnail]:
    """Make or find the pictures of a page, one for each request, in order.

    Args:
        requests: Images of the store.
        max_side: Longest side, in pixels.
    """
    return list(_pool().map(functools.partial(thumbnail, max_side=max_side), requests))


def thumbnail(request: ImageFile, max_side: int = CARD_SIDE) -> Thumbnail:
    """Make or find the picture of one image.

    Args:
        request: An image of the store.
        max_side: Longest side, in pixels.
    """
    try:
        path = real_path(request)
        key = _key(path, path.stat(), max_side)
    except ImageError as error:
        return Thumbnail(problem=str(error))
    except FileNotFoundError:
        return Thumbnail(problem=_missing(request))
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a circle
        reason = error.strerror if isinstance(error, OSError) else shown(error)
        return Thumbnail(problem=f"{shown(request.name)}: cannot be read ({reason}).")
    return _cache().get(key) or _make(key)


def _key(path: Path, status: os.stat_result, max_side: int) -> _Key:
    times_ns = status.st_mtime_ns, status.st_ctime_ns
    period = file_times.period(max(times_ns))
    return _Key(path, *times_ns, status.st_size, status.st_ino, period, max_side)


def real_path(request: ImageFile) -> Path:
    """Find the file of an image, links followed; see `real_image_path`."""
    return real_image_path(request.folder, request.name)


def _missing(request: ImageFile) -> str:
    if not request.folder.is_dir():
        return f"The folder {shown(request.folder)} is gone. Put the images back there."
    return (
        f"{shown(request.name)} is no longer in {shown(request.folder)}. Put it back to see it; "
        "the results stay."
    )


def _make(key: _Key) -> Thumbnail:
    try:
        image = decode_image(key.path, key.max_side)
    except ImageError as error:
        made = Thumbnail(problem=str(error))
    else:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
        made = Thumbnail(buffer.getvalue(), *image.size)
    _cache().put(key, made)
    return made
