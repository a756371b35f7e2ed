"""Aggregate millions of images into hexagons of a map.

The map is Mercator's, where the hexagons are regular: x is the longitude, y the stretched latitude,
both in degrees; at the equator they are the same.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.results.run_table import Bool, RunTable, check_known, selected_rows

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

LAST_LATITUDE_DEG: Final = 85.0511
"""Where Mercator's square map ends; places beyond it are drawn there."""


@dataclass(frozen=True)
class Lattice:
    """Hexagons, a corner up, that tile the map and meet at the date line.

    Attributes:
        num_columns: Hexagons around the earth; column 0 is centred on 180° W in even rows.
        num_rows: Rows from the southern end of the map to the northern one.
        width_deg: Between the centres of two in a row.
        height_deg: Between two rows: √3/2 of the width.
    """

    num_columns: int
    num_rows: int
    width_deg: float
    height_deg: float

    @classmethod
    def of_size(cls, size_deg: float) -> "Lattice":
        """Make hexagons of about a width in degrees of longitude, 0.2 to 90."""
        if not 0.2 <= size_deg <= 90:  # noqa: PLR2004 -- at most 2**22 hexagons
            msg = f"size_deg is {size_deg}; expected 0.2 to 90"
            raise ValueError(msg)
        num_columns = round(360 / size_deg)
        width = 360 / num_columns
        height = width * math.sqrt(3) / 2
        num_rows = math.ceil(360 / height) + 3
        return cls(num_columns, num_rows, width, height)

    def cells(self, latitude_deg: NDArray[Any], longitude_deg: NDArray[Any]) -> Int64:
        """Find the hexagon of each of N places: row · num_columns + column; −1 where one is NaN.

        The centres are two grids of rectangles, of the even and of the odd rows; a point belongs to
        the nearer of its nearest centres in both. In single precision: a point within some 10 m of
        an edge may be on either side of it.
        """
        is_known = ~(np.isnan(latitude_deg) | np.isnan(longitude_deg))
        x = (longitude_deg[is_known].astype(np.float32) + 180) / self.width_deg
        y = (mercator_deg(latitude_deg[is_known]) + 180) / self.height_deg + 1
        even_row, odd_row = 2 * np.rint(y / 2), 2 * np.floor(y / 2) + 1
        even_column, odd_column = np.rint(x), np.floor(x)
        ratio = 3 / 4  # (height / width)²
        even_far = (x - even_column) ** 2 + ratio * (y - even_row) ** 2
        odd_far = (x - odd_column - 0.5) ** 2 + ratio * (y - odd_row) ** 2
        is_even = even_far <= odd_far
        row = np.where(is_even, even_row, odd_row).astype(np.int64)
        column = np.where(is_even, even_column, odd_column).astype(np.int64)
        column[column >= self.num_columns] = 0  # 180° E is 180° W
        cells = np.full(len(is_known), -1, dtype=np.int64)
        cells[is_known] = row * self.num_columns + column
        return cells

    def centres(self, cells: Int64) -> tuple[Float64, Float64]:
        """Compute latitude, and longitude from −180 to 180, of the centres, in degrees."""
        x, y = self._middle(cells)
        return _latitude_deg(y), x

    def outlines(self, cells: Int64) -> list[list[list[float]]]:
        """Compute the six corners of each hexagon as [longitude, latitude], in degrees.

        At the date line longitudes go on beyond ±180.
        """
        x, y = self._middle(cells)
        angles = np.radians(30 + 60 * np.arange(6))
        radius = self.width_deg / math.sqrt(3)
        longitude = x[:, None] + radius * np.cos(angles)
        latitude = _latitude_deg(y[:, None] + radius * np.sin(angles))
        corners: list[list[list[float]]] = np.stack([longitude, latitude], axis=-1).tolist()
        return corners

    def _middle(self, cells: Int64) -> tuple[Float64, Float64]:
        row, column = np.divmod(cells, self.num_columns)
        x = (column + (row % 2) / 2) * self.width_deg - 180.0
        y = (row - 1) * self.height_deg - 180.0
        return x, y


