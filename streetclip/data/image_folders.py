"""Check a dataset's image folder, and which links may leave it."""

import logging
from collections.abc import Sequence
from pathlib import Path

from streetclip.data.decoding import check_image_header, resolve_image_path
from streetclip.errors import ImageError, shown

_CHECKED = 100

_log = logging.getLogger(__name__)


def check_image_dir(image_dir: Path, names: Sequence[str]) -> None:
    """Check that the first hundred names include an image.

    Raises:
        ImageError: The folder is missing, has none of these files, or none of them is an image.
    """
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
            check_image_header(path)
        except ImageError as error:
            errors.append(error)
        else:
            break
    else:
        msg = f"{image_dir}: none of the first {len(paths)} files is an image. {errors[0]}"
        raise ImageError(msg)
    _warn_of_leaving_links(image_dir, first)


def real_image_path(image_dir: Path, name: str) -> Path:
    """Resolve an image's links, which may lead to its hub cache's blobs.

    Raises:
        ImageError: The name is bad, or a link leads anywhere else.
    """
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
