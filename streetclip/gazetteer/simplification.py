"""Fewer points for the same outlines.

Each arc is simplified once and its ends stay, so that neighbours go on sharing their border.
Method: Visvalingam & Whyatt, "Line generalisation by repeated elimination of points" (1993).
"""

import dataclasses
import heapq
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streetclip.gazetteer.topojson import Degrees, Polygon, Ring, Shape, Topology, unwrapped
from streetclip.geo import EARTH_RADIUS_KM

_KM_PER_DEGREE = float(np.pi * EARTH_RADIUS_KM / 180)
_LEAST_CLOSED = 4  # points of a triangle, the first one repeated
_LEAST_SHARE = 0.5  # of its area that a ring keeps; below this its arcs stay as they were
_POLE_DEG = 89.9


def simplify(topology: Topology, *, least_km2: float, least_island_km2: float) -> Topology:
    """Leave out points and islands that are too small to see.

    Args:
        topology: Rings may cross the antimeridian.
        least_km2: A point stays if the triangle with its neighbours has at least this area.
        least_island_km2: A polygon stays if it has at least this area; each shape keeps its
            largest three, however small.

    Returns:
        The same shapes, in the same order, on the same grid. No ring turns over or collapses.
    """
    shapes = tuple(_without_specks(topology, shape, least_island_km2) for shape in topology.shapes)
    kept = [kept_points(topology.degrees(arc), least_km2) for arc in topology.arcs]
    arcs = [arc[mask] for arc, mask in zip(topology.arcs, kept, strict=True)]
    simple = dataclasses.replace(topology, shapes=shapes, arcs=tuple(arcs))
    for ring in _spoiled_rings(topology, simple):
        for index in ring:
            position = index if index >= 0 else ~index
            arcs[position] = topology.arcs[position]
    return dataclasses.replace(simple, arcs=tuple(arcs))


def kept_points(points: Degrees, least_km2: float) -> npt.NDArray[np.bool_]:
    """Which points of a line stay.

    Args:
        points: Longitude and latitude, [n, 2]. The ends always stay, and of a closed line two
            more points.
        least_km2: Smallest triangle, with its neighbours at the time, that a point must span.

    Examples:
        >>> bump = np.array([[0, 0], [1, 0.001], [2, 0], [3, 2], [4, 0]])
        >>> kept_points(bump, least_km2=100.0).tolist()
        [True, False, True, True, True]
    """
    flat = _flat_km(points)
    closed = bool(np.array_equal(points[0], points[-1]))
    before = [i - 1 for i in range(len(flat))]
    after = [i + 1 for i in range(len(flat))]
    kept = np.ones(len(flat), dtype=np.bool_)
    areas = [0.0, *(_triangle_km2(flat, i - 1, i, i + 1) for i in range(1, len(flat) - 1)), 0.0]
    heap = [(areas[i], i) for i in range(1, len(flat) - 1)]
    heapq.heapify(heap)
    spare = len(flat) - (_LEAST_CLOSED if closed else 2)
    while heap and spare > 0:
        area, point = heapq.heappop(heap)
        if not kept[point] or area != areas[point]:
            continue
        if area >= least_km2:
            break
        kept[point] = False
        spare -= 1
        left, right = before[point], after[point]
        after[left], before[right] = right, left
        for each in (left, right):
            if 0 < each < len(flat) - 1:
                # At least the area of the point that went before: it stood for that detail.
                areas[each] = max(area, _triangle_km2(flat, before[each], each, after[each]))
                heapq.heappush(heap, (areas[each], each))
    return kept


def ring_km2(points: Degrees) -> float:
    """Signed area of a ring on the sphere, positive if it runs clockwise (as d3-geo wants).

    The cylindrical equal-area projection (Lambert 1772) keeps areas; a ring around a pole is
    closed along it.

    Args:
        points: Longitude and latitude, [n, 2], the first repeated at the end.
    """
    line = unwrapped(points)
    x = np.radians(line[:, 0])
    y = np.sin(np.radians(line[:, 1]))
    turn = x[-1] - x[0]
    pole = np.sign(y.mean())
    across = float(np.sum((x[1:] - x[:-1]) * (y[1:] + y[:-1])) / 2 - turn * pole)
    return across * EARTH_RADIUS_KM**2


def _flat_km(points: Degrees) -> list[tuple[float, float]]:
    """Points on a plane around each line's middle latitude, in km."""
    line = unwrapped(points)
    middle = np.radians((line[:, 1].min() + line[:, 1].max()) / 2)
    plane = line * _KM_PER_DEGREE * np.array([np.cos(middle), 1.0])
    return [(float(x), float(y)) for x, y in plane]


def _triangle_km2(flat: Sequence[tuple[float, float]], a: int, b: int, c: int) -> float:
    (ax, ay), (bx, by), (cx, cy) = flat[a], flat[b], flat[c]
    return abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2


def _without_specks(topology: Topology, shape: Shape, least_km2: float) -> Shape:
    sizes = [
        sum(ring_km2(topology.ring_degrees(ring)) for ring in polygon) for polygon in shape.polygons
    ]
    enough = min(least_km2, *sorted(sizes, reverse=True)[:3])
    polygons = tuple(
        _without_pole(topology, polygon)
        for polygon, size in zip(shape.polygons, sizes, strict=True)
        if size >= enough
    )
    return dataclasses.replace(shape, polygons=polygons)


def _without_pole(topology: Topology, polygon: Polygon) -> Polygon:
    """Without the ring that some files draw around a pole; it encloses nothing."""
    return tuple(
        ring for ring in polygon if np.abs(topology.ring_degrees(ring)[:, 1]).min() < _POLE_DEG
    )


def _spoiled_rings(before: Topology, after: Topology) -> list[Ring]:
    """Rings that turned over, or lost most of their area, because their arcs became too short."""
    polygons = itertools.chain.from_iterable(shape.polygons for shape in after.shapes)
    return [
        ring
        for ring in itertools.chain.from_iterable(polygons)
        if ring_km2(after.ring_degrees(ring)) / ring_km2(before.ring_degrees(ring)) < _LEAST_SHARE
    ]
