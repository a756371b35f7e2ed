"""TopoJSON: shapes whose rings are chains of shared arcs, so that neighbours share a border.

The format is that of the TopoJSON specification, version 1, quantized: an arc is a list of steps
on a grid; ring `[3, ~5]` is arc 3 forward, then arc 5 backward.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ring = tuple[int, ...]
Polygon = tuple[Ring, ...]
Degrees = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]

_HALF_TURN_DEG = 180.0


@dataclass(frozen=True)
class Shape:
    """What is drawn as one thing.

    Args:
        properties: Its names, as the file carries them; "id" is the geometry's own, if any.
        polygons: Of each, the outer ring, then its holes; a ring is a tuple of arc indices.
    """

    properties: Mapping[str, str]
    polygons: tuple[Polygon, ...]


@dataclass(frozen=True)
class Topology:
    """Shapes and the arcs that they share.

    Args:
        arcs: Of each arc the grid points (longitude, latitude), [n, 2].
        scale: Degrees a grid step, of longitude and latitude.
        translate: Degrees of the grid's origin.
        shapes: In the order of the file.
    """

    arcs: tuple[Steps, ...]
    scale: tuple[float, float]
    translate: tuple[float, float]
    shapes: tuple[Shape, ...]

    def degrees(self, points: Steps) -> Degrees:
        """Longitude and latitude of grid points, [n, 2]."""
        degrees: Degrees = points * np.array(self.scale) + np.array(self.translate)
        return degrees

    def ring_degrees(self, ring: Ring) -> Degrees:
        """Longitude and latitude along a ring, [n, 2]; the first point is also the last."""
        return self.degrees(np.vstack([arc[start:] for arc, start in self._ring_arcs(ring)]))

    def _ring_arcs(self, ring: Ring) -> Iterator[tuple[Steps, int]]:
        """A ring's arcs in its direction; all but the first begin with the point before them."""
        for position, index in enumerate(ring):
            yield (self.arcs[index] if index >= 0 else self.arcs[~index][::-1]), int(position > 0)


def read_topology(content: Mapping[str, Any], name: str) -> Topology:
    """Read one object of a quantized TopoJSON.

    Args:
        content: The parsed file.
        name: Which of its objects; a GeometryCollection of Polygon and MultiPolygon.

    Raises:
        KeyError, TypeError, ValueError: It is not such a file.
    """
    shapes = [_read_shape(geometry) for geometry in content["objects"][name]["geometries"]]
    transform = content["transform"]
    return Topology(
        arcs=tuple(np.cumsum(np.array(arc, dtype=np.int64), axis=0) for arc in content["arcs"]),
        scale=_pair(transform["scale"]),
        translate=_pair(transform["translate"]),
        shapes=tuple(shapes),
    )


def write_topology(topology: Topology, name: str) -> dict[str, Any]:
    """Make the content of a TopoJSON file; arcs that no shape uses are left out."""
    used = sorted(set(arc_indices(topology.shapes)))
    number = {index: position for position, index in enumerate(used)}
    geometries = [_write_shape(shape, number) for shape in topology.shapes]
    return {
        "type": "Topology",
        "transform": {"scale": list(topology.scale), "translate": list(topology.translate)},
        "objects": {name: {"type": "GeometryCollection", "geometries": geometries}},
        "arcs": [_steps(topology.arcs[index]).tolist() for index in used],
    }


def arc_indices(shapes: Iterable[Shape]) -> Iterator[int]:
    """The index of each arc that the shapes use, as often as it is used, without its direction."""
    for shape in shapes:
        for polygon in shape.polygons:
            for ring in polygon:
                yield from (index if index >= 0 else ~index for index in ring)


def unwrapped(points: Degrees) -> Degrees:
    """Points whose longitudes go on beyond ±180° where they cross the antimeridian, [n, 2].

    Examples:
        >>> unwrapped(np.array([[179.0, 1.0], [-179.0, 2.0]])).tolist()
        [[179.0, 1.0], [181.0, 2.0]]
    """
    steps = points[1:, 0] - points[:-1, 0]
    if np.abs(steps).max(initial=0.0) <= _HALF_TURN_DEG:
        return points
    longitudes = np.unwrap(points[:, 0], period=2 * _HALF_TURN_DEG)
    return np.column_stack([longitudes, points[:, 1]])


def _pair(values: Sequence[Any]) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)


def _read_shape(geometry: Mapping[str, Any]) -> Shape:
    kinds = {"Polygon": [geometry["arcs"]], "MultiPolygon": geometry["arcs"]}
    polygons = tuple(
        tuple(tuple(int(index) for index in ring) for ring in polygon)
        for polygon in kinds[geometry["type"]]
    )
    number = {"id": geometry["id"]} if "id" in geometry else {}
    names = {**number, **geometry["properties"]}
    return Shape({key: str(value) for key, value in names.items()}, polygons)


def _write_shape(shape: Shape, number: Mapping[int, int]) -> dict[str, Any]:
    arcs = [
        [[number[i] if i >= 0 else ~number[~i] for i in ring] for ring in polygon]
        for polygon in shape.polygons
    ]
    return {"type": "MultiPolygon", "properties": dict(shape.properties), "arcs": arcs}


def _steps(points: Steps) -> Steps:
    return np.vstack([points[:1], np.diff(points, axis=0)])
