"""Distinguish names of models on the hub from paths, without a request."""

import re

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


def is_hub_id(source: str) -> bool:
    """Check whether a text could name a model on the hub: `name` or `organisation/name`."""
    suffixes = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
    is_path = ".." in source or source.endswith(suffixes)  # the hub has no name with two dots
    return bool(_HUB_ID.fullmatch(source)) and not is_path
