"""Compute the figures of a run or of its selected images: the body of `metrics.json`.

- Every image counts in every accuracy. One that could not be read, or whose true place is not among
  the candidates, is wrong. Each accuracy has a ceiling: the share that a perfect model could reach
  with these candidates if every image could be read. The macro average has its own ceiling.
- Distances are over the images whose true place has coordinates (`distance.n`). One of them without
  a distance is within no threshold, has GeoScore 0 and counts as infinitely far in the median; the
  mean is over those that have a distance, with its own n. The ceiling of a share within a distance
  is the share of images with a candidate of any country that near.
"""

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from streetclip.geo import THRESHOLDS_KM
from streetclip.metrics.averages import exact_sum
from streetclip.metrics.intervals import Proportion
from streetclip.results.groups import (
    ACCURACIES,
    DistanceCounts,
    Share,
    group_counts,
    macro_of_countries,
    median_distance,
)
from streetclip.results.run_table import Bool, RunTable, signed_rows
from streetclip.store import Flag


def run_figures(
    table: RunTable,
    mask: Bool,
    countries: pd.DataFrame | None = None,
    distances: DistanceCounts | None = None,
) -> dict[str, Any]:
    """Compute the figures of the selected images of a run.

    `countries` is `groups.group_counts` of them by "country", and `distances` their
    `groups.distance_counts`, if those are there already.

    Returns:
        Plain values, None where a number does not exist. Shares, intervals (Wilson 95 %), ceilings
        and macro averages are 0 to 1, distances in km::

            num_images, num_unreadable, num_without_coordinates
            country_accuracy, city_accuracy      over all images
            hierarchical_accuracy                city correct, over images with a correct country
                {value, low, high, successes, n, ceiling, macro, macro_ceiling}
                ceiling: share of those n whose true country (city for the last two) is a candidate
                macro: mean over the true countries among those n of the country's own value
                macro_ceiling: the same mean of the country's own ceiling
            distance
                n                                images whose true place has coordinates
                median_km {value, low, high}     95 % interval by order statistics; infinite where
                                                 a missing distance has the rank, NaN for n = 0
                mean_km, mean_km_n               over the images that have a distance
                geoscore                         mean over n, 0 to 5000
                share_within_km [{name, threshold_km, value, low, high, successes, n, ceiling}]
                    ceiling: share of n with a candidate city of any country that near; None if
                    the nearest candidate of one of them is unknown
    """
    mask = table.with_prediction(mask)
    if countries is None:
        countries = group_counts(table, mask, "country")
    total = countries.select_dtypes("number").sum()
    n = int(total["with_coordinates"])
    median = median_distance(table, mask, distances)
    distance_sum, score_sum = _sums(table, mask)
    num_distances = int(total["num_distances"])
    return {
        "num_images": int(total["n"]),
        "num_unreadable": int(total["unreadable"]),
        "num_without_coordinates": int(total["n"]) - n,
        **{f"{name}_accuracy": _accuracy(countries, each) for name, each in ACCURACIES.items()},
        "distance": {
            "n": n,
            "median_km": {"value": median.value, "low": median.low, "high": median.high},
            "mean_km": float(distance_sum / num_distances) if num_distances else None,
            "mean_km_n": num_distances,
            "geoscore": float(score_sum / n) if n else None,
            "share_within_km": [
                {
                    "name": name,
                    "threshold_km": km,
                    **Proportion(int(total[f"within_{km}"]), n).to_dict(),
                    "ceiling": Proportion(int(total[f"reachable_within_{km}"]), n).value
                    if total["nearest_known"] == n
                    else None,
                }
                for name, km in THRESHOLDS_KM.items()
            ],
        },
    }


def _sums(table: RunTable, mask: Bool) -> tuple[Fraction, Fraction]:
    """Add up the distances in km, and the GeoScores of the images with coordinates."""
    distance_km, geoscore = table.column("distance_km"), table.geoscore
    distances, scores = Fraction(0), Fraction(0)
    for rows, sign in signed_rows(mask & table.has(Flag.HAS_COORDINATES)):
        distances += sign * exact_sum(np.fmax(distance_km[rows], 0))
        scores += sign * exact_sum(geoscore[rows])
    return distances, scores


def _accuracy(countries: pd.DataFrame, share: Share) -> dict[str, Any]:
    """Compute one accuracy over all images, and averaged over their true countries."""
    correct, of, reachable = (int(countries[name].sum()) for name in share)
    return {
        **Proportion(correct, of).to_dict(),
        "ceiling": Proportion(reachable, of).value,
        "macro": macro_of_countries(countries, share.correct, share.of),
        "macro_ceiling": macro_of_countries(countries, share.reachable, share.of),
    }
