"""Image files of all kinds, for the tests of decoding."""

import struct
import zlib

import numpy as np
import pytest

from streetclip.data import decoding
from streetclip.data.decoding import decode_image
from streetclip.errors import ImageError

WIDTH, HEIGHT = 37, 23

GREY_16 = np.array([[0, 255, 256], [32768, 40000, 65535]], np.uint16)

MODES = {
    "rgb.jpg": "RGB",
    "grey.jpg": "L",
    "cmyk.jpg": "CMYK",
    "rgb.png": "RGB",
    "rgba.png": "RGBA",
    "grey_alpha.png": "LA",
    "palette.png": "P",
    "black_and_white.png": "1",
    "rgb.webp": "RGB",
    "rgba.webp": "RGBA",
    "rgb.bmp": "RGB",
    "palette.gif": "P",
    "rgb.tiff": "RGB",
    "cmyk.tiff": "CMYK",
    "ycbcr.tiff": "YCbCr",
    "rgb.ppm": "RGB",
    "grey.pgm": "L",
}


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, data):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def error_of(path):
    with pytest.raises(ImageError) as caught:
        decode_image(path)
    return str(caught.value)


def watch_sizes(monkeypatch, module=decoding):
    """Collects the sizes at which a module decodes images."""
    sizes = []
    to_rgb = module.to_rgb

    def watched(image, where):
        sizes.append(image.size)
        return to_rgb(image, where)

    monkeypatch.setattr(module, "to_rgb", watched)
    return sizes
