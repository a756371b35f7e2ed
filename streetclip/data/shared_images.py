"""Find images that two manifests share, which leaks training images."""

import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from streetclip.data.image_paths import canonical_name
from streetclip.data.manifest import Manifest
from streetclip.errors import shown

_EXAMPLES = 3


@dataclass(frozen=True)
class SharedImages:
    """Count the shared images; the message names lines of both manifests."""

    count: int
    message: str


def shared_images(
    manifests: Sequence[Manifest], image_dir: Path | None = None
) -> list[SharedImages]:
    """Find the images that each two manifests share, under any spelling.

    With `image_dir`, names are the same image if they are the same file, links followed; without,
    if they differ at most in `./`, `//` and case.
    """
    lines_by_image = []
    for manifest in manifests:
        names, lines = (manifest.frame[column].tolist() for column in ("image_filename", "line"))
        images = (_image_of(name, image_dir) for name in names)
        lines_by_image.append(dict(zip(images, zip(names, lines, strict=True), strict=True)))
    found = []
    for a, b in combinations(range(len(manifests)), 2):
        shared = [image for image in lines_by_image[b] if image in lines_by_image[a]]
        if not shared:
            continue
        pairs = "; ".join(
            " and ".join(
                f"{shown(name)} on line {line}"
                for name, line in (lines_by_image[a][image], lines_by_image[b][image])
            )
            for image in shared[:_EXAMPLES]
        )
        more = "; …" if len(shared) > _EXAMPLES else ""
        message = (
            f"{manifests[a].path} and {manifests[b].path} share {len(shared):,} "
            f"image{'s' * (len(shared) != 1)} ({pairs}{more}): a model is tested on what it was "
            "trained on. Remove them from one file."
        )
        found.append(SharedImages(len(shared), message))
    return found


def _image_of(name: str, image_dir: Path | None) -> Hashable:
    canonical = canonical_name(name)
    if image_dir is None:
        return canonical.casefold()
    try:
        status = os.stat(f"{image_dir}/{canonical}")  # noqa: PTH116 -- a Path each takes longer
    except (OSError, ValueError):
        return canonical
    return status.st_dev, status.st_ino
