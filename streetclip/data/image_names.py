"""Check image names: paths relative to an image folder, with `/` between folders."""

import re
import unicodedata
from collections.abc import Sequence

_DRIVE = re.compile(r"[A-Za-z]:")
# A name free of all of these is good; found fast in many names at once.
_SUSPICIOUS = ("\\", ":", "..", "./", "/.", "//", "/ ", " /", " . ")


def name_problem(name: str) -> str | None:
    """Describe why an image name cannot be used; None if it can.

    The rule is about the text alone: symbolic links inside the image folder are followed.

    Returns:
        The finding and what was expected, to follow "image_filename 'x'".

    Examples:
        >>> name_problem("paris/0001.jpg") is None
        True
        >>> name_problem("../secret.jpg")
        "leaves the image folder; expected a path inside it, without '..'"
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
    """Check many names at once: True if none is bad or has two spellings.

    False means only that each needs a check of its own.

    Examples:
        >>> all_plain(["a.jpg", "b/c d.jpg"]), all_plain(["a.jpg", "/b.jpg"])
        (True, False)
    """
    # Blank names and those that begin with "/" show as " /" or a double space.
    joined = f" {' '.join(names)} "
    return (
        joined.isprintable()
        and "  " not in joined
        and not any(part in joined for part in _SUSPICIOUS)
    )


def canonical_name(name: str) -> str:
    """Write a name in its shortest way, so that `./a.jpg` and `a.jpg` count as the same.

    Examples:
        >>> canonical_name("./b//c/./a.jpg")
        'b/c/a.jpg'
    """
    return "/".join(part for part in name.split("/") if part not in {"", "."})
