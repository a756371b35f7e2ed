"""Decode a PNG in bands of rows, so that it is never in memory as a whole.

A filter of a PNG refers to the row above. Pillow undoes filters fast, of whole files only: so
a band becomes a file of its own, which begins with the last row of the band above.

Source: W3C, Portable Network Graphics, chapters 5 (chunks), 7 (scanlines) and 9 (filters).
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = ">IIBB3x"  # width, height, bits, colour type
_READ_BYTES = 1 << 20
_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}  # by colour type, of 8 bits
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by bytes of a pixel

Rows = npt.NDArray[np.uint8]
"""A band: by row, a byte that names its filter, then the pixels' bytes."""


def png_bands(image: Image.Image, num_rows: int) -> Iterator[Image.Image]:
    """Yield the rows of an opened PNG that is not interlaced, `num_rows` at a time.

    The pixels are those that Pillow decodes, 16 bits cut to their high byte. Damaged files raise
    one of `jpeg.DAMAGED`.
    """
    source: Any = image
    file: BinaryIO = source.fp
    raw_mode, palette = source.tile[0].args, image.palette
    file.seek(len(_SIGNATURE) + 8)
    width, height, bits, colour_type = struct.unpack(_HEADER, file.read(struct.calcsize(_HEADER)))
    mode, num_channels = image.mode, len(_MODES[colour_type].replace("P", "L"))
    num_bytes = 1 + -(-width * num_channels * bits // 8)
    read = _inflater(_pixel_data(file))
    above = np.empty((0, num_bytes), np.uint8)
    for top in range(0, height, num_rows):
        count = min(num_rows, height - top)
        rows = np.frombuffer(read(count * num_bytes), np.uint8).reshape(count, num_bytes)
        if bits > 8:  # noqa: PLR2004 -- filters work on each byte of a sample by itself
            rows = np.concatenate([rows[:, :1], rows[:, 1::2]], axis=1)
            mode = raw_mode = _MODES[colour_type]
            above = above[:, : rows.shape[1]]
        plain = _unfiltered(np.concatenate([above, rows]), num_channels)[-count:]
        above = np.insert(plain[-1:], 0, 0, axis=1)
        band = Image.frombytes(mode, (width, count), plain.tobytes(), "raw", raw_mode)
        if palette is not None:
            band.putpalette(palette.palette, palette.rawmode or palette.mode)
        yield band


def _unfiltered(rows: Rows, pixel_bytes: int) -> Rows:
    """Undo the filters of rows, the first of which refers to no other; drop their names."""
    width = (rows.shape[1] - 1) // pixel_bytes
    header = struct.pack(">IIBBxxx", width, len(rows), 8, _COLOUR_TYPES[pixel_bytes])
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 0)), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    ]
    with Image.open(io.BytesIO(_SIGNATURE + b"".join(parts)), formats=("PNG",)) as image:
        return np.frombuffer(image.tobytes(), np.uint8).reshape(len(rows), -1)


def _pixel_data(file: BinaryIO) -> Iterator[bytes]:
    """Yield the compressed pixels, from the end of the header on, a piece at a time."""
    file.seek(4, io.SEEK_CUR)
    while len(start := file.read(8)) == 8:  # noqa: PLR2004 -- length and name of a chunk
        left, name = struct.unpack(">I4s", start)
        while name == b"IDAT" and left and (piece := file.read(min(left, _READ_BYTES))):
            left -= len(piece)
            yield piece
        file.seek(left + 4, io.SEEK_CUR)


def _inflater(pieces: Iterator[bytes]) -> Callable[[int], bytes]:
    """Make a function that inflates the next so many bytes, or raises EOFError."""
    inflating = zlib.decompressobj()
    pending = b""

    def read(num_bytes: int) -> bytes:
        nonlocal pending
        made = bytearray()
        while len(made) < num_bytes:
            piece = pending or next(pieces, None)
            if piece is None or inflating.eof:
                msg = "the pixels end too early"
                raise EOFError(msg)
            made += inflating.decompress(piece, num_bytes - len(made))
            pending = inflating.unconsumed_tail
        return bytes(made)

    return read
