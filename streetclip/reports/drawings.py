"""Draw charts and maps as SVG that needs no program: numbers in, coordinates out."""

import functools
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import pandas as pd

from streetclip.gazetteer.outlines import outline_features, world_edge
from streetclip.results import hexagon_counts
from streetclip.results.run_table import Bool, RunTable

CURVE_WIDTH, CURVE_HEIGHT = 600.0, 220.0
_NEAREST_KM, _FARTHEST_KM = 0.5, 20_000.0
_HEXAGON_DEG: Final = 3.0
_LARGEST_DISC: Final = 3.2  # radius in degrees of the map


class Disc(NamedTuple):
    """Images near one place of the map, all and correct: circles of areas that fit the counts."""

    x: float
    y: float
    radius: float
    radius_correct: float


@functools.cache
def land_path() -> str:
    """Draw all countries as one path, y southward, in tenths of a degree of the map."""
    return "".join(
        _closed(ring)
        for feature in outline_features()
        for polygon in feature["geometry"]["coordinates"]
        for ring in polygon
    )


@functools.cache
def edge_path() -> str:
    """Draw the line around the map."""
    return _closed(world_edge())


def _closed(ring: Sequence[Sequence[float]]) -> str:
    points = list(dict.fromkeys(f"{x:.1f},{-y:.1f}" for x, y in ring))
    return f"M{' '.join(points)}Z" if len(points) > 2 else ""  # noqa: PLR2004 -- a surface


def discs(table: RunTable, mask: Bool) -> list[Disc]:
    """Gather the selected images by true place, the largest disc first."""
    counts = hexagon_counts(table, mask, size_deg=_HEXAGON_DEG)
    found = counts.sort_values("n", ascending=False)
    per_image = _LARGEST_DISC / math.sqrt(found["n"].max()) if len(found) else 0.0
    columns = (found["x"], -found["y"], found["n"] ** 0.5, found["country_correct"] ** 0.5)
    rows = zip(*(each.tolist() for each in columns), strict=True)
    return [Disc(x, y, per_image * n, per_image * correct) for x, y, n, correct in rows]


def curve_x(distance_km: float) -> float:
    """Place a distance on the logarithmic axis of the curve, 0 to `CURVE_WIDTH`."""
    inside = min(max(distance_km, _NEAREST_KM), _FARTHEST_KM)
    share = math.log(inside / _NEAREST_KM) / math.log(_FARTHEST_KM / _NEAREST_KM)
    return CURVE_WIDTH * share


def curve_y(share: float) -> float:
    """Place a share in [0, 1] on the vertical axis of the curve."""
    return CURVE_HEIGHT * (1 - share)


def curve_points(curve: pd.DataFrame) -> dict[str, str]:
    """Place `results.distance_shares`: "line" and the "band" of its interval, as SVG points."""
    shown = curve[curve["distance_km"].between(_NEAREST_KM, _FARTHEST_KM)]
    x = [curve_x(each) for each in shown["distance_km"].tolist()]

    def points(name: str) -> list[str]:
        y = map(curve_y, shown[name].tolist())
        return [f"{across:.1f},{down:.1f}" for across, down in zip(x, y, strict=True)]

    return {
        "line": " ".join(points("value")),
        "band": " ".join([*points("low"), *reversed(points("high"))]),
    }
