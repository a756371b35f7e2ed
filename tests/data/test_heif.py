"""HEIC images of phones: decoded where pillow-heif is installed, else named for what they are."""

import importlib.util

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from streetclip.data.decoding import decode_crop, decode_image, read_formats
from streetclip.data.exif import read_photo, read_position
from streetclip.errors import ImageError


@pytest.fixture
def phone(tmp_path):
    """An HEIC of 64 × 32 pixels, left red and right blue, taken sideways at 10 S, 20 E."""
    pillow_heif = pytest.importorskip("pillow_heif")
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, :32, 0] = pixels[:, 32:, 2] = 255
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    exif.get_ifd(IFD.GPSInfo).update(
        {
            GPS.GPSLatitudeRef: "S",
            GPS.GPSLatitude: (10.0, 0.0, 0.0),
            GPS.GPSLongitudeRef: "E",
            GPS.GPSLongitude: (20.0, 0.0, 0.0),
        }
    )
    file = pillow_heif.from_bytes("RGB", (64, 32), pixels.tobytes())
    file.save(tmp_path / "phone.heic", quality=-1, chroma=444, exif=exif.tobytes())
    return tmp_path / "phone.heic"


def test_a_phone_image_is_decoded_upright_with_its_place(phone):
    upright = np.asarray(decode_image(phone)).astype(int)
    assert upright.shape == (64, 32, 3)
    assert abs(upright[5, 16] - (255, 0, 0)).max() < 20
    assert abs(upright[-5, 16] - (0, 0, 255)).max() < 20
    part = decode_crop(phone, lambda *size: ((0, 0, *size), (8, 16), Image.Resampling.BOX))
    assert abs(np.asarray(part)[0, 4].astype(int) - (255, 0, 0)).max() < 20
    assert read_photo(phone)[:2] == (32, 64)
    assert read_position(phone) == (-10.0, 20.0)


def test_a_damaged_phone_image_is_an_error(phone):
    phone.write_bytes(phone.read_bytes()[:-60])
    with pytest.raises(ImageError, match=r"phone\.heic"):
        decode_image(phone)


def test_without_its_decoder_the_error_names_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    read_formats.cache_clear()
    try:
        (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
        with pytest.raises(ImageError, match=r"HEIC image.*pip install pillow-heif"):
            decode_image(tmp_path / "a.heic")
    finally:
        read_formats.cache_clear()
