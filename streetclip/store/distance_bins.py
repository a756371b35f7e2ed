"""Divide distances into bins, with the thresholds among their edges."""

from functools import cache

import numpy as np
import numpy.typing as npt

from streetclip.geo import THRESHOLDS_KM

NO_BIN = 255
"""The bin of a distance that is missing."""

_BINS_PER_DECADE = 40
_SMALLEST_EDGE_KM = 0.1
_LARGEST_EDGE_KM = 20_040.0  # half the equator, above any haversine distance


@cache
def distance_bin_edges_km() -> npt.NDArray[np.float64]:
    """Compute the upper edges of the bins in km, ascending.

    About 40 a decade from 0.1 to 20,040 km, the thresholds exactly among them, each in place of the
    nearest of the others. Bin 0 holds distances of at most 0.1 km; bin i those above edge i − 1, up
    to edge i included.

    Examples:
        >>> edges = distance_bin_edges_km()
        >>> float(edges[0]), float(edges[-1]), [x in edges for x in (1, 25, 200, 750, 2500)]
        (0.1, 20040.0, [True, True, True, True, True])
    """
    num_edges = round(_BINS_PER_DECADE * np.log10(_LARGEST_EDGE_KM / _SMALLEST_EDGE_KM)) + 1
    edges = _SMALLEST_EDGE_KM * 10 ** (np.arange(num_edges) / _BINS_PER_DECADE)
    for exact in (*THRESHOLDS_KM.values(), _LARGEST_EDGE_KM):
        edges[np.argmin(np.abs(np.log(edges / exact)))] = exact
    edges.flags.writeable = False
    return edges


def distance_bins(distance_km: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Find the bin of each distance: `NO_BIN` where it is NaN or beyond the last edge.

    Examples:
        >>> distance_bins(np.array([0.0, 0.1, 0.101, 20_040.0, np.nan])).tolist()
        [0, 0, 1, 212, 255]
    """
    edges = distance_bin_edges_km()
    bins = np.searchsorted(edges, distance_km, side="left")  # NaN sorts behind all edges
    return np.where(bins < len(edges), bins, NO_BIN).astype(np.uint8)
