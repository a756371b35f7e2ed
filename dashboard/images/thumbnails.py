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
from streetclip.data.exif import Photo, read_photo
from streetclip.data.previews import decode_preview
from streetclip.errors import ImageError, shown

CARD_SIDE = 480
"""Longest side of a card's picture, in pixels: 360 × 240 on the page, sharp on dense screens."""

DETAIL_SIDE = 1600
"""Longest side of the picture of one image, in pixels."""

PROBLEMS = (ImageError, OSError, ValueError, RuntimeError)
"""What an image raises that cannot be shown; RuntimeError for links in a circle."""

_THREADS = 4
_JPEG_QUALITY = 82


class ImageFile(NamedTuple):
    """An image in the store: its dataset's folder, and its name in there."""

    folder: Path
    name: str


class Thumbnail(NamedTuple):
    """A small JPEG of our own, or why there is none (untrusted).

    `photo` describes the whole image, `version` names the state of its file.
    """

    jpeg: bytes = b""
    width: int = 0
    height: int = 0
    problem: str = ""
    photo: Photo | None = None
    version: str = ""

    @property
    def data_uri(self) -> str:
        """The picture as an address that needs no server; empty where there is none."""
        if not self.jpeg:
            return ""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode('ascii')}"


class FileKey(NamedTuple):
    """A file in its present state: one that is replaced has another key."""

    path: Path
    modified_ns: int
    changed_ns: int  # changes with the file's permissions, too
    num_bytes: int
    inode: int
    period: int  # see `store_state.period`
    max_side: int

    @property
    def version(self) -> str:
        """The state of the file, for the addresses of pictures that browsers keep."""
        return "-".join(f"{number:x}" for number in self[1:])


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
        return _KEPT[max_side](file_key(request, max_side))
    except PROBLEMS as error:
        return Thumbnail(problem=explained(error, request))


def explained(error: Exception, request: ImageFile) -> str:
    """Describe why an image cannot be shown, given one of `PROBLEMS`; untrusted."""
    if isinstance(error, ImageError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        if not request.folder.is_dir():
            return f"The folder {shown(request.folder)} is gone. Put the images back there."
        return (
            f"{shown(request.name)} is no longer in {shown(request.folder)}. Put it back to "
            "see it; the results stay."
        )
    reason = error.strerror if isinstance(error, OSError) else shown(error)
    return f"{shown(request.name)}: cannot be read ({reason})."


def file_key(request: ImageFile, max_side: int) -> FileKey:
    """Find the file of an image and its state; raise one of `PROBLEMS` if it must not be read."""
    path = real_image_path(*request)
    return _key(path, path.stat(), max_side)


def _key(path: Path, status: os.stat_result, max_side: int) -> FileKey:
    times_ns = status.st_mtime_ns, status.st_ctime_ns
    period = store_state.period(max(times_ns))
    return FileKey(path, *times_ns, status.st_size, status.st_ino, period, max_side)


def make_thumbnail(path: Path, max_side: int, version: str = "") -> Thumbnail:
    """Make the picture of a file, and keep nothing."""
    try:
        image, photo = decode_preview(path, max_side), read_photo(path)
    except ImageError as error:
        return Thumbnail(problem=str(error))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return Thumbnail(buffer.getvalue(), *image.size, photo=photo, version=version)


def _make(key: FileKey) -> Thumbnail:
    return make_thumbnail(key.path, key.max_side, key.version)


# By longest side, what keeps the pictures used last: some 40 kB a card, 400 kB a large one.
_KEPT = {
    CARD_SIDE: functools.lru_cache(maxsize=1_500)(_make),
    DETAIL_SIDE: functools.lru_cache(maxsize=64)(_make),
}
