"""Answer a browser that asks for an image of the store, whole or in tiles at full resolution.

A photo is decoded once for all tiles of a level of detail; those used last are kept. What may be
read, and why not, is that of `thumbnails`; the gate of `dashboard.access` comes before.
"""

import asyncio
import threading
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
from streetclip.data.tiles import Tiles, cut_tiles
from streetclip.errors import ImageError, StreetClipError, shown

MOST_LEVEL: Final = 8
"""Level n has 1 pixel for 2ⁿ × 2ⁿ of the photo; the coarsest that is answered."""

_THREADS = 2
_KEPT_BYTES = 64_000_000
_MOST_ID = 2**63 - 1  # of SQLite
_KEEP, _ASK_AGAIN = "private, max-age=31536000, immutable", "no-store"

Cut = Future[dict[int, Tiles]]
"""The tiles of a photo, by scale."""


class Levels:
    """Tiles by level of a file: each level is cut once, however many ask for it."""

    def __init__(self, kept_bytes: int) -> None:
        self._kept_bytes = kept_bytes
        self._lock = threading.RLock()  # a future that is done calls back at once
        self._found: dict[tuple[FileKey, int], Cut] = {}  # those asked for last at the end
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="tiles")

    def get(self, key: FileKey, level: int) -> Cut:
        """Find the tiles of a level, or have them cut."""
        with self._lock:
            asked = next((each for each in self._found if self._holds(each, key, level)), None)
            if asked is None:
                asked = key, level
                found = self._pool.submit(cut_tiles, key.path, 2**level)
                found.add_done_callback(lambda _: self._forget())
            else:
                found = self._found.pop(asked)
            self._found[asked] = found
        return found

    def _holds(self, asked: tuple[FileKey, int], key: FileKey, level: int) -> bool:
        """Check whether what was asked has the tiles of a level, or will have them."""
        found = self._found[asked]
        if asked[0] != key or not found.done():
            return asked == (key, level)
        return found.exception() is None and 2**level in found.result()

    def _forget(self) -> None:
        """Drop what was asked for longest ago, but never the last level."""
        with self._lock:
            sizes = {each: _num_bytes(found) for each, found in self._found.items()}
            for each in list(sizes)[:-1]:
                if sum(sizes.values()) <= self._kept_bytes:
                    return
                if sizes.pop(each):
                    del self._found[each]


def _num_bytes(found: Cut) -> int:
    if not found.done() or found.exception() is not None:
        return 0
    return sum(len(jpeg) for tiles in found.result().values() for jpeg in tiles.values())


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
            tiles = (await asyncio.shield(cut)).get(2 ** numbers["level"], {})
        jpeg = tiles.get((numbers["column"], numbers["row"]), b"")
        problem = f"{shown(file.name)}: has no such tile."
    if not jpeg:
        raise ImageError(problem)
    return jpeg


def _refusal(reason: object) -> Response:
    return PlainTextResponse(str(reason), 404, headers={"cache-control": _ASK_AGAIN})
