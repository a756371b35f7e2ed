"""What the dashboard reads of runs: rows and aggregates, never a scan of predictions."""

from typing import Any

import numpy as np
import pandas as pd

from streetclip.errors import shown
from streetclip.store.aggregates import LEVELS, PLACE, place_counters
from streetclip.store.connection import Store
from streetclip.store.distance_bins import distance_bin_edges_km


def list_runs(store: Store) -> pd.DataFrame:
    """All runs, the newest first, with the counters of their predictions so far.

    Returns:
        A frame with id, uid, revision, name, state, error, dataset_id, dataset, drawn (bool),
        model_source, model_sha256, strategy, num_done, num_images, created_at, updated_at, job_id
        (missing where no job is known), and the counters of `place_counters` (0 while there is no
        prediction).
    """
    counters = ", ".join(f"coalesce(a.{name}, 0) AS {name}" for name in place_counters())
    frame = store.frame(
        f"""
        SELECT runs.id, runs.uid, runs.revision, runs.name, runs.state, runs.error,
            runs.dataset_id, datasets.name AS dataset, datasets.drawn, runs.model_source,
            runs.model_sha256, runs.strategy, runs.num_done, runs.num_images, runs.created_at,
            runs.updated_at, runs.job_id, {counters}
        FROM runs
        JOIN datasets ON datasets.id = runs.dataset_id
        LEFT JOIN place_aggregates AS a ON a.run_id = runs.id AND a.level = 'overall'
        ORDER BY runs.id DESC"""  # noqa: S608 -- our own names
    )
    return frame.astype({"drawn": bool, "job_id": "Int64"})


def run_totals(store: Store, run_id: int) -> dict[str, Any]:
    """The counters of all predictions of a run so far, 0 where there are none.

    Counts by name (`place_counters`): n counts every prediction, unreadable ones too;
    within_T the distances of at most T km; reachable_within_T the images with a candidate of
    any country that near (0 in runs of an older schema, whose nearest candidates are unknown);
    geoscore_sum and distance_km_sum are sums over num_distances images.
    """
    frame = place_accuracy(store, run_id, "overall")
    if frame.empty:
        return dict.fromkeys(place_counters(), 0)
    return {name: frame[name].tolist()[0] for name in place_counters()}


def place_accuracy(store: Store, run_id: int, level: str) -> pd.DataFrame:
    """The counters of a run for each true place of a level.

    Args:
        store: The store.
        run_id: The run; one that there is not has no rows.
        level: One of `LEVELS`: overall, continent, country, region, city.

    Returns:
        A frame with continent, country (ISO code), region and city, as far as the level goes, and
        the counters of `run_totals`, in alphabetical order of the places.

    Raises:
        ValueError: There is no such level.
    """
    if level not in LEVELS:
        msg = f"level is {shown(level)}; expected one of {', '.join(LEVELS)}"
        raise ValueError(msg)
    depth = LEVELS.index(level)
    places = ", ".join(PLACE[:depth])
    columns = ", ".join([*PLACE[:depth], *place_counters()])
    order = f"ORDER BY {places}" if places else ""
    return store.frame(
        f"SELECT {columns} FROM place_aggregates WHERE run_id = ? AND level = ? {order}",  # noqa: S608 -- our own names
        (run_id, level),
    )


def distance_curve(store: Store, run_id: int) -> pd.DataFrame:
    """How many predictions of a run lie within a distance, exact at every distance listed.

    Returns:
        A frame with distance_km (the edges of the histogram, ascending, the five thresholds among
        them), n (predictions at most that far) and total (all whose true place has coordinates,
        as with_coordinates of `run_totals`).
    """
    edges = distance_bin_edges_km()
    with store.snapshot():
        found = store.rows("SELECT bin, n FROM distance_histogram WHERE run_id = ?", (run_id,))
        totals = run_totals(store, run_id)
    counts = np.zeros(len(edges), dtype=np.int64)
    for number, count in found:
        counts[number] = count
    return pd.DataFrame(
        {
            "distance_km": edges,
            "n": counts.cumsum(),
            "total": totals["with_coordinates"],
        }
    )


def country_pairs(store: Store, run_id: int) -> pd.DataFrame:
    """The confusions of a run: its counters for each pair of true and predicted country.

    Returns:
        A frame with true_country, pred_country ("" where nothing was predicted), n, city_correct,
        num_distances, distance_km_sum and country_probability_sum.
    """
    return store.frame(
        "SELECT true_country, pred_country, n, city_correct, num_distances, distance_km_sum, "
        "country_probability_sum FROM pair_aggregates WHERE run_id = ? "
        "ORDER BY true_country, pred_country",
        (run_id,),
    )
