"""Single images for a map: where each was taken, and where it was placed."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.results.blocks import selected_rows
from streetclip.results.hexbins import Lattice
from streetclip.results.run_table import RunTable

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]


def num_ends(table: RunTable, mask: Bool) -> int:
    """How many images have a true and a predicted place with coordinates.

    Args:
        table: The run.
        mask: N booleans: which images to look at; those without a prediction are left out.
    """
    located = _Located(table)
    return sum(len(located.of(rows)) for rows in selected_rows(table.judged(mask)))


def ends(table: RunTable, mask: Bool, limit: int) -> pd.DataFrame:
    """Images with both of their places.

    Args:
        table: The run.
        mask: N booleans: which images to look at; those without a prediction are left out.
        limit: The most rows, at least 1. Of more images so many are taken, evenly spread over
            the order of the ids, always the same ones.

    Returns:
        One row for each image that has a true and a predicted place with coordinates, by
        ascending id: image_id, true_country, pred_country (ISO codes), distance_km (NaN where
        unknown), country_probability, and true_latitude_deg, true_longitude_deg,
        pred_latitude_deg, pred_longitude_deg.

    Raises:
        ValueError: `limit` < 1.
    """
    if limit < 1:
        msg = f"limit is {limit}; expected 1 or more"
        raise ValueError(msg)
    total = num_ends(table, mask)
    wanted = np.arange(total) if total <= limit else np.arange(limit) * total // limit
    return _frame(table, _ranked(table, mask, wanted))


def _ranked(table: RunTable, mask: Bool, wanted: Int64) -> Int64:
    """Positions of the images that stand at some ranks, counted from 0, among those with ends."""
    located = _Located(table)
    found = [np.empty(0, dtype=np.int64)]
    passed = 0
    for rows in selected_rows(table.judged(mask)):
        here = located.of(rows)
        first, last = np.searchsorted(wanted, (passed, passed + len(here)))
        found.append(here[wanted[first:last] - passed])
        passed += len(here)
    return np.concatenate(found)


def _frame(table: RunTable, rows: Int64) -> pd.DataFrame:
    names = ("true_latitude_deg", "true_longitude_deg", "distance_km", "country_probability")
    columns = dict(zip(names, table.load(*names), strict=True))
    codes = np.array(table.codes, dtype=object)
    places = table.predicted_places.iloc[table.pred_place[rows]]
    return pd.DataFrame(
        {
            "image_id": table.image_ids[rows],
            "true_country": codes[table.true_country[rows]],
            "pred_country": codes[table.pred_country[rows]],
            **{name: column[rows].astype(np.float64) for name, column in columns.items()},
            "pred_latitude_deg": places["latitude_deg"].to_numpy(dtype=np.float64),
            "pred_longitude_deg": places["longitude_deg"].to_numpy(dtype=np.float64),
        }
    )


class _Located:
    """Tells which images have coordinates at both ends."""

    def __init__(self, table: RunTable) -> None:
        places = table.predicted_places
        self._has_place = (
            places["latitude_deg"].notna() & places["longitude_deg"].notna()
        ).to_numpy(dtype=np.bool_)
        self._pred_place = table.pred_place
        self._latitude, self._longitude = table.load("true_latitude_deg", "true_longitude_deg")

    def of(self, rows: Any) -> Int64:
        """Those of some positions, a slice or an array, that have both ends."""
        has = self._has_place[self._pred_place[rows]]
        has &= ~np.isnan(self._latitude[rows])
        has &= ~np.isnan(self._longitude[rows])
        hits = np.flatnonzero(has)
        found: Int64 = hits + rows.start if isinstance(rows, slice) else rows[hits]
        return found


def images_in_hexagon(
    table: RunTable,
    mask: Bool,
    cell: int,
    *,
    where: str = "true",
    size_deg: float = 3.0,
) -> Bool:
    """Which images are in one hexagon of `error_hexbins`.

    Args:
        table: The run.
        mask: N booleans: which images to look at; those without a prediction are left out.
        cell: As `Lattice.cells` gives it; one that is not on the map holds no image.
        where: "true" or "predicted", as `error_hexbins`.
        size_deg: As `error_hexbins`.

    Returns:
        N booleans.

    Raises:
        ValueError: `size_deg` is out of its range.
    """
    lattice = Lattice.of_size(size_deg)
    inside = np.zeros(table.num_images, dtype=np.bool_)
    if where == "predicted":
        places = table.predicted_places
        latitude, longitude = (places[f"{each}_deg"].to_numpy() for each in _AXES)
        matches = _in_cell(lattice, latitude, longitude, cell)
        for rows in selected_rows(table.judged(mask)):
            inside[rows] = matches[table.pred_place[rows]]
        return inside
    latitude, longitude = table.load("true_latitude_deg", "true_longitude_deg")
    for rows in selected_rows(table.judged(mask)):
        inside[rows] = _in_cell(lattice, latitude[rows], longitude[rows], cell)
    return inside


_AXES = ("latitude", "longitude")


def _in_cell(
    lattice: Lattice, latitude_deg: NDArray[Any], longitude_deg: NDArray[Any], cell: int
) -> Bool:
    known = np.flatnonzero(~(np.isnan(latitude_deg) | np.isnan(longitude_deg)))
    found = np.zeros(len(latitude_deg), dtype=np.bool_)
    found[known] = lattice.cells(latitude_deg[known], longitude_deg[known]) == cell
    return found
