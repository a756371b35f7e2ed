"""Read what the map draws of a view, and in which form, with caches."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.queries import run_queries
from dashboard.shell.page_query import View
from streetclip import results

AUTO, ARCS, POINTS, HEXAGONS, FLOWS = "auto", "arcs", "points", "hexagons", "flows"
LIMITS: Mapping[str, int] = MappingProxyType({ARCS: 2_000, POINTS: 10_000})
"""The most images that are drawn one by one."""

_MOST_FLOWS: Final = 300
_WIDEST_DEG, _FINER_DEG = 4.0, ((80.0, 1.0), (25.0, 0.3))


@dataclass(frozen=True)
class Hexagons:
    """Images as `results.error_hexbins`, with `cell` numbers, and the width in degrees."""

    rows: pd.DataFrame
    size_deg: float


def form_of(wanted: str, total: int) -> str:
    """Choose arcs, points or flows by number of images, unless the URL does.

    Examples:
        >>> form_of("auto", 2000), form_of("auto", 2001), form_of("auto", 10_001)
        ('arcs', 'points', 'flows')
    """
    if wanted != AUTO:
        return wanted
    return next((layer for layer, most in LIMITS.items() if total <= most), FLOWS)


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=run_queries.BY_VIEW)
def num_error_arcs(view: View) -> int:
    """Count the images whose true and predicted place have coordinates."""
    return results.num_error_arcs(run_queries.table(view), run_queries.mask(view))


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=run_queries.BY_VIEW)
def error_arcs(view: View, layer: str) -> pd.DataFrame:
    """List the images that a layer draws one by one, as `results.error_arcs`."""
    return results.error_arcs(run_queries.table(view), run_queries.mask(view), LIMITS[layer])


def error_arc(view: View, image_id: int) -> pd.DataFrame | None:
    """Read one image as `ends`: no row without a place; None without a prediction."""
    table = run_queries.table(view)
    mask = (table.image_ids == image_id) & table.done
    return results.error_arcs(table, mask, 1) if mask.any() else None


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=run_queries.BY_VIEW)
def flows(view: View) -> pd.DataFrame:
    """List the most frequent pairs as `results.flows`, with their country_probability."""
    found = results.flows(run_queries.table(view), run_queries.mask(view), _MOST_FLOWS)
    keys = ["true_country", "pred_country"]
    confidence = routes(view)[[*keys, "country_probability"]]
    return found.merge(confidence, on=keys, how="left", validate="1:1")


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=run_queries.BY_VIEW)
def routes(view: View) -> pd.DataFrame:
    """List every pair of different countries, the most frequent first.

    Its mean distance_km is NaN if unknown.
    """
    pairs = run_queries.pairs(view)
    wrong = pairs[(pairs["true_country"] != pairs["pred_country"]) & (pairs["pred_country"] != "")]
    by = ["n", "true_country", "pred_country"]
    found = wrong.sort_values(by, ascending=[False, True, True], ignore_index=True)
    known = found["num_distances"].where(found["num_distances"] > 0)
    return found[["true_country", "pred_country", "n"]].assign(
        distance_km=found["distance_km_sum"] / known,
        country_probability=found["country_probability_sum"] / found["n"],
    )


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=run_queries.BY_VIEW)
def hexagons(view: View, where: str, measure: str) -> Hexagons:
    """Gather images into hexagons by place ("true" or "predicted"), finer where they are close.

    `measure` is distance_km or country_probability.
    """

    def gathered(size_deg: float) -> pd.DataFrame:
        return results.error_hexbins(
            run_queries.table(view),
            run_queries.mask(view),
            where=where,
            measure=measure,
            size_deg=size_deg,
        )

    size_deg, found = _WIDEST_DEG, gathered(_WIDEST_DEG)
    reach_deg = _reach_deg(found)
    finer = [size for narrower_than, size in _FINER_DEG if reach_deg < narrower_than]
    if finer:
        size_deg, found = finer[-1], gathered(finer[-1])
    lattice = results.Lattice.of_size(size_deg)
    centres = (found["latitude_deg"].to_numpy(), found["longitude_deg"].to_numpy())
    return Hexagons(found.assign(cell=lattice.cells(*centres)), size_deg)


def _reach_deg(found: pd.DataFrame) -> float:
    """Measure the extent without the farthest twentieth of the images."""
    if found.empty:
        return _WIDEST_DEG
    reach = 0.0
    for axis in ("latitude_deg", "longitude_deg"):
        ordered = found.sort_values(axis)
        share = ordered["n"].cumsum() / ordered["n"].sum()
        inner = ordered.loc[(share > 0.025) & (share <= 0.975), axis]  # noqa: PLR2004
        reach = max(reach, float(np.ptp(inner)) if len(inner) else 0.0)
    return reach


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=run_queries.BY_VIEW)
def in_hexagon(view: View, where: str, cell: int, size: int) -> tuple[tuple[int, ...], int]:
    """List the images of a hexagon with the largest errors, and count all."""
    table = run_queries.table(view)
    size_deg = hexagons(view, where, "distance_km").size_deg
    inside = results.images_in_hexagon(
        table, run_queries.mask(view), cell, where=where, size_deg=size_deg
    )
    image_ids, total = results.page_of(table, inside, "farthest", 0, size)
    return tuple(image_ids.tolist()), total
