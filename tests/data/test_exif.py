import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from streetclip.data.exif import Photo, read_photo, read_position
from streetclip.errors import ImageError

PARIS = {
    GPS.GPSLatitudeRef: "N",
    GPS.GPSLatitude: (48.0, 51.0, 30.0),
    GPS.GPSLongitudeRef: "W",
    GPS.GPSLongitude: (2.0, 17.0, 24.0),
    GPS.GPSAltitudeRef: b"\x01",
    GPS.GPSAltitude: 35.4,
}


def save(path, *, gps=None, details=None, **main):
    exif = Image.Exif()
    for name, value in main.items():
        exif[Base[name]] = value
    exif.get_ifd(IFD.GPSInfo).update(gps or {})
    exif.get_ifd(IFD.Exif).update({Base[name]: value for name, value in (details or {}).items()})
    Image.new("RGB", (60, 40)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_the_notes_of_a_camera_are_read(tmp_path, name):
    details = {
        "ExposureTime": 0.004,
        "FNumber": 2.8,
        "FocalLength": 35.0,
        "ISOSpeedRatings": 200,
        "LensModel": "35mm f/2",
        "DateTimeOriginal": "2024:05:06 07:08:09",
        "OffsetTimeOriginal": "+02:00",
    }
    path = save(
        tmp_path / name, gps=PARIS, details=details, Make="Canon\0", Model="R5", Orientation=6
    )
    assert read_photo(path) == Photo(
        40,
        60,
        {
            "Camera": "Canon R5",
            "Lens": "35mm f/2",
            "Taken": "2024-05-06 07:08:09 +02:00",
            "Exposure": "1/250 s · f/2.8 · 35 mm · ISO 200",
            "GPS": "48.85833° N, 2.29000° W, −35 m",
        },
    )


def test_a_photo_without_notes_has_none(tmp_path):
    Image.new("RGB", (60, 40)).save(tmp_path / "a.jpg")
    assert read_photo(tmp_path / "a.jpg") == Photo(60, 40, {})


@pytest.mark.parametrize(
    "gps",
    [
        {**PARIS, GPS.GPSLatitude: (91.0, 0.0, 0.0)},
        {GPS.GPSLatitude: (48.0, 51.0, 30.0)},
    ],
)
def test_what_is_no_position_is_left_out(tmp_path, gps):
    notes = read_photo(save(tmp_path / "a.jpg", gps=gps, Make="Canon")).notes
    assert notes == {"Camera": "Canon"}


def test_long_texts_are_cut_and_odd_numbers_left_out(tmp_path):
    details = {"ExposureTime": 2.0, "FNumber": 0.0}
    notes = read_photo(save(tmp_path / "a.jpg", details=details, Model="x" * 5000)).notes
    assert notes == {"Camera": "x" * 200, "Exposure": "2 s"}


@pytest.mark.parametrize("seed", range(20))
def test_no_damage_of_notes_hides_the_photo(tmp_path, seed):
    path = save(tmp_path / "a.jpg", gps=PARIS, Make="Canon", Model="R5")
    content = bytearray(path.read_bytes())
    start, rng = content.index(b"Exif"), np.random.default_rng(seed)
    for position in rng.integers(start + 6, content.index(b"\xff\xdb") - 1, 8):
        content[position] = rng.integers(256)
    path.write_bytes(content)
    assert sorted(read_photo(path)[:2]) == [40, 60]


def test_what_is_no_image_is_an_error(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"<html>")
    with pytest.raises(ImageError, match="is not an image"):
        read_photo(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("sides", "expected"),
    [("NE", (1, 1)), ("NW", (1, -1)), ("SE", (-1, 1)), ("sw", (-1, -1))],
)
def test_a_position_has_the_signs_of_its_hemispheres(tmp_path, sides, expected):
    gps = {**PARIS, GPS.GPSLatitudeRef: sides[0], GPS.GPSLongitudeRef: sides[1]}
    position = read_position(save(tmp_path / "a.jpg", gps=gps))
    assert position == pytest.approx((expected[0] * 48.858333, expected[1] * 2.29), abs=1e-6)


@pytest.mark.parametrize(
    "gps",
    [
        {},
        {name: value for name, value in PARIS.items() if name != GPS.GPSLongitudeRef},
        {**PARIS, GPS.GPSLatitudeRef: "E"},
        {**PARIS, GPS.GPSLongitudeRef: "N"},
        {**PARIS, GPS.GPSLatitude: (91.0, 0.0, 0.0)},
        {**PARIS, GPS.GPSLatitude: (0.0, 0.0, 0.0), GPS.GPSLongitude: (0.0, 0.0, 0.0)},
    ],
    ids=["none", "no_side", "wrong_latitude_side", "wrong_longitude_side", "range", "no_fix"],
)
def test_a_photo_without_a_certain_position_has_none(tmp_path, gps):
    assert read_position(save(tmp_path / "a.jpg", gps=gps)) is None
