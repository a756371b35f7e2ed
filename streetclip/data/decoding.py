"""Find images by their names in a manifest, and decode them as RGB; errors name causes."""

import contextlib
import functools
import importlib.util
import io
import logging
import math
import os
import re
import stat
import threading
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.Image import Transpose

from streetclip.data.file_kinds import describe_file
from streetclip.data.jpeg import DAMAGED, JPEG_FORMATS, open_reduced, reduced_scale, with_end
from streetclip.errors import ImageError, shown

N = TypeVar("N", int, float)
Box = tuple[float, float, float, float]
"""Left, top, right, bottom of a part, in fractional pixels of the whole image."""
Crop = tuple[Box, tuple[int, int], int]
"""A part of the upright image, resized: width and height of the result, and PIL's filter."""

MAX_PIXELS = 200_000_000
"""Largest image that is decoded, in pixels; the largest 360° panoramas have about 134 million."""

# Raster formats with decoders inside Pillow; none that runs another program, as EPS does.
# Pillow opens MPO, a JPEG with further frames, as JPEG.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")

# By EXIF orientation: what turns the image upright, and how the upright image lies in its file,
# mirrored left to right and top to bottom. From 5 on, width and height are swapped as well.
_ORIENTATIONS = {
    2: (Transpose.FLIP_LEFT_RIGHT, True, False),
    3: (Transpose.ROTATE_180, True, True),
    4: (Transpose.FLIP_TOP_BOTTOM, False, True),
    5: (Transpose.TRANSPOSE, False, False),
    6: (Transpose.ROTATE_270, False, True),
    7: (Transpose.TRANSVERSE, True, True),
    8: (Transpose.ROTATE_90, True, False),
}
_FIRST_SWAPPED = 5
# Above this many pixels one image is decoded at a time: each takes 4 bytes a pixel and more.
_LARGE_PIXELS = 32_000_000
Turn = contextlib.AbstractContextManager[Any]
"""Held while a large image is in memory."""
LARGE_TURN: Turn = threading.Lock()
"""By which this process has one large image in memory at a time."""
_TOO_LARGE = (
    f"more than {MAX_PIXELS / 1e6:.0f} million pixels, the most that is decoded. Make it smaller, "
    "or leave it out."
)

_CHECKED = 100
_DRIVE = re.compile(r"[A-Za-z]:")
# A name free of all of these is good; found fast in many names at once.
_SUSPICIOUS = ("\\", ":", "..", "./", "/.", "//", "/ ", " /", " . ")

_log = logging.getLogger(__name__)


