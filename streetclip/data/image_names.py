"""Image names: paths relative to an image folder, with `/` between folders."""

import re
import unicodedata
from collections.abc import Callable, Sequence

_DRIVE = re.compile(r"[A-Za-z]:")
_RULES: tuple[tuple[Callable[[str], object], str], ...] = (
    (
        lambda name: not name.strip(),
        "is blank; expected the path of an image inside the image folder",
    ),
    (
        lambda name: any(unicodedata.category(character) == "Cc" for character in name),
        "has a control character; expected printable text",
    ),
    (lambda name: "\\" in name, "has a backslash; expected '/' between folders"),
    (
        lambda name: name.startswith("/") or _DRIVE.match(name),
        "is an absolute path; expected one relative to the image folder",
    ),
    (
        lambda name: ".." in name.split("/"),
        "leaves the image folder; expected a path inside it, without '..'",
    ),
    (
        lambda name: name.split("/")[-1] in {"", "."},
        "names a folder; expected a file",
    ),
)
# A name free of all of these is good; found fast in many names at once.
_SUSPICIOUS = ("\\", ":", "..", "./", "/.", "//", "/ ", " /", " . ")


def name_problem(name: str) -> str | None:
    """Say why an image name cannot be used, or None if it can.

    The rule is about the text alone: symbolic links that the user made inside the image folder
    are followed.

    Returns:
        What was found and what was expected, to stand after "image_filename is 'x'".

    Examples:
        >>> name_problem("paris/0001.jpg") is None
        True
        >>> name_problem("../secret.jpg")
        "leaves the image folder; expected a path inside it, without '..'"
    """
    for is_bad, problem in _RULES:
        if is_bad(name):
            return problem
    return None


def all_plain(names: Sequence[str]) -> bool:
    """Tell in one sweep that none of many names is bad or has two spellings.

    False means only that they must be looked at one by one.

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
