"""Read the size of a photo, and what its EXIF says about camera, time, exposure and place.

Source: CIPA DC-008-2023, Exif 3.0.
"""

import math
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from streetclip.data.decoding import opened, orientation_of, turned
from streetclip.data.jpeg import DAMAGED

_MOST_CHARACTERS = 200
_MOST_LATITUDE_DEG, _MOST_LONGITUDE_DEG = 90, 180
_NORTH_SOUTH, _EAST_WEST = {"N": 1, "S": -1}, {"E": 1, "W": -1}

Tags = Mapping[int, Any]


class Photo(NamedTuple):
    """Width and height of the upright image in pixels; its notes by name, untrusted."""

    width: int
    height: int
    notes: dict[str, str]


def read_photo(path: Path) -> Photo:
    """Read a photo's header and EXIF without decoding pixels.

    Raises an `ImageError` for a file that is none or that `decode_image` refuses by its header;
    damaged EXIF counts as absent.
    """
    with opened(path) as image:
        width, height = turned(image.size, orientation_of(image))
        return Photo(width, height, _notes(image))


def read_position(path: Path) -> tuple[float, float] | None:
    """Read latitude and longitude in degrees from a photo's GPS; raises as `read_photo`.

    None without them, if a hemisphere is missing, and for 0, 0, which cameras write without a fix.
    """
    with opened(path) as image:
        try:
            gps = Image.Image.getexif(image).get_ifd(IFD.GPSInfo)
            degrees = _coordinates(gps)
            latitude_side, longitude_side = _sides(gps)
        except (OSError, *DAMAGED):
            return None
    latitude_sign = _NORTH_SOUTH.get(latitude_side.upper())
    longitude_sign = _EAST_WEST.get(longitude_side.upper())
    if degrees is None or not any(degrees) or latitude_sign is None or longitude_sign is None:
        return None
    return latitude_sign * degrees[0], longitude_sign * degrees[1]


def _notes(image: Image.Image) -> dict[str, str]:
    try:
        # A plugin's own `getexif` may decode the whole file.
        main = Image.Image.getexif(image)
        details, gps = main.get_ifd(IFD.Exif), main.get_ifd(IFD.GPSInfo)
        notes = {
            "Camera": _joined(" ", *(_text(main.get(each)) for each in (Base.Make, Base.Model))),
            "Lens": _text(details.get(Base.LensModel)),
            "Taken": _taken(main, details),
            "Exposure": _exposure(details),
            "GPS": _position(gps),
        }
    except (OSError, *DAMAGED):
        return {}
    return {name: text for name, text in notes.items() if text}


def _taken(main: Tags, details: Tags) -> str:
    time = details.get(Base.DateTimeOriginal) or main.get(Base.DateTime)
    date, _, clock = _text(time).partition(" ")
    return _joined(" ", date.replace(":", "-"), clock, _text(details.get(Base.OffsetTimeOriginal)))


def _exposure(details: Tags) -> str:
    seconds, aperture, length_mm, speed = (
        _number(details.get(each))
        for each in (Base.ExposureTime, Base.FNumber, Base.FocalLength, Base.ISOSpeedRatings)
    )
    return _joined(
        " · ",
        "" if seconds is None else f"{seconds:g} s" if seconds >= 1 else f"1/{1 / seconds:.0f} s",
        "" if aperture is None else f"f/{aperture:g}",
        "" if length_mm is None else f"{length_mm:g} mm",
        "" if speed is None else f"ISO {speed:g}",
    )


def _position(gps: Tags) -> str:
    """Write latitude and longitude in degrees and the height, or nothing if they cannot be."""
    degrees, sides = _coordinates(gps), _sides(gps)
    if degrees is None:
        return ""
    height_m = _number(gps.get(GPS.GPSAltitude))
    below = "−" if gps.get(GPS.GPSAltitudeRef) in (1, b"\x01") else ""
    return _joined(
        ", ",
        f"{degrees[0]:.5f}° {sides[0]}".strip(),
        f"{degrees[1]:.5f}° {sides[1]}".strip(),
        "" if height_m is None else f"{below}{height_m:.0f} m",
    )


def _coordinates(gps: Tags) -> tuple[float, float] | None:
    """Return latitude and longitude in degrees, without signs; None if they cannot be."""
    latitude_deg = _degrees(gps.get(GPS.GPSLatitude))
    longitude_deg = _degrees(gps.get(GPS.GPSLongitude))
    if latitude_deg is None or longitude_deg is None:
        return None
    if latitude_deg > _MOST_LATITUDE_DEG or longitude_deg > _MOST_LONGITUDE_DEG:
        return None
    return latitude_deg, longitude_deg


def _sides(gps: Tags) -> tuple[str, str]:
    return _text(gps.get(GPS.GPSLatitudeRef)), _text(gps.get(GPS.GPSLongitudeRef))


def _degrees(value: Any) -> float | None:
    """Add degrees, minutes and seconds; None for what they are not."""
    if not isinstance(value, tuple) or not value or not all(isinstance(v, Real) for v in value):
        return None
    total = sum(float(part) / 60**i for i, part in enumerate(value))
    return total if math.isfinite(total) and total >= 0 else None


def _number(value: Any) -> float | None:
    """Convert a positive number; None for a missing, infinite or other value."""
    first = value[0] if isinstance(value, tuple) and value else value
    number = float(first) if isinstance(first, Real) else math.nan
    return number if math.isfinite(number) and number > 0 else None


def _text(value: object) -> str:
    return value.strip(" \0")[:_MOST_CHARACTERS] if isinstance(value, str) else ""


def _joined(separator: str, *parts: str) -> str:
    return separator.join(filter(None, parts))
