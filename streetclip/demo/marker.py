"""The file that says that a folder's images are drawn, and whether all of them are there."""

import json
from pathlib import Path
from typing import Any

MARKER_NAME = "drawn_world.json"


def is_drawn(path: Path | str) -> bool:
    """Whether a manifest CSV, an image folder or an image belongs to a drawn world.

    Args:
        path: A file or folder; it need not exist.

    Examples:
        >>> is_drawn("no/such/folder/test.csv")
        False
    """
    return any(bool(read_marker(folder).get("drawn")) for folder in _folders(Path(path)))


def read_marker(folder: Path) -> dict[str, Any]:
    """The content of a folder's marker; empty where there is none."""
    try:
        content = json.loads((folder / MARKER_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _folders(path: Path) -> tuple[Path, ...]:
    # data/demo/images/test_00001.jpg lies two folders below the marker.
    absolute = path.absolute()
    return (absolute, *absolute.parents[:2])
