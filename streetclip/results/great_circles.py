"""Draw great circles on the map of `geo.equal_earth`.

Legend of shapes: N arcs, K + 1 samples of each.
"""

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.geo import east_of_middle, equal_earth, unit_vectors

Float64 = NDArray[np.float64]

_NUM_STEPS: Final = 96  # K, even
_SPACING: Final = 4.0  # between the points of a path, in degrees of the map
_DECIMALS: Final = 2  # about 1 km
_EDGE_DEG: Final = 180.0


def great_circles(ends: pd.DataFrame, *, halves: bool = False) -> pd.DataFrame:
    """Trace the shortest way from true to predicted places, in pieces that lie on the map.

    A way that crosses the map's edge goes on at the other edge, in another piece; with `halves` it
    is cut in the middle, too. Between antipodes, one of the shortest ways.

    Args:
        ends: true_latitude_deg, true_longitude_deg, pred_latitude_deg and pred_longitude_deg of N
            arcs; none is NaN.
        halves: Whether each piece is in one half of its way.

    Returns:
        One row for each piece, from the true place on: arc (position in `ends`), half (0 is that of
        the true place; 0 for whole ways), and path ([x, y, x, y, …] on the map).
    """
    latitude, east = _samples(ends)
    points = _kept(latitude, east)
    if halves:
        middle = points[points["step"] == _NUM_STEPS // 2].assign(half=0)
        points = pd.concat([points.assign(half=points["step"] >= _NUM_STEPS // 2), middle])
    else:
        points["half"] = 0
    by = ["arc", "half", "side"]
    points = points.astype({"half": np.int64}).sort_values([*by, "step"], kind="stable")
    x, y = equal_earth(points["latitude"].to_numpy(), points["east"].to_numpy())
    flat = np.column_stack([x, y]).round(_DECIMALS)
    pieces = points.groupby(by, sort=True).size().reset_index(name="n")
    stops = pieces["n"].cumsum().to_numpy()
    pieces["path"] = pd.Series(
        [
            flat[stop - n : stop].ravel().tolist()
            for stop, n in zip(stops, pieces["n"], strict=True)
        ],
        dtype=object,
    )
    return pieces[["arc", "half", "path"]]


def _samples(ends: pd.DataFrame) -> tuple[Float64, Float64]:
    """Compute latitudes and degrees east of the map's middle along arcs: N × (K + 1) each."""
    start_N3, end_N3 = (
        unit_vectors(*(ends[f"{end}_{axis}_deg"].to_numpy() for axis in ("latitude", "longitude")))
        for end in ("true", "pred")
    )
    # The tangent at the start; for equal and opposite places, any direction.
    tangent_N3 = end_N3 - (start_N3 * end_N3).sum(axis=1, keepdims=True) * start_N3
    sine = np.linalg.norm(tangent_N3, axis=1, keepdims=True)
    axis_N3 = np.eye(3)[np.abs(start_N3).argmin(axis=1)]
    sideways_N3 = np.cross(start_N3, axis_N3)
    sideways_N3 /= np.linalg.norm(sideways_N3, axis=1, keepdims=True)
    tangent_N3 = np.where(sine > 1e-9, tangent_N3 / np.maximum(sine, 1e-9), sideways_N3)  # noqa: PLR2004
    angle_N1 = np.arctan2(sine, (start_N3 * end_N3).sum(axis=1, keepdims=True))
    turn_NK1 = (angle_N1 * np.linspace(0, 1, _NUM_STEPS + 1))[:, :, None]
    x, y, z = np.moveaxis(
        np.cos(turn_NK1) * start_N3[:, None] + np.sin(turn_NK1) * tangent_N3[:, None], 2, 0
    )
    latitude = np.degrees(np.arcsin(z.clip(-1.0, 1.0)))
    return latitude, east_of_middle(np.degrees(np.arctan2(y, x)))


def _kept(latitude: Float64, east: Float64) -> pd.DataFrame:
    """List the samples that a smooth path needs, and both points where it crosses an edge."""
    x, y = equal_earth(latitude, east)
    leaps = np.diff(east, axis=1)
    is_cut = np.abs(leaps) > _EDGE_DEG
    length = np.where(is_cut, 0.0, np.hypot(np.diff(x, axis=1), np.diff(y, axis=1))).cumsum(axis=1)
    mark = np.floor(np.pad(length, ((0, 0), (1, 0))) / _SPACING)
    kept = np.diff(mark, axis=1, prepend=-1) > 0
    kept[:, [0, _NUM_STEPS // 2, _NUM_STEPS]] = True
    kept[:, 1:] |= is_cut
    kept[:, :-1] |= is_cut
    side = np.pad(is_cut, ((0, 0), (1, 0))).cumsum(axis=1)
    arc, step = np.nonzero(kept)
    found: dict[str, Any] = {"arc": arc, "step": step.astype(np.float64), "side": side[kept]}
    frame = pd.DataFrame(found | {"latitude": latitude[kept], "east": east[kept]})

    # Cross the edge where the way does, by the share of the step.
    arc, step = np.nonzero(is_cut)
    before, leap = east[arc, step], leaps[arc, step]
    edge = np.where(leap < 0, _EDGE_DEG, -_EDGE_DEG)
    share = (edge - before) / (leap - 2 * np.sign(leap) * _EDGE_DEG)
    at = latitude[arc, step] + share * (latitude[arc, step + 1] - latitude[arc, step])
    cut = pd.DataFrame({"arc": arc, "step": step + 0.5, "latitude": at})
    first, last = side[arc, step], side[arc, step + 1]
    return pd.concat(
        [frame, cut.assign(side=first, east=edge), cut.assign(side=last, east=-edge)],
        ignore_index=True,
    )
