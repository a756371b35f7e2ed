"""Everything about a manifest and its images that can be checked before hours of computing."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from streetclip.datasets.images import resolve_image_path
from streetclip.datasets.manifest import Manifest
from streetclip.progress import Progress, no_progress

if TYPE_CHECKING:
    from streetclip.datasets.candidates import Candidates

_BATCH = 8


@dataclass(frozen=True)
class Coverage:
    """How many images' places a candidate list can name.

    Attributes:
        country: Images whose country is a candidate.
        city: Images whose city is a candidate of that country.
        num_images: All images.
        countries_missing: Codes of the countries that are no candidates, most images first.
    """

    country: int
    city: int
    num_images: int
    countries_missing: tuple[str, ...]


def unreadable_images(
    manifest: Manifest, image_dir: Path, *, num_workers: int, progress: Progress = no_progress
) -> list[tuple[int, str]]:
    """Decode every image of a manifest.

    Args:
        manifest: The manifest.
        image_dir: Folder that its image names are relative to.
        num_workers: Processes that decode; see `batches.iterate_batches`.
        progress: Told the images done, and how many of them cannot be read.

    Returns:
        Line and error of each image that cannot be read, in order.
    """
    from streetclip.datasets.batches import iterate_batches

    frame = manifest.frame
    paths = [resolve_image_path(image_dir, name) for name in frame["image_filename"]]
    errors: dict[int, str] = {}
    progress(0, len(paths))
    batches = iterate_batches(paths, _one_pixel, batch_size=_BATCH, num_workers=num_workers)
    for number, batch in enumerate(batches, start=1):
        errors |= batch.errors
        progress(min(number * _BATCH, len(paths)), len(paths), unreadable=len(errors))
    lines = frame["line"].to_numpy()
    return [(int(lines[i]), errors[i]) for i in sorted(errors)]


def coverage(manifest: Manifest, candidates: "Candidates") -> Coverage:
    """Count the images whose country and city are candidates."""
    codes = manifest.frame["country_code"]
    country_index, city_index = candidates.truth_indices(
        codes.tolist(), manifest.frame["city"].tolist()
    )
    missing = codes[country_index < 0].value_counts()
    return Coverage(
        country=int((country_index >= 0).sum()),
        city=int((city_index >= 0).sum()),
        num_images=len(codes),
        countries_missing=tuple(map(str, missing.index)),
    )


def _one_pixel(_image: Image.Image) -> NDArray[np.uint8]:
    return np.zeros((1, 1, 3), np.uint8)
