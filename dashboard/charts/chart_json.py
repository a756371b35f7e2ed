"""Turn Altair charts into JSON without Altair's slow validation."""

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from dashboard.shell import theme

alt.utils.schemapi.disable_debug_mode()


def specification(layers: Sequence[alt.Chart], **properties: Any) -> dict[str, Any]:
    """Layer charts as `alt.layer(*layers).to_dict()`, for channels with types, as in "km:Q".

    Skips charts without rows, unless they can be clicked: a screen reader would stop there.
    """
    names: dict[int, str] = {}
    frames: dict[str, pd.DataFrame] = {}
    drawn = []
    for layer in layers:
        parts = to_plain(layer)
        rows = parts["data"]
        if isinstance(rows, pd.DataFrame):
            if rows.empty and "params" not in parts:
                continue
            if id(rows) not in names:
                names[id(rows)] = f"rows_{_digest(rows)}"
                frames[names[id(rows)]] = rows
            parts["data"] = to_plain(alt.NamedData(names[id(rows)]))
        drawn.append(parts)
    return {
        **theme.altair_theme(),
        "$schema": alt.SCHEMA_URL,
        **to_plain(alt.LayerChart(**properties)),
        "layer": drawn,
        "datasets": frames,
    }


def _digest(rows: pd.DataFrame) -> str:
    """Hash a frame; the browser redraws a chart with new dataset names."""
    columns = [rows[name].to_numpy() for name in rows]
    values = [each.tolist() if each.dtype == object else each.tobytes() for each in columns]
    return hashlib.blake2b(repr([list(rows), values]).encode(), digest_size=8).hexdigest()


def to_plain(value: Any) -> Any:
    """Convert an Altair object to what `json` writes; keep frames."""
    if isinstance(value, alt.SchemaBase):
        settings = value._kwds  # noqa: SLF001 -- `to_dict` looks at each value eight times
        found = {key: to_plain(each) for key, each in settings.items() if each is not alt.Undefined}
        if "shorthand" in found:
            field = dict(_parsed(found.pop("shorthand")))
            if "type" not in settings:  # as of secondary channels such as X2
                field.pop("type", None)
            elif "type" not in {**field, **found}:
                msg = f"write the type of {field}, as in 'km:Q'"
                raise ValueError(msg)
            found |= field
        if isinstance(found.get("mark"), str):
            found["mark"] = to_plain(alt.MarkDef(found["mark"]))
        return found
    if isinstance(value, dict):
        return {key: to_plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value


@functools.cache
def _parsed(shorthand: str) -> dict[str, Any]:
    return alt.utils.parse_shorthand(shorthand)
