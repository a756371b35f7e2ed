"""Check labels and coordinates of a dataset by the columns of one of its runs.

Legend of shapes: N images, P places.
"""

from typing import Final

import numpy as np
import pandas as pd

from streetclip.data.coordinates import MisplacedFinder, Points
from streetclip.results.run_table import Bool, RunTable, selected_rows
from streetclip.store import NUM_FLAGS, Flag

_COUNTED: Final = {
    "with_coordinates": Flag.HAS_COORDINATES,
    "country_reachable": Flag.COUNTRY_REACHABLE,
    "city_reachable": Flag.CITY_REACHABLE,
}


def place_counts(table: RunTable, mask: Bool) -> pd.DataFrame:
    """Count the selected images of each true place that has any.

    Columns: those of `RunTable.places`, n, and of these with_coordinates, country_reachable and
    city_reachable, as in `group_counts`, which counts more and takes longer.
    """
    flags, num_places = table.column("flags"), len(table.places)
    counts = np.zeros(num_places * NUM_FLAGS, np.int64)
    for rows in selected_rows(table.with_prediction(mask)):
        key = table.place[rows].astype(np.int64) * NUM_FLAGS + flags[rows]
        counts += np.bincount(key, minlength=len(counts))
    of_flags = counts.reshape(num_places, NUM_FLAGS)
    bits = np.arange(NUM_FLAGS)
    found = {name: of_flags[:, (bits & flag) != 0].sum(axis=1) for name, flag in _COUNTED.items()}
    counted = table.places.assign(n=of_flags.sum(axis=1), **found)
    return counted[counted["n"] > 0].reset_index(drop=True)


def misplaced(table: RunTable) -> pd.DataFrame:
    """Find the images that lie outside their country, as a check of their manifest does.

    Columns: row of the table, ascending; kind and text as of `data.coordinates`.
    """
    latitude_deg, longitude_deg = table.load("true_latitude_deg", "true_longitude_deg")
    finder, codes = MisplacedFinder(), np.array(table.codes, dtype=object)
    found: list[tuple[int, str, str]] = []
    for rows in selected_rows(table.done & ~np.isnan(latitude_deg)):
        y, x = (each[rows].astype(np.float64) for each in (latitude_deg, longitude_deg))
        points = Points(y, x, codes[table.true_country[rows]].tolist())
        numbers = np.arange(table.num_images)[rows]
        found += [(int(numbers[i]), kind, text) for i, kind, text in sorted(finder.find(points))]
    return pd.DataFrame(found, columns=["row", "kind", "text"])


def num_on_one_point(table: RunTable, mask: Bool) -> int:
    """Count the selected images that share one point with all others of their place.

    It is the place's own, rather than where each photo was taken. Places with one image are left
    out.
    """
    latitude_deg, longitude_deg = table.load("true_latitude_deg", "true_longitude_deg")
    rows = np.flatnonzero(table.with_prediction(mask) & ~np.isnan(latitude_deg))
    place = table.place[rows]
    n_P = np.bincount(place, minlength=len(table.places))
    is_one_P = n_P > 1
    for each in (latitude_deg[rows], longitude_deg[rows]):
        any_P = np.zeros(len(n_P), each.dtype)
        any_P[place] = each  # of one of its images
        is_one_P &= np.bincount(place, each != any_P[place], minlength=len(n_P)) == 0
    return int(n_P[is_one_P].sum())
