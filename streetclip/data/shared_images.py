"""Images that two manifests share: what is trained on must not be tested on."""

import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from streetclip.data.image_names import canonical_name
from streetclip.data.manifest import Manifest
from streetclip.errors import shown

_EXAMPLES = 3


@dataclass(frozen=True)
class SharedImages:
    """Images that two manifests share.

    Attributes:
        first: Path of a manifest.
        second: Path of another.
        count: Images of the second that the first has too.
        examples: For some of them, line and name in the first, then in the second.
    """

    first: Path
    second: Path
    count: int
    examples: tuple[tuple[int, str, int, str], ...]

    def message(self) -> str:
        """Describe the leak, with lines of both files."""
        pairs = "; ".join(
            f"{shown(name_a)} on line {line_a} and {shown(name_b)} on line {line_b}"
            for line_a, name_a, line_b, name_b in self.examples
        )
        more = "; …" if self.count > len(self.examples) else ""
        plural = "s" * (self.count != 1)
        return (
            f"{self.first} and {self.second} share {self.count:,} image{plural} ({pairs}{more}): "
            "a model is tested on what it was trained on. Remove them from one file."
        )


def shared_images(
    manifests: Sequence[Manifest], image_dir: Path | None = None
) -> list[SharedImages]:
    """Find the images that each two manifests share, under whatever spelling.

    Args:
        manifests: Of different splits.
        image_dir: Folder of the images: names are the same image if they are the same file,
            links followed. If None, names are the same if they differ at most in `./`, `//` and
            case.
    """
    lines = [(manifest, _lines_by_image(manifest, image_dir)) for manifest in manifests]
    found = []
    for (first, lines_a), (second, lines_b) in combinations(lines, 2):
        shared = [image for image in lines_b if image in lines_a]
        if shared:
            examples = tuple((*lines_a[image], *lines_b[image]) for image in shared[:_EXAMPLES])
            found.append(SharedImages(first.path, second.path, len(shared), examples))
    return found


def _lines_by_image(manifest: Manifest, image_dir: Path | None) -> dict[Hashable, tuple[int, str]]:
    names = manifest.frame["image_filename"].tolist()
    lines = manifest.frame["line"].tolist()
    images = (_image_of(name, image_dir) for name in names)
    return dict(zip(images, zip(lines, names, strict=True), strict=True))


def _image_of(name: str, image_dir: Path | None) -> Hashable:
    canonical = canonical_name(name)
    if image_dir is None:
        return canonical.casefold()
    try:
        status = os.stat(f"{image_dir}/{canonical}")  # noqa: PTH116 -- a Path each takes longer
    except (OSError, ValueError):
        return canonical
    return status.st_dev, status.st_ino
