"""Check labels and coordinates of a dataset by the columns of one of its runs.

Legend of shapes: N images, P places.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np

from streetclip.data.coordinates import MisplacedFinder, Points
from streetclip.results.run_table import Bool, RunTable, selected_rows


class Misplaced(NamedTuple):
    """Images whose coordinates contradict their country.

    `kinds`: how many of each kind of `data.coordinates`; `examples`: by id, what is wrong.
    """

    kinds: dict[str, int]
    examples: dict[int, str]


def misplaced(table: RunTable, mask: Bool, most_listed: int) -> Misplaced:
    """Find selected images that lie outside their country, as a check of their manifest does."""
    latitude_deg, longitude_deg = table.load("true_latitude_deg", "true_longitude_deg")
    finder, codes = MisplacedFinder(), np.array(table.codes, dtype=object)
    kinds: Counter[str] = Counter()
    examples: dict[int, str] = {}
    for rows in selected_rows(table.with_prediction(mask) & ~np.isnan(latitude_deg)):
        y, x = (each[rows].astype(np.float64) for each in (latitude_deg, longitude_deg))
        found = finder.find(Points(y, x, codes[table.true_country[rows]].tolist()))
        kinds.update(kind for _, kind, _ in found)
        image_ids = table.image_ids[rows]
        for position, _, text in found[: most_listed - len(examples)]:
            examples[int(image_ids[position])] = text
    return Misplaced(dict(kinds.most_common()), examples)


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
