"""The images of a benchmark: as many files as asked for, each of a path of its own."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image

from streetclip.config import BenchmarkConfig
from streetclip.errors import ImageError

if TYPE_CHECKING:
    import pandas as pd

_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".avif")
)
_COLUMNS = {
    "image_filename": "image_filename",
    "city": "city",
    "region": "region",
    "country": "country",
    "continent": "continent",
    "latitude_deg": "latitude",
    "longitude_deg": "longitude",
}
_MOST_DRAWN = 40  # as many as a folder of samples has; they are repeated like photos
_QUALITY = 90
_CONTRAST = 60.0  # standard deviation of a photo's values, 0 to 255
_ROUGHNESS = 0.73  # of a scale against the next coarser one: files as large as of photos


def lay_out(config: BenchmarkConfig, folder: Path, some_country: str) -> int:
    """Make `images/` and `test.csv` in a folder; nothing of the user's is touched.

    Args:
        config: Where the photos come from, and how many files there are to be.
        folder: An empty one.
        some_country: What photos without a manifest are labelled with; it says nothing of them.

    Returns:
        How many of the files differ.

    Raises:
        ImageError: There is no image.
        ManifestError: `--test_csv` cannot be used.
    """
    if config.test_csv is not None:
        frame, photos = _labelled(config.test_csv, config.image_dir or Path(), config.num_images)
    else:
        photos = _photos(config, folder)
        frame = _unlabelled(len(photos), some_country)
    names = []
    for number in range(config.num_images):
        repeat, place = divmod(number, len(photos))
        names.append(f"{repeat:05}/{place:06}{photos[place].suffix}")
        link = folder / "images" / names[-1]
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(photos[place].resolve())
    repeated = frame.iloc[np.arange(config.num_images) % len(photos)]
    repeated.assign(image_filename=names).to_csv(folder / "test.csv", index=False)
    return len(photos)


def draw_photo(side_px: int, seed: int) -> PIL.Image.Image:
    """Draw noise of all scales, the finer the fainter, as photographs have it.

    Source: Field 1987, J. Opt. Soc. Am. A 4, 2379-2394: amplitudes fall with the frequency.

    Args:
        side_px: Width and height.
        seed: Of the noise.
    """
    rng = np.random.default_rng(seed)
    picture_HWC = np.zeros((side_px, side_px, 3), np.float32)
    weight = 1.0
    for octave in itertools.count(1):
        cells = min(2**octave, side_px)
        noise = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        scaled = PIL.Image.fromarray(noise).resize((side_px, side_px), PIL.Image.Resampling.BICUBIC)
        picture_HWC += weight * (np.asarray(scaled, np.float32) - 127.5)
        weight *= _ROUGHNESS
        if cells == side_px:
            break
    values_HWC = 127.5 + _CONTRAST * picture_HWC / picture_HWC.std()
    return PIL.Image.fromarray(values_HWC.clip(0, 255).astype(np.uint8))


def _labelled(test_csv: Path, image_dir: Path, most: int) -> "tuple[pd.DataFrame, list[Path]]":
    """The first rows of a manifest, with the columns of one, and where their images are."""
    from streetclip.data.decoding import check_image_dir, resolve_image_path
    from streetclip.data.manifest import read_manifest

    frame = read_manifest(test_csv).frame[:most]
    names = frame["image_filename"].tolist()
    check_image_dir(image_dir, names)
    columns = frame[list(_COLUMNS)].rename(columns=_COLUMNS)
    return columns, [resolve_image_path(image_dir, name) for name in names]


def _unlabelled(count: int, country: str) -> "pd.DataFrame":
    import pandas as pd

    blank = dict.fromkeys(_COLUMNS.values(), "") | {"country": country}
    return pd.DataFrame([blank] * count)


def _photos(config: BenchmarkConfig, folder: Path) -> list[Path]:
    if config.image_dir is None:
        return list(_drawn(config.synthetic, min(config.num_images, _MOST_DRAWN), folder / "drawn"))
    if not config.image_dir.is_dir():
        msg = (
            f"{config.image_dir}: there is no such folder; expected the images. Check --image_dir."
        )
        raise ImageError(msg)
    found = sorted(path for path in config.image_dir.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not found:
        msg = f"{config.image_dir}: has no image, by the names of its files. Check --image_dir."
        raise ImageError(msg)
    return found[: config.num_images]


def _drawn(side_px: int, count: int, folder: Path) -> Iterator[Path]:
    folder.mkdir()
    for number in range(count):
        path = folder / f"{number:06}.jpg"
        draw_photo(side_px, number).save(path, quality=_QUALITY)
        yield path
