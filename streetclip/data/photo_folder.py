"""Find the photos of a folder by the endings of their names."""

import logging
import os
from pathlib import Path
from typing import Final, NoReturn

from PIL import Image

from streetclip.data.decoding import FORMATS
from streetclip.errors import ImageError, shown

_LOG = logging.getLogger(__name__)

# Not decoded: reported as unreadable, with what to do, rather than left out.
_HEIF_SUFFIXES: Final = frozenset({".heic", ".heif", ".hif"})


def find_photos(folder: Path, *, recursive: bool) -> list[str]:
    """List names of photos relative to a folder, sorted.

    Files of other endings are counted in the log; hidden ones and links to folders are left out.
    Raises ImageError for a folder that is missing, cannot be listed or has no photos.
    """
    if not folder.is_dir():
        msg = f"{folder}: no such folder; expected photos. Check --image_dir."
        raise ImageError(msg)
    suffixes = _HEIF_SUFFIXES.union(
        suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS
    )
    photos: list[str] = []
    num_others, subfolders = 0, []
    for place, inner, names in os.walk(folder, onerror=_fail_to_list):
        inner[:] = [name for name in inner if not name.startswith(".")]
        visible = [name for name in names if not name.startswith(".")]
        found = [name for name in visible if os.path.splitext(name)[1].lower() in suffixes]  # noqa: PTH122 -- a Path for each of a million takes seconds
        num_others += len(visible) - len(found)
        photos += [os.path.relpath(os.path.join(place, name), folder) for name in found]  # noqa: PTH118
        if not recursive:
            subfolders = inner[:]
            break
    if not photos:
        where = "it and its subfolders" if recursive else "it"
        advice = "Add --recursive for its subfolders." if subfolders else "Check --image_dir."
        plural = "s" * (num_others != 1)
        kinds = ", ".join(FORMATS[:-1])
        msg = (
            f"{folder}: no photo is in {where}, and {num_others:,} other file{plural}; expected "
            f"names that end as those of {kinds} or {FORMATS[-1]}. {advice}"
        )
        raise ImageError(msg)
    if num_others:
        _LOG.info("%s: left out %d files that have no name of an image", folder, num_others)
    return sorted(photos)


def _fail_to_list(error: OSError) -> NoReturn:
    msg = f"{shown(error.filename)}: cannot be listed ({error.strerror}). Check --image_dir."
    raise ImageError(msg) from error
