"""Additive counters of a run: by place, by pair of countries, by distance.

Computed from a batch of predictions with numpy and added to what is stored, in the transaction
that writes the batch. So a run has its figures at every moment, and none needs a scan.

Legend of shapes: N predictions, G groups, K counters.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.geo import THRESHOLDS_KM, geoscore
from streetclip.store.connection import Store
from streetclip.store.distance_bins import distance_bin_edges_km
from streetclip.store.sql_values import add_sql, column_values, floats, number_rows

Float64 = npt.NDArray[np.float64]

LEVELS = ("overall", "continent", "country", "region", "city")
PLACE = ("continent", "country", "region", "city")

_PAIR_COUNTERS = (
    "n",
    "city_correct",
    "num_distances",
    "distance_km_sum",
    "country_probability_sum",
)


def add_aggregates(store: Store, run_id: int, frame: pd.DataFrame) -> None:
    """Count predictions in; to be called in the transaction that writes them.

    Args:
        store: The store.
        run_id: The run they belong to.
        frame: New predictions, with the columns of `PREDICTION_COLUMNS`.
    """
    counters = _counters(frame)
    _add_places(store, run_id, frame, counters)
    _add_pairs(store, run_id, frame, counters)
    _add_distances(store, run_id, counters["distance_km"])


def _counters(frame: pd.DataFrame) -> dict[str, Float64]:
    """What each prediction adds to each counter."""
    distance_km = floats(frame["distance_km"])
    nearest_km = floats(frame["nearest_candidate_km"])
    country_correct = floats(frame["country_correct"])
    city_reachable = floats(frame["city_reachable"])
    counters = {
        "n": np.ones(len(frame)),
        "unreadable": floats(frame["status"] != "ok"),
        "with_coordinates": floats(frame["coordinate_source"] != "none"),
        "num_distances": floats(~np.isnan(distance_km)),
        "country_correct": country_correct,
        "city_correct": floats(frame["city_correct"]),
        "country_reachable": floats(frame["country_reachable"]),
        "city_reachable": city_reachable,
        "country_correct_city_reachable": country_correct * city_reachable,
        "geoscore_sum": geoscore(distance_km),
        "distance_km_sum": np.nan_to_num(distance_km),
        "country_probability_sum": np.nan_to_num(floats(frame["country_probability"])),
        "distance_km": distance_km,
    }
    for threshold_km in THRESHOLDS_KM.values():
        counters[f"within_{threshold_km}"] = floats(distance_km <= threshold_km)
        counters[f"reachable_within_{threshold_km}"] = floats(nearest_km <= threshold_km)
    return counters


def place_counters() -> tuple[str, ...]:
    """Names of the counters of `place_aggregates`, in the order of its columns."""
    thresholds = THRESHOLDS_KM.values()
    return (
        "n",
        "unreadable",
        "with_coordinates",
        "num_distances",
        "country_correct",
        "city_correct",
        "country_reachable",
        "city_reachable",
        "country_correct_city_reachable",
        *(f"within_{each}" for each in thresholds),
        *(f"reachable_within_{each}" for each in thresholds),
        "geoscore_sum",
        "distance_km_sum",
    )


def _add_places(
    store: Store, run_id: int, frame: pd.DataFrame, counters: Mapping[str, Float64]
) -> None:
    names = place_counters()
    sums = np.stack([counters[name] for name in names])
    sql = add_sql("place_aggregates", ["run_id", "level", *PLACE], names)
    places = frame[[f"true_{part}" for part in PLACE]]
    for depth in range(len(PLACE), -1, -1):
        # A level's sums are the sums of the level below it.
        places, sums = _group_sums(places.iloc[:, :depth], sums)
        blanks = ("",) * (len(PLACE) - depth)
        keys = [column_values(places[name]) for name in places]
        keys += [[blank] * sums.shape[1] for blank in blanks]
        _add(store, sql, (run_id, LEVELS[depth]), keys, _plain(names, sums))


def _add_pairs(
    store: Store, run_id: int, frame: pd.DataFrame, counters: Mapping[str, Float64]
) -> None:
    pairs = frame[["true_country", "pred_country"]]
    groups, sums = _group_sums(pairs, np.stack([counters[name] for name in _PAIR_COUNTERS]))
    keys = [
        column_values(groups["true_country"]),
        [code or "" for code in column_values(groups["pred_country"])],
    ]
    sql = add_sql("pair_aggregates", ["run_id", "true_country", "pred_country"], _PAIR_COUNTERS)
    _add(store, sql, (run_id,), keys, _plain(_PAIR_COUNTERS, sums))


def _add_distances(store: Store, run_id: int, distance_km: Float64) -> None:
    edges = distance_bin_edges_km()
    bins = np.searchsorted(edges, distance_km[~np.isnan(distance_km)], side="left")
    counts = np.bincount(bins, minlength=len(edges))
    sql = add_sql("distance_histogram", ["run_id", "bin"], ["n"])
    filled = np.flatnonzero(counts)
    _add(store, sql, (run_id,), [filled.tolist()], [counts[filled].tolist()])


def _group_sums(keys: pd.DataFrame, values_KN: Float64) -> tuple[pd.DataFrame, Float64]:
    """The distinct rows of `keys`, G of them, and the sums of their values, K × G."""
    if keys.columns.empty:
        return keys.iloc[:1], values_KN.sum(axis=1, keepdims=True)
    numbers_N, firsts_G = number_rows([keys[name] for name in keys])
    sums = [np.bincount(numbers_N, weights=row, minlength=len(firsts_G)) for row in values_KN]
    return keys.iloc[firsts_G], np.stack(sums)


def _plain(names: Sequence[str], sums_KG: Float64) -> list[list[Any]]:
    """Sums as Python numbers: counts as integers."""
    return [
        row.tolist() if name.endswith("_sum") else row.astype(np.int64).tolist()
        for name, row in zip(names, sums_KG, strict=True)
    ]


def _add(
    store: Store,
    sql: str,
    constants: tuple[Any, ...],
    keys: Sequence[list[Any]],
    counts: Sequence[list[Any]],
) -> None:
    """Add G rows that begin with the same constants; the columns are lists of G values."""
    fixed = [[value] * len(counts[0]) for value in constants]
    store.db.conn.executemany(sql, zip(*fixed, *keys, *counts, strict=True))
