"""Tables of a few images, each with its flags and its distance."""

import numpy as np

from streetclip.store import Flag
from tests.results.conftest import make_table

PLACES = [("Asia", "JP", "", ""), ("Asia", "RU", "", ""), ("Europe", "RU", "", ""),
          ("Europe", "FR", "", "")]  # fmt: skip
REACHABLE = Flag.COUNTRY_REACHABLE | Flag.CITY_REACHABLE
KNOWN = Flag.READABLE | Flag.HAS_COORDINATES | REACHABLE
COUNTRY = KNOWN | Flag.COUNTRY_CORRECT
BOTH = COUNTRY | Flag.CITY_CORRECT


def table_of(*images):
    """A run of images: row of `PLACES`, flags, distance in km."""
    place, flags, distance_km = zip(*images, strict=True) if images else ((), (), ())
    columns = {
        "flags": np.array(flags, np.uint8),
        "distance_km": np.array(distance_km, np.float64),
        "nearest_km": np.where(np.isnan(np.array(distance_km, np.float64)), np.nan, 3.0),
    }
    return make_table(columns, place=place, places=PLACES)
