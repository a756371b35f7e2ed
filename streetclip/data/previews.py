"""Decode images for the page: small, and within a bound of memory however large the file is."""

import contextlib
import ctypes
import functools
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from streetclip.data.decoding import fail, opened, orientation_of, to_rgb, upright
from streetclip.data.jpeg import JPEG_FORMATS, with_end
from streetclip.data.png_bands import png_bands
from streetclip.errors import ImageError

MEMORY_BYTES = 240_000_000
"""The most that all previews hold together while they are decoded."""

BAND_PIXELS = 1 << 19
_PLAIN_PIXELS = 4 << 20  # a PNG of more is never in memory as a whole
_ONE_BYTE_MODES = frozenset({"1", "L", "P"})
# What a decoder holds besides the pixels that Pillow keeps, in bytes a pixel.
_DECODER_BYTES = {"WEBP": 13, "AVIF": 7, "PPM": 4, "BMP": 3, "TIFF": 2, "GIF": 1}
_M_MMAP_THRESHOLD, _MAPPED_BYTES = -3, 12 << 20
_WAVE_BYTES, _REPAIR_BYTES = 2, 7

T = TypeVar("T")
Decode = Callable[[Image.Image, bytes | None, contextlib.ExitStack], T]
"""Makes something of an opened image; see `with_repair`."""


class _Memory:
    """A number of bytes that threads share: each waits until what it needs is free."""

    def __init__(self, num_bytes: int) -> None:
        self._free = num_bytes
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, num_bytes: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: num_bytes <= self._free)
            self._free -= num_bytes
        try:
            yield
        finally:
            with self._changed:
                self._free += num_bytes
                self._changed.notify_all()


_memory = _Memory(MEMORY_BYTES)


def decode_preview(path: Path, max_side: int) -> Image.Image:
    """Decode an image as upright RGB, at most `max_side` pixels a side.

    JPEGs are decoded at a reduced scale, large PNGs band by band. Images that need more than
    `MEMORY_BYTES` raise an `ImageError`, and so do files that `decode_image` refuses.
    """
    return with_repair(path, lambda image, _, held: _reduced(image, path, max_side, held))


def with_repair(path: Path, decode: Decode[T]) -> T:
    """Decode an opened image; complete a JPEG that lacks only its end.

    `decode` gets the image, the completed content of its file if it was repaired, and the stack
    that holds its memory until it returns.
    """
    _return_freed_memory()
    repair_bytes = 0

    def attempt(content: bytes | None) -> T:
        nonlocal repair_bytes
        # Its memory is given back once `decode` has let go of the picture.
        with contextlib.ExitStack() as held, opened(path, content) as image:
            if image.format in JPEG_FORMATS:
                repair_bytes = 3 * path.stat().st_size + _REPAIR_BYTES * math.prod(image.size)
            return decode(image, content, held)

    try:
        return attempt(None)
    except ImageError:
        if not 0 < repair_bytes <= MEMORY_BYTES:
            raise
        with _memory.taken(repair_bytes):
            whole = with_end(path.read_bytes())
        if whole is None:
            raise
    return attempt(whole)


@functools.cache
def _return_freed_memory() -> None:
    """Make glibc return Pillow's blocks of 16 MiB to the system, as it does with the first ones.

    After these it keeps what is freed, and each thread's share grows by a picture.
    """
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)


def _reduced(
    image: Image.Image, path: Path, max_side: int, held: contextlib.ExitStack
) -> Image.Image:
    """Decode an opened image, average whole blocks of it band by band, then resample."""
    needed_bytes = wave_bytes(image)
    whole = f"{image.format} of {image.width} × {image.height} pixels"
    shrinking = max(1.0, max(image.size) / max_side)
    # The smallest size that a reduced decoding may give: that of the result, or above.
    image.draft(None, (math.ceil(image.width / shrinking), math.ceil(image.height / shrinking)))
    factor = max(1, max(image.size) // max_side)
    needed_bytes += picture_bytes(image, factor) + 6 * math.prod(image.size) // factor**2
    take_memory(path, whole, needed_bytes, held)
    width, height = image.size
    reduced = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    for top, blocks in reduced_bands(image, path, factor):
        reduced.paste(blocks, (0, top))
    shrinking = max(1.0, max(image.size) / max_side)
    size = max(1, round(width / shrinking)), max(1, round(height / shrinking))
    box = (0, 0, width / factor, height / factor)
    resized = reduced.resize(size, Image.Resampling.BICUBIC, box)
    return upright(resized, orientation_of(image))


def take_memory(path: Path, whole: str, num_bytes: int, held: contextlib.ExitStack) -> None:
    """Wait until the memory for an image is free; an `ImageError` if it never can be.

    `whole` describes the image for the message.
    """
    if num_bytes > MEMORY_BYTES:
        advice = "Save it smaller, or as PNG without interlacing, to see it; the results stay."
        fail(path, f"is too large to show ({whole}). {advice}")
    held.enter_context(_memory.taken(num_bytes))


def reduced_bands(image: Image.Image, path: Path, factor: int) -> Iterator[tuple[int, Image.Image]]:
    """Yield an opened image band by band as RGB, each `factor` × `factor` block averaged.

    Each band comes with its first row in the reduced image.
    """
    if not _comes_in_bands(image):
        image.load()  # a TIFF turns meanwhile
    num_rows = _num_rows(image, factor)
    for i, band in enumerate(_bands(image, num_rows)):
        yield i * num_rows // factor, to_rgb(band, path).reduce(factor)


def _comes_in_bands(image: Image.Image) -> bool:
    is_plain = not image.info.get("interlace") and getattr(image, "n_frames", 1) == 1
    return image.format == "PNG" and math.prod(image.size) > _PLAIN_PIXELS and is_plain


def _num_rows(image: Image.Image, factor: int) -> int:
    return factor * max(1, BAND_PIXELS // (image.width * factor))


def _bands(image: Image.Image, num_rows: int) -> Iterator[Image.Image]:
    """Yield an image's rows, top to bottom; PNGs that are large are decoded meanwhile."""
    if _comes_in_bands(image):
        yield from png_bands(image, num_rows)
        return
    for top in range(0, image.height, num_rows):
        band: Any = image.crop((0, top, image.width, min(top + num_rows, image.height)))
        band.format = image.format
        yield band


def picture_bytes(image: Image.Image, factor: int) -> int:
    """Estimate the bytes of a picture, its bands and what decodes it."""
    band_pixels = image.width * min(_num_rows(image, factor), image.height)
    num_bytes = 16 * band_pixels
    if _comes_in_bands(image):
        return num_bytes
    pixel_bytes = 1 if image.mode in _ONE_BYTE_MODES else 4
    pixel_bytes += _DECODER_BYTES.get(image.format or "", 0)
    return num_bytes + pixel_bytes * math.prod(image.size)


def wave_bytes(image: Any) -> int:
    """Count what a decoder holds of a JPEG with several passes: all waves of all colours."""
    if not image.info.get("progressive"):
        return 0
    samplings = [across * down for _, across, down, _ in image.layer]
    num_waves: int = math.prod(image.size) * sum(samplings) // max(samplings)
    return _WAVE_BYTES * num_waves