def mercator_deg(latitude_deg: NDArray[Any]) -> NDArray[np.float32]:
    """Compute Mercator's y, −180 to 180: artanh(sin φ) in degrees, clipped at the map's ends.

    In single precision, which is good to about 10 m below 60°.
    """
    sine = np.sin(latitude_deg.astype(np.float32) * math.radians(1))
    last = np.float32(math.sin(math.radians(LAST_LATITUDE_DEG)))
    sine = np.clip(sine, -last, last)
    y: NDArray[np.float32] = np.log((1 + sine) / (1 - sine)) * math.degrees(1 / 2)
    return y


def _latitude_deg(y_deg: Float64) -> Float64:
    latitude: Float64 = np.degrees(np.arctan(np.sinh(np.radians(y_deg))))
    return latitude


def error_hexbins(
    table: RunTable,
    mask: Bool,
    *,
    where: str = "true",
    measure: str = "distance_km",
    size_deg: float = 3.0,
) -> pd.DataFrame:
    """Aggregate the images of a run into hexagons, as `hexbins`.

    By their true or their predicted place (`where`); images whose place has no coordinates are left
    out. `measure` is the column to average, `size_deg` as `Lattice.of_size`.
    """
    lattice = Lattice.of_size(size_deg)
    rows, cells = _selected_cells(table, mask, lattice, where)
    return hexbins(lattice, cells, table.column(measure)[rows])


def images_in_hexagon(
    table: RunTable, mask: Bool, cell: int, *, where: str = "true", size_deg: float = 3.0
) -> Bool:
    """Find the images in one hexagon of `error_hexbins`: N booleans.

    `cell` is as `Lattice.cells` returns it; one that is not on the map holds no image.
    """
    rows, cells = _selected_cells(table, mask, Lattice.of_size(size_deg), where)
    inside = np.zeros(table.num_images, dtype=np.bool_)
    inside[rows] = cells == cell
    return inside


def _selected_cells(
    table: RunTable, mask: Bool, lattice: Lattice, where: str
) -> tuple[Int64, Int64]:
    """Find the selected rows whose place has coordinates, and their hexagons."""
    check_known("where", where, ("true", "predicted"))
    mask = table.with_prediction(mask)
    rows = np.flatnonzero(mask)
    if where == "predicted":
        places = table.predicted_places
        of_place = lattice.cells(
            places["latitude_deg"].to_numpy(), places["longitude_deg"].to_numpy()
        )
        cells = of_place[table.pred_place[rows]]
    else:
        latitude, longitude = table.load("true_latitude_deg", "true_longitude_deg")
        found = [lattice.cells(latitude[each], longitude[each]) for each in selected_rows(mask)]
        cells = np.concatenate([*found, np.empty(0, dtype=np.int64)])
    return rows[cells >= 0], cells[cells >= 0]


def hexbins(lattice: Lattice, cells: Int64, values: NDArray[Any]) -> pd.DataFrame:
    """Average N values by the hexagons that they are in; NaN is left out of the mean.

    Returns:
        One row for each hexagon that has a point: latitude_deg and longitude_deg of its centre,
        outline (six [longitude, latitude]), n (points), num_values (those of them with a value)
        and mean of these (NaN without any).
    """
    values = values.astype(np.float64)
    has_value = ~np.isnan(values)
    size = lattice.num_rows * lattice.num_columns
    n = np.bincount(cells, minlength=size)
    found = np.flatnonzero(n)
    num_values = np.bincount(cells[has_value], minlength=size)[found]
    total = np.bincount(cells, weights=np.nan_to_num(values), minlength=size)[found]
    latitude, longitude = lattice.centres(found)
    return pd.DataFrame(
        {
            "latitude_deg": latitude,
            "longitude_deg": longitude,
            "outline": pd.Series(lattice.outlines(found), dtype=object),
            "n": n[found],
            "num_values": num_values,
            "mean": total / np.where(num_values > 0, num_values, np.nan),
        }
    )
