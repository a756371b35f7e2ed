"""The drawn world: street scenes of real countries, drawn and marked as such."""

import json
from pathlib import Path
from typing import Any

MARKER_NAME = "drawn_world.json"


def is_drawn(path: Path | str) -> bool:
    """Check whether a CSV, a folder or an image belongs to a drawn world.

    Examples:
        >>> is_drawn("no/such/folder/test.csv")
        False
    """
    # data/demo/images/test_00001.jpg lies two folders below the marker.
    absolute = Path(path).absolute()
    folders = (absolute, *absolute.parents[:2])
    return any(bool(read_marker(folder).get("drawn")) for folder in folders)


def read_marker(folder: Path) -> dict[str, Any]:
    """Read a folder's marker; empty where there is none."""
    try:
        content = json.loads((folder / MARKER_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
