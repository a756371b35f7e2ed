"""Aggregate millions of images into hexagons of equal area on the map of `geo.equal_earth`."""

import math
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.geo import MAP_HEIGHT, MAP_WIDTH, on_map
from streetclip.results.groups import Grouping, group_counts
from streetclip.results.run_table import Bool, RunTable, check_known, selected_rows

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

_SMALLEST_DEG, _LARGEST_DEG = 0.2, 90.0
_DECIMALS: Final = 3
_KEPT: WeakKeyDictionary[RunTable, tuple["Lattice", NDArray[np.int32]]] = WeakKeyDictionary()
"""The hexagon of every image, of the size asked for last: a second's work at 10 million."""


@dataclass(frozen=True)
class Lattice:
    """Hexagons, a corner up, that tile the map.

    The centre of hexagon 0 is the map's south-western corner; odd rows begin half a width further
    east.

    Attributes:
        width: Between the centres of two in a row, in degrees of the map.
        num_columns: Hexagons of a row.
        num_rows: Rows from the southern end of the map to the northern one.
    """

    width: float
    num_columns: int
    num_rows: int

    @classmethod
    def of_size(cls, size_deg: float) -> "Lattice":
        """Make hexagons of a width in degrees of the map, 0.2 to 90."""
        if not _SMALLEST_DEG <= size_deg <= _LARGEST_DEG:
            msg = f"size_deg is {size_deg}; expected {_SMALLEST_DEG} to {_LARGEST_DEG:g}"
            raise ValueError(msg)
        num_rows = math.ceil(MAP_HEIGHT / (size_deg * math.sqrt(3) / 2)) + 2
        return cls(size_deg, math.ceil(MAP_WIDTH / size_deg) + 2, num_rows)

    @property
    def height(self) -> float:
        """The distance between two rows: √3/2 of the width."""
        return self.width * math.sqrt(3) / 2

    def cells(self, latitude_deg: NDArray[Any], longitude_deg: NDArray[Any]) -> Int64:
        """Find the hexagon of each of N places: row · num_columns + column; −1 where one is NaN.

        The centres are two grids of rectangles, of the even and of the odd rows; a point belongs to
        the nearer of its nearest centres in both. In single precision: a point within some 10 m of
        an edge may be on either side of it.
        """
        is_known = ~(np.isnan(latitude_deg) | np.isnan(longitude_deg))
        places = (each[is_known].astype(np.float32) for each in (latitude_deg, longitude_deg))
        x, y = on_map(*places)
        x, y = (x + MAP_WIDTH / 2) / self.width, (y + MAP_HEIGHT / 2) / self.height
        even_row, odd_row = 2 * np.rint(y / 2), 2 * np.floor(y / 2) + 1
        even_column, odd_column = np.rint(x), np.floor(x)
        ratio = 3 / 4  # (height / width)²
        even_far = (x - even_column) ** 2 + ratio * (y - even_row) ** 2
        odd_far = (x - odd_column - 0.5) ** 2 + ratio * (y - odd_row) ** 2
        is_even = even_far <= odd_far
        row = np.where(is_even, even_row, odd_row).clip(0).astype(np.int64)
        column = np.where(is_even, even_column, odd_column).clip(0).astype(np.int64)
        cells = np.full(len(is_known), -1, dtype=np.int64)
        cells[is_known] = row * self.num_columns + column
        return cells

    def centres(self, cells: Int64) -> tuple[Float64, Float64]:
        """Compute x and y of the centres on the map."""
        row, column = np.divmod(cells, self.num_columns)
        x = (column + (row % 2) / 2) * self.width - MAP_WIDTH / 2
        return x, row * self.height - MAP_HEIGHT / 2

    def outlines(self, cells: Int64) -> list[list[list[float]]]:
        """Compute the six corners of each hexagon as [x, y] on the map."""
        x, y = self.centres(cells)
        angles = np.radians(30 + 60 * np.arange(6))
        radius = self.width / math.sqrt(3)
        around = x[:, None] + radius * np.cos(angles), y[:, None] + radius * np.sin(angles)
        corners: list[list[list[float]]] = np.stack(around, axis=-1).round(_DECIMALS).tolist()
        return corners


def hexagon_counts(
    table: RunTable, mask: Bool, *, where: str = "true", size_deg: float = 3.0
) -> pd.DataFrame:
    """Count the images of a run by hexagon of their true or predicted place (`where`).

    Images whose place has no coordinates are left out; `size_deg` as `Lattice.of_size`.

    Returns:
        One row for each hexagon that has an image: cell (`Lattice.cells`), x and y of its centre,
        outline (`Lattice.outlines`), and the counters and medians of `group_counts`.
    """
    lattice = Lattice.of_size(size_deg)
    cells = _cells(table, mask, lattice, where)
    found = np.flatnonzero(np.bincount(cells[cells >= 0], minlength=1))
    group_of = np.zeros(lattice.num_rows * lattice.num_columns, dtype=np.int64)
    group_of[found] = np.arange(len(found))
    x, y = lattice.centres(found)
    outlines = pd.Series(lattice.outlines(found), dtype=object)
    keys = pd.DataFrame({"cell": found, "x": x, "y": y, "outline": outlines})
    return group_counts(table, cells >= 0, Grouping(cells, group_of, keys))


def images_in_hexagon(
    table: RunTable, mask: Bool, cell: int, *, where: str = "true", size_deg: float = 3.0
) -> Bool:
    """Find the images in one hexagon of `hexagon_counts`: N booleans.

    A `cell` that is not on the map holds no image.
    """
    inside: Bool = (_cells(table, mask, Lattice.of_size(size_deg), where) == cell) & (cell >= 0)
    return inside


def _cells(table: RunTable, mask: Bool, lattice: Lattice, where: str) -> NDArray[np.integer]:
    """Find the hexagon of each selected image whose place has coordinates, else −1: N cells."""
    check_known("where", where, ("true", "predicted"))
    mask = table.with_prediction(mask)
    if where == "true":
        return np.where(mask, _true_cells(table, lattice), np.int32(-1))
    places = table.predicted_places
    of_place = lattice.cells(places["latitude_deg"].to_numpy(), places["longitude_deg"].to_numpy())
    return np.where(mask, of_place[table.pred_place], -1)


def _true_cells(table: RunTable, lattice: Lattice) -> NDArray[np.int32]:
    known, cells = _KEPT.get(table, (None, np.empty(0, dtype=np.int32)))
    if known != lattice:
        cells = np.full(table.num_images, -1, dtype=np.int32)
        latitude, longitude = table.load("true_latitude_deg", "true_longitude_deg")
        for rows in selected_rows(table.done):
            cells[rows] = lattice.cells(latitude[rows], longitude[rows])
        _KEPT[table] = lattice, cells
    return cells