class _PillowSettings:
    """Set our pixel limit and ignore warnings while any image is decoded.

    Both settings belong to the process: the first thread sets them, the last restores them, so
    that no thread waits for another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._before = contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._before.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
                self._before.enter_context(warnings.catch_warnings(action="ignore"))
                Image.MAX_IMAGE_PIXELS = MAX_PIXELS
            self._users += 1

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._before.close()


_pillow_settings = _PillowSettings()


@functools.cache
def read_formats() -> tuple[str, ...]:
    """List the formats that are decoded: HEIF, as of phones, where pillow-heif is installed."""
    if importlib.util.find_spec("pillow_heif") is None:
        return FORMATS
    importlib.import_module("pillow_heif").register_heif_opener(thumbnails=False)
    return (*FORMATS, "HEIF")


def decode_image(path: Path, *, turn: Turn = LARGE_TURN) -> Image.Image:
    """Decode an image as RGB, upright, its first frame.

    The pixels are those of transformers' `load_image` (EXIF orientation, then Pillow's
    `convert("RGB")`), except that 16-bit greys keep their high byte, where `convert` would clip.
    Formats are recognised by content; `turn` is held while a large image is decoded. A file that
    is missing, damaged, no image, too large, or has pixels of unknown range raises an `ImageError`.
    """

    def decode(content: bytes | None) -> Image.Image:
        with opened(path, content) as image, _turn_for(image, image.size, turn):
            image.load()
            orientation = orientation_of(image)
            return upright(to_rgb(image, path), orientation)

    return _decoded(path, decode, turn)


def decode_crop(
    path: Path, crop_of: Callable[[int, int], Crop], *, turn: Turn = LARGE_TURN
) -> Image.Image:
    """Decode a resized part of an image as upright RGB.

    `crop_of` chooses the part by width and height of the whole upright image. The pixels are
    nearly those of `decode_image`, cropped and resized (see `jpeg`); errors are the same.
    """

    def decode(content: bytes | None) -> Image.Image:
        with opened(path, content) as image, contextlib.ExitStack() as held:
            is_jpeg = image.format in JPEG_FORMATS
            if not is_jpeg:  # cannot be reduced; a TIFF turns as it loads
                held.enter_context(_turn_for(image, image.size, turn))
                image.load()
            whole_size, orientation = image.size, orientation_of(image)
            box, size, resample = crop_of(*turned(whole_size, orientation))
            left, top, right, bottom = box_in_file(box, whole_size, orientation)
            size = turned(size, orientation)
            shrinking = min((right - left) / size[0], (bottom - top) / size[1])
            reduced, scale = open_reduced(image, reduced_scale(shrinking))
            if is_jpeg:
                held.enter_context(_turn_for(reduced, whole_size, turn))
            rgb = to_rgb(reduced, path)
            scaled = (left / scale, top / scale, right / scale, bottom / scale)
            resized = rgb.resize(size, Image.Resampling(resample), scaled)
            return upright(resized, orientation)

    return _decoded(path, decode, turn)


def _decoded(path: Path, decode: Callable[[bytes | None], Image.Image], turn: Turn) -> Image.Image:
    """Decode a file; complete a JPEG that lacks only its end."""
    try:
        return decode(None)
    except ImageError:
        content = None
        with contextlib.suppress(OSError, ValueError):
            if path.is_file() and path.stat().st_size <= MAX_PIXELS:
                with turn, _pillow_settings:
                    content = with_end(path.read_bytes())
        if content is None:
            raise
    return decode(content)


@contextlib.contextmanager
def opened(path: Path, content: bytes | None = None) -> Iterator[Image.Image]:
    """Open an image and translate errors until it is closed."""
    _check_file(path)
    try:
        source = path if content is None else io.BytesIO(content)
        with _pillow_settings, Image.open(source, formats=read_formats()) as image:
            size = f"is {image.width} × {image.height} pixels"
            if min(image.size) < 1:
                fail(path, f"{size}; expected at least 1 × 1.")
            if math.prod(image.size) > MAX_PIXELS:
                fail(path, f"{size}, that is {_TOO_LARGE}")
            yield image
    except UnidentifiedImageError:
        problem = describe_file(path) or "is not an image, or damaged at its start."
        *others, last = read_formats()
        fail(path, f"{problem} Expected {', '.join(others)} or {last}.")
    except MemoryError:
        fail(path, "needs more memory to decode than there is. Make it smaller.")
    except Image.DecompressionBombError:
        fail(path, f"has {_TOO_LARGE}")
    except (OSError, *DAMAGED) as error:
        reason = f"{type(error).__name__}: {shown(error)}"
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
        fail(path, f"cannot be decoded ({reason}); the file is damaged. Copy it again.")


def fail(path: Path, what: str) -> NoReturn:
    """Raise an `ImageError` about a file."""
    msg = f"{shown(path.name)}: {what}"
    raise ImageError(msg)


def _turn_for(image: Image.Image, whole_size: tuple[int, int], turn: Turn) -> Turn:
    # Of a progressive JPEG the decoder holds all waves, at whatever scale it is decoded.
    size = whole_size if image.info.get("progressive") else image.size
    return contextlib.nullcontext() if math.prod(size) < _LARGE_PIXELS else turn


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except FileNotFoundError:
        fail(path, f"no such file in {path.parent}. Check the name and --image_dir.")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        fail(path, f"cannot be read ({reason}). Check the name and --image_dir.")
    if not stat.S_ISREG(status.st_mode):
        fail(path, "is a folder or device; expected an image file.")
    if status.st_size == 0:
        fail(path, "is empty (0 bytes). Copy it again.")


def orientation_of(image: Image.Image) -> int:
    """Read the EXIF orientation, 1 to 8; 1 if unknown."""
    try:
        orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
    except (OSError, *DAMAGED):
        return 1  # The pixels are good, only the notes about them are damaged.
    return orientation if isinstance(orientation, int) and orientation in _ORIENTATIONS else 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn pixels as their EXIF orientation asks."""
    return image.transpose(_ORIENTATIONS[orientation][0]) if orientation > 1 else image


def box_in_file(
    box: tuple[N, N, N, N], size: tuple[int, int], orientation: int
) -> tuple[N, N, N, N]:
    """Convert a box in the upright image to the axes of a file of `size`."""
    left, top, right, bottom = box
    if orientation >= _FIRST_SWAPPED:
        left, top, right, bottom = top, left, bottom, right
    _, mirrored_across, mirrored_down = _ORIENTATIONS.get(orientation, (None, False, False))
    if mirrored_across:
        left, right = size[0] - right, size[0] - left
    if mirrored_down:
        top, bottom = size[1] - bottom, size[1] - top
    return left, top, right, bottom


def turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Convert width and height between the file and the upright image."""
    return (size[1], size[0]) if orientation >= _FIRST_SWAPPED else size


def to_rgb(image: Image.Image, path: Path) -> Image.Image:
    """Convert pixels to RGB; raise an `ImageError` if their range is unknown."""
    mode, file_format = image.mode, image.format
    if mode in {"I", "F"} and not (mode == "I" and file_format in {"PNG", "PPM"}):
        pixels = "32-bit or signed pixels, whose range is unknown"
        fail(path, f"has {pixels}; expected 8 or 16 bits a channel. Save it with 8.")
    if mode.startswith("I"):
        # Pillow opens a PPM of more than 8 bits as "I", scaled to 0…65535.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    rgb.load()
    rgb.info = {}
    return rgb


# Names and folders of images


def name_problem(name: str) -> str | None:
    """Describe why an image name cannot be used; None if it can.

    The text, to follow "image_filename 'x'", depends on the name alone: links inside the image
    folder are followed.
    """
    parts = name.split("/")
    checks = (
        (not name.strip(), "is blank; expected the path of an image inside the image folder"),
        (
            any(unicodedata.category(character) == "Cc" for character in name),
            "has a control character; expected printable text",
        ),
        ("\\" in name, "has a backslash; expected '/' between folders"),
        (
            name.startswith("/") or _DRIVE.match(name),
            "is an absolute path; expected one relative to the image folder",
        ),
        (".." in parts, "leaves the image folder; expected a path inside it, without '..'"),
        (parts[-1] in {"", "."}, "names a folder; expected a file"),
    )
    return next((problem for is_bad, problem in checks if is_bad), None)


def all_plain(names: Sequence[str]) -> bool:
    """Return whether names are certainly good and canonical; False is inconclusive."""
    # Blank names and those that begin with "/" show as " /" or a double space.
    joined = f" {' '.join(names)} "
    return (
        joined.isprintable()
        and "  " not in joined
        and not any(part in joined for part in _SUSPICIOUS)
    )


def canonical_name(name: str) -> str:
    """Shorten a name to one spelling: `./a.jpg` and `a.jpg` are the same."""
    return "/".join(part for part in name.split("/") if part not in {"", "."})


def resolve_image_path(image_dir: Path, name: str) -> Path:
    """Join an image folder and a manifest's image name, or raise an `ImageError`."""
    problem = name_problem(name)
    if problem:
        msg = f"image name {shown(name)} {problem}."
        raise ImageError(msg)
    return image_dir / name


def resolve_image_paths(image_dir: Path, names: Sequence[str]) -> list[str]:
    """Join an image folder and many names to absolute path texts."""
    if not all_plain(names):
        for name in names:
            resolve_image_path(image_dir, name)
    folder = os.path.abspath(image_dir)  # noqa: PTH100 -- resolve() follows links
    return [f"{folder}/{name}" for name in names]


def check_image_dir(image_dir: Path, names: Sequence[str]) -> None:
    """Check that the first hundred names include an image, or raise an `ImageError`."""
    if not image_dir.is_dir():
        msg = f"{image_dir}: no such folder; expected the images. Check --image_dir."
        raise ImageError(msg)
    first = names[:_CHECKED]
    if not len(first):
        return
    paths = [path for name in first if (path := resolve_image_path(image_dir, name)).is_file()]
    if not paths:
        msg = (
            f"{image_dir}: has none of the first {len(first)} images, such as {shown(first[0])}. "
            "Names are relative to --image_dir; check both."
        )
        raise ImageError(msg)
    errors = []
    for path in paths:
        try:
            with opened(path):
                pass
        except ImageError as error:
            errors.append(error)
        else:
            break
    else:
        msg = f"{image_dir}: none of the first {len(paths)} files is an image. {errors[0]}"
        raise ImageError(msg)
    _warn_of_leaving_links(image_dir, first)


def real_image_path(image_dir: Path, name: str) -> Path:
    """Resolve an image's links; `ImageError` if they leave the folder and its hub cache's blobs."""
    folder = image_dir.resolve()
    path = resolve_image_path(folder, name).resolve()
    snapshots = next((each for each in folder.parents if each.name == "snapshots"), None)
    blobs = folder if snapshots is None else snapshots.parent / "blobs"
    if path.is_relative_to(folder) or path.is_relative_to(blobs):
        return path
    msg = (
        f"{shown(name)}: is a link that leaves the folder of its dataset, so it is not shown. Put "
        "the file itself there."
    )
    raise ImageError(msg)


def _warn_of_leaving_links(image_dir: Path, names: Sequence[str]) -> None:
    leaving = []
    for name in names:
        try:
            real_image_path(image_dir, name)
        except ImageError:
            leaving.append(name)
        except (OSError, RuntimeError):  # a circle of links: decoding reports it
            continue
    if leaving:
        _log.warning(
            "%s: %d of the first %d images are links that leave the folder, such as %s. They are "
            "used, but the dashboard will not show them; put the files themselves there.",
            image_dir, len(leaving), len(names), shown(leaving[0]),
        )  # fmt: skip
