"""Answer a browser that asks for an image of the store, whole or in tiles at full resolution.

A photo is decoded once for all tiles of a level of detail; those used last are kept. What may be
read, and why not, is that of `thumbnails`; the gate of `dashboard.access` comes before.
"""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from dashboard.images.thumbnails import (
    DETAIL_SIDE,
    PROBLEMS,
    FileKey,
    ImageFile,
    explained,
    file_key,
    thumbnail,
)
from dashboard.queries.store_state import reader
from dashboard.shell import url_state
from streetclip import store
from streetclip.data.tiles import Place, cut_tiles
from streetclip.errors import ImageError, StreetClipError, shown

MOST_LEVEL: Final = 8
"""Level n has 1 pixel for 2ⁿ × 2ⁿ of the photo; the coarsest that is answered."""

_THREADS = 2
_KEPT_BYTES = 96_000_000
_MOST_ID = 2**63 - 1  # of SQLite
_KEEP, _ASK_AGAIN = "private, max-age=31536000, immutable", "no-store"

Tiles = Mapping[Place, bytes]
Level = tuple[FileKey, int]


class Levels:
    """Tiles by level of a file: each level is cut once, however many ask for it."""

    def __init__(self, kept_bytes: int) -> None:
        self._kept_bytes = kept_bytes
        self._lock = threading.RLock()  # a future that is done calls back at once
        self._found: dict[Level, Future[Tiles]] = {}  # those asked for last at the end
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="tiles")

    def get(self, key: FileKey, level: int) -> Future[Tiles]:
        """Find the tiles of a level, or have them cut."""
        with self._lock:
            asked = key, level
            found = self._found.pop(asked, None)
            if found is None or (found.done() and found.exception() is not None):
                found = self._pool.submit(cut_tiles, key.path, 2**level)
                found.add_done_callback(lambda _: self._forget())
            self._found[asked] = found
        return found

    def _forget(self) -> None:
        """Drop what was asked for longest ago, but never the last level."""
        with self._lock:
            sizes = {each: _num_bytes(found) for each, found in self._found.items()}
            for each in list(sizes)[:-1]:
                if sum(sizes.values()) <= self._kept_bytes:
                    return
                if sizes.pop(each):
                    del self._found[each]


def _num_bytes(found: "Future[Tiles]") -> int:
    is_there = found.done() and found.exception() is None
    return sum(map(len, found.result().values())) if is_there else 0


_levels = Levels(_KEPT_BYTES)


async def answer(request: Request) -> Response:
    """Answer with a JPEG, or with status 404 and the reason as text."""
    numbers: dict[str, Any] = request.path_params
    try:
        file = await run_in_threadpool(_file, numbers["image_id"])
    except StreetClipError as error:
        return _refusal(error)
    try:
        key = await run_in_threadpool(file_key, file, DETAIL_SIDE)
        jpeg = await _jpeg(file, key, numbers)
    except PROBLEMS as error:
        return _refusal(explained(error, file))
    is_current = request.query_params.get("v") == key.version
    headers = {"cache-control": _KEEP if is_current else _ASK_AGAIN}
    return Response(jpeg, media_type="image/jpeg", headers=headers)


def _file(image_id: int) -> ImageFile:
    with reader(url_state.store_path()) as opened:
        return ImageFile(*store.image_path(opened, min(image_id, _MOST_ID)))


async def _jpeg(file: ImageFile, key: FileKey, numbers: dict[str, Any]) -> bytes:
    if "level" not in numbers:
        made = await run_in_threadpool(thumbnail, file, DETAIL_SIDE)
        jpeg, problem = made.jpeg, made.problem
    else:
        tiles: Tiles = {}
        if numbers["level"] <= MOST_LEVEL:
            # A browser that leaves must not end what others wait for.
            cut = asyncio.wrap_future(_levels.get(key, numbers["level"]))
            tiles = await asyncio.shield(cut)
        jpeg = tiles.get((numbers["column"], numbers["row"]), b"")
        problem = f"{shown(file.name)}: has no such tile."
    if not jpeg:
        raise ImageError(problem)
    return jpeg


def _refusal(reason: object) -> Response:
    return PlainTextResponse(str(reason), 404, headers={"cache-control": _ASK_AGAIN})
