"""Cut large photos into tiles, so that a part can be seen at full resolution.

A photo is decoded once for all tiles of a scale, within the memory that previews share.
"""

import contextlib
import io
import math
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from streetclip.data.decoding import box_in_file, opened, orientation_of, turned, upright
from streetclip.data.jpeg import JPEG_FORMATS
from streetclip.data.previews import (
    BAND_PIXELS,
    MEMORY_BYTES,
    picture_bytes,
    reduced_bands,
    take_memory,
    wave_bytes,
    with_repair,
)

TILE_SIDE = 512
"""Longest side of a tile, in pixels."""

Place = tuple[int, int]
"""Column and row of a tile, from 0 at the top left of the upright photo."""
Tiles = dict[Place, bytes]
Pixels = tuple[int, int, int, int]
"""Left, top, right, bottom of a part."""
Bands = Iterator[tuple[int, Image.Image]]
"""First row and pixels of parts of an image, top to bottom."""

_JPEG_QUALITY = 90
_COLOUR_SCALES = (2, 4)


def cut_tiles(path: Path, scale: int) -> dict[int, Tiles]:
    """Cut an upright photo, each `scale` × `scale` pixels averaged, into JPEG files.

    `scale` is a power of 2. The tiles are by scale: of a JPEG those of `scale` alone, which it is
    decoded at; of other photos, which are decoded as a whole, those of 1, 2, 4 and so on. Refused,
    with an `ImageError`, are the photos that `decode_preview` refuses, and those that fit into its
    memory at a larger scale only.
    """

    def decode(
        image: Image.Image, content: bytes | None, held: contextlib.ExitStack
    ) -> dict[int, Tiles]:
        is_jpeg, orientation = image.format in JPEG_FORMATS, orientation_of(image)
        first = scale if is_jpeg else 1
        size = -(-image.width // first), -(-image.height // first)
        pyramid = _Pyramid(first, turned(size, orientation), has_more=not is_jpeg)
        bands = _scaled_bands(image, content, path, first, held)
        for place, tile in _tiles(bands, size, orientation):
            pyramid.add(place, tile)
        return pyramid.cut

    return with_repair(path, decode)


class _Pyramid:
    """JPEG files of the tiles of one scale and, if it has more, of those that follow from it."""

    def __init__(self, scale: int, size: tuple[int, int], *, has_more: bool) -> None:
        self.scale, self.size = scale, size
        self.cut: dict[int, Tiles] = {scale: {}}
        self._unfinished: dict[Place, Image.Image] = {}
        self._num_missing: dict[Place, int] = {}
        self._next: _Pyramid | None = None
        if has_more and max(size) > TILE_SIDE:
            half = -(-size[0] // 2), -(-size[1] // 2)
            self._next = _Pyramid(2 * scale, half, has_more=True)
            self.cut |= self._next.cut

    def add(self, place: Place, tile: Image.Image) -> None:
        """Add a complete tile, and with it a quarter of one of the next scale."""
        self.cut[self.scale][place] = _jpeg(tile)
        if self._next is not None:
            column, row = place
            corner = column % 2 * TILE_SIDE // 2, row % 2 * TILE_SIDE // 2
            self._next.add_part((column // 2, row // 2), tile.reduce(2), corner)

    def add_part(self, place: Place, part: Image.Image, corner: tuple[int, int]) -> None:
        """Add a part of a tile, which is complete once its last corner is there."""
        left, top = place[0] * TILE_SIDE, place[1] * TILE_SIDE
        size = min(TILE_SIDE, self.size[0] - left), min(TILE_SIDE, self.size[1] - top)
        tile = self._unfinished.setdefault(place, Image.new(part.mode, size))
        tile.paste(part, corner)
        missing = self._num_missing.get(place, size[0] * size[1]) - part.width * part.height
        self._num_missing[place] = missing
        if missing == 0:
            self.add(place, self._unfinished.pop(place))


def _scaled_bands(
    image: Image.Image, content: bytes | None, path: Path, scale: int, held: contextlib.ExitStack
) -> Bands:
    whole, mode = f"{image.format} of {image.width} × {image.height} pixels", image.mode
    width, own_bytes = image.width, wave_bytes(image) + _row_bytes(image.width // scale)
    drafted = image.draft(None, (max(1, width // scale), max(1, image.height // scale)))
    factor = scale if drafted is None else scale // round(width / drafted[1][2])
    needed_bytes = own_bytes + picture_bytes(image, factor)
    if needed_bytes <= MEMORY_BYTES or drafted is None or mode != "RGB" or factor > 1:
        take_memory(path, whole, needed_bytes, held)
        return reduced_bands(image, path, factor)
    # Brightness by itself takes a quarter of the memory, and colours need less detail.
    needed = {each: own_bytes + _split_bytes(image, each) for each in _COLOUR_SCALES}
    colour_scale = next((s for s in needed if needed[s] <= MEMORY_BYTES), _COLOUR_SCALES[-1])
    take_memory(path, whole, needed[colour_scale], held)
    return _split_bands(path, content, scale, colour_scale)


def _row_bytes(width: int) -> int:
    """Count the bytes of tiles that are not complete: a row, and half of one for each scale."""
    return 8 * TILE_SIDE * width


def _split_bytes(image: Image.Image, colour_scale: int) -> int:
    num_pixels = math.prod(image.size)
    num_colours = num_pixels // colour_scale**2
    return max(num_pixels + 2 * num_colours, 6 * num_colours) + 16 * BAND_PIXELS


def _split_bands(path: Path, content: bytes | None, scale: int, colour_scale: int) -> Bands:
    """Yield a JPEG as YCbCr, its colours at half resolution, as most JPEGs keep them, or less."""
    with opened(path, content) as image:
        num_pixels = scale * colour_scale
        image.draft("YCbCr", (image.width // num_pixels, image.height // num_pixels))
        colours = [image.getchannel(name) for name in ("Cb", "Cr")]
    with opened(path, content) as image:
        image.draft("L", (image.width // scale, image.height // scale))
        image.load()
        num_rows = max(1, BAND_PIXELS // image.width)
        for top in range(0, image.height, num_rows):
            brightness = image.crop((0, top, image.width, min(top + num_rows, image.height)))
            size, start = brightness.size, top / colour_scale
            box = (0, start, size[0] / colour_scale, start + size[1] / colour_scale)
            # The tiles' JPEGs halve colours again, and so keep those of the plane as they are.
            enlarged = [each.resize(size, Image.Resampling.NEAREST, box) for each in colours]
            yield top, Image.merge("YCbCr", [brightness, *enlarged])


def _tiles(
    bands: Bands, size: tuple[int, int], orientation: int
) -> Iterator[tuple[Place, Image.Image]]:
    """Collect the bands of an image of `size` (in its file) into tiles, upright."""
    boxes = _boxes(size, orientation)
    unfinished: dict[Place, Image.Image] = {}
    for first, band in bands:
        end = first + band.height
        for place, (left, top, right, bottom) in list(boxes.items()):
            if top >= end:
                continue
            if place not in unfinished:
                unfinished[place] = Image.new(band.mode, (right - left, bottom - top))
            unfinished[place].paste(band.crop((left, 0, right, band.height)), (0, first - top))
            if bottom <= end:
                del boxes[place]
                yield place, upright(unfinished.pop(place), orientation)


def _boxes(size: tuple[int, int], orientation: int) -> dict[Place, Pixels]:
    """List left, top, right, bottom of each tile in the file."""
    width, height = turned(size, orientation)
    boxes = {}
    for top in range(0, height, TILE_SIDE):
        for left in range(0, width, TILE_SIDE):
            box = (left, top, min(left + TILE_SIDE, width), min(top + TILE_SIDE, height))
            place = left // TILE_SIDE, top // TILE_SIDE
            boxes[place] = box_in_file(box, size, orientation)
    return boxes


def _jpeg(tile: Image.Image) -> bytes:
    made = io.BytesIO()
    tile.save(made, "JPEG", quality=_JPEG_QUALITY)
    return made.getvalue()
