"""Check image names: paths with `/`, relative to an image folder."""

import re
import unicodedata
from collections.abc import Sequence

_DRIVE = re.compile(r"[A-Za-z]:")
# A name free of all of these is good; found fast in many names at once.
_SUSPICIOUS = ("\\", ":", "..", "./", "/.", "//", "/ ", " /", " . ")


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
