"""Check image names and find their files; names are paths with `/`, relative to a folder."""

import logging
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from streetclip.data.decoding import check_image_header
from streetclip.errors import ImageError, shown

_CHECKED = 100
_DRIVE = re.compile(r"[A-Za-z]:")
# A name free of all of these is good; found fast in many names at once.
_SUSPICIOUS = ("\\", ":", "..", "./", "/.", "//", "/ ", " /", " . ")

_log = logging.getLogger(__name__)


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
