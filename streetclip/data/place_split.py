"""Split images by place, so that no two splits share a street; find those that do.

Axes: N images, K occupied cells of a grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streetclip.geo import EARTH_RADIUS_KM, unit_vectors

_CELLS: Final = 4  # a side of a cell is this part of the least distance

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Degrees = tuple[Float64, Float64]
"""Latitudes and longitudes; NaN where unknown."""


@dataclass(frozen=True)
class PlaceSplit:
    """Hold a split of N images: the number of each one's part, and groups that stay together."""

    number_N: Int64
    num_groups: int
    largest_group: int


def split_by_place(
    latitude_deg: ArrayLike,
    longitude_deg: ArrayLike,
    shares: Sequence[float],
    *,
    min_km: float,
    seed: int,
) -> PlaceSplit:
    """Split N points into parts of given shares, at least `min_km` apart.

    Points that are linked by steps of at most `min_km` form a group, which stays together; on a
    grid, so that some steps of up to 1.9 times as much link as well. Large groups are assigned
    first, the others in random order, each to the part that lacks most of its share and has room.

    Examples:
        >>> latitude = [48.850, 48.851, 41.90, 41.901, 35.0]
        >>> split_by_place(latitude, [2.35] * 5, [0.6, 0.4], min_km=1, seed=1).number_N[::2].size
        3
    """
    vectors_N3 = unit_vectors(np.asarray(latitude_deg, float), np.asarray(longitude_deg, float))
    group_N = _groups(vectors_N3, min_km)
    sizes = np.bincount(group_N)
    part = _assign(sizes, shares, np.random.default_rng(seed))
    return PlaceSplit(part[group_N], len(sizes), int(sizes.max()))


def are_near(points: Degrees, others: Degrees, km: float) -> NDArray[np.bool_]:
    """Find which of N points are at most `km` from any of others; none with NaN is.

    Examples:
        >>> own = np.array([48.85, 48.95]), np.array([2.35, 2.35])
        >>> are_near(own, (np.array([48.855, np.nan]), np.array([2.35, 0.0])), 1).tolist()
        [True, False]
    """
    from scipy.spatial import cKDTree

    points_N3, others_3 = unit_vectors(*points), unit_vectors(*others)
    others_3 = others_3[np.isfinite(others_3).all(axis=1)]
    is_near_N = np.asarray(np.isfinite(points_N3).all(axis=1))
    bound = np.nextafter(_chord(km), np.inf)  # which itself is left out
    tree = cKDTree(others_3)
    nearest, _ = tree.query(points_N3[is_near_N], distance_upper_bound=bound)
    is_near_N[is_near_N] = np.isfinite(nearest)
    return is_near_N


def _chord(km: float) -> float:
    """Convert a distance along the surface to a straight one, in radii."""
    return float(2 * np.sin(km / (2 * EARTH_RADIUS_KM)))


def _groups(vectors_N3: Float64, min_km: float) -> Int64:
    """Number the groups of linked points."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    # Pairs of points within a dense city are too many: cells stand for their points.
    chord = _chord(min_km)
    side = chord / _CELLS
    cells_K3, cell_N = np.unique(
        np.floor(vectors_N3 / side).astype(np.int64), axis=0, return_inverse=True
    )
    # Two points are at most the cells' diagonal farther apart or nearer than their cells' middles.
    reach = chord + side * np.sqrt(3)
    pairs = cKDTree(cells_K3 * side).query_pairs(reach, output_type="ndarray")
    links = coo_matrix(
        (np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(cells_K3),) * 2
    )
    _, group_K = connected_components(links, directed=False)
    group_N: Int64 = group_K[cell_N.ravel()].astype(np.int64)
    return group_N


def _assign(sizes: Int64, shares: Sequence[float], random: np.random.Generator) -> Int64:
    """Give each group to a part."""
    targets = [share * int(sizes.sum()) for share in shares]
    parts = [k for k, target in enumerate(targets) if target > 0]
    room = list(targets)
    part = np.empty(len(sizes), np.int64)
    large = min(targets[k] for k in parts) / 10
    order = random.permutation(len(sizes))
    first = np.argsort(-np.where(sizes[order] > large, sizes[order], 0), kind="stable")
    for group in order[first].tolist():
        size = int(sizes[group])
        fitting = [k for k in parts if room[k] >= size]
        if fitting:
            best = max(fitting, key=lambda k: room[k] / targets[k])
        else:
            best = max(parts, key=lambda k: room[k])
        room[best] -= size
        part[group] = best
    return part
