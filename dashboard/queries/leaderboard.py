"""Compute the figures of many runs, their intervals and differences from a baseline."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard.queries import comparisons, report
from dashboard.queries.run_queries import BY_VIEW, counts, details, make_view, mask, table
from dashboard.shell.page_query import View
from streetclip import results
from streetclip.geo import THRESHOLDS_KM
from streetclip.metrics.intervals import cluster_bootstrap
from streetclip.metrics.published import Benchmark

MEDIAN, GEOSCORE = "median", "geoscore"
WITHIN: Final[Mapping[str, int]] = {f"within_{km}": km for km in THRESHOLDS_KM.values()}
FIGURES: Final[Mapping[str, str]] = {
    "country": "Country accuracy",
    "city": "City accuracy",
    "hierarchical": "City given country",
    **{name: f"Within {km:,} km" for name, km in WITHIN.items()},
    GEOSCORE: "GeoScore",
    MEDIAN: "Median distance",
}
"""What runs are compared by, by the URL's word."""

# Counters of `results.group_counts` whose ratio a figure is.
_COUNTERS: Final[Mapping[str, tuple[str, str]]] = {
    **{name: share[:2] for name, share in results.ACCURACIES.items()},
    **{name: (name, "with_coordinates") for name in WITHIN},
    GEOSCORE: ("geoscore_sum", "with_coordinates"),
}


def view_of(view: View, run: Mapping[str, Any]) -> View:
    """Apply the page's filters and baseline to another run of the store."""
    path, baseline_id = view.path, view.baseline_id
    return make_view(path, int(run["id"]), baseline_id, view.selection, view.defaults)


def standings(
    view: View,
    runs: Sequence[Mapping[str, Any]],
    figure: str,
    by: str | None = None,
    cluster: str | None = None,
) -> pd.DataFrame:
    """Compute the figures of the selected images of some runs, the best first.

    Returns:
        One row for each run with such images: id, n, for each of `FIGURES` value, NAME_low and
        NAME_high (shares in [0, 1], km, points); difference, low and high from the view's baseline
        by `figure` (NaN without one), and num_common images; then a column slice:VALUE with the
        share of each group of `by`, where `figure` is a share. With `cluster`, an attribute of the
        run's dataset, intervals are bootstrapped over its values, NaN where that is not known.
    """
    rows = []
    for run in runs:
        of_run = view_of(view, run)
        found = {"id": int(run["id"]), **_figures(of_run)}
        if not found["n"]:
            continue
        found |= _difference(of_run, figure) | _slices(of_run, figure, by)
        rows.append(found if cluster is None else found | _clustered(of_run, figure, cluster))
    if not rows:
        return pd.DataFrame()
    return pd.DataFrame(rows).sort_values(figure, ascending=figure == MEDIAN, ignore_index=True)


@st.cache_data(show_spinner=False, max_entries=512, hash_funcs=BY_VIEW)
def _figures(view: View) -> dict[str, float]:
    run, chosen = table(view), mask(view)
    figures = results.run_figures(run, chosen, counts(view, "country"))
    distance = figures["distance"]
    by_name = {name: figures[f"{name}_accuracy"] for name in results.ACCURACIES}
    shares = zip(WITHIN, distance["share_within_km"], strict=True)
    by_name |= {**dict(shares), MEDIAN: distance["median_km"]}
    *_, low, high = results.geoscore_interval(run, chosen)
    by_name[GEOSCORE] = {"value": distance["geoscore"], "low": low, "high": high}
    found: dict[str, float] = {"n": figures["num_images"]}
    for name, each in by_name.items():
        found |= {name: each["value"], f"{name}_low": each["low"], f"{name}_high": each["high"]}
    return found


def _difference(view: View, figure: str) -> dict[str, float]:
    if view.baseline_id in (None, view.run_id) or figure == MEDIAN:
        return {}
    found = comparisons.comparison(view, figure)
    ends = {"difference": found.difference, "low": found.low, "high": found.high}
    return ends | {"num_common": found.n}


def _clustered(view: View, figure: str, cluster: str) -> dict[str, float]:
    """Compute the intervals of all figures, and of the difference by one of them."""
    found = dict.fromkeys(
        (f"{name}_{end}" for name in FIGURES for end in ("low", "high")), math.nan
    )
    found |= {"low": math.nan, "high": math.nan}
    if cluster not in _attributes(view):
        return found
    clusters = counts(view, cluster)
    for name, (part, whole) in _COUNTERS.items():
        _, low, high = cluster_bootstrap(clusters[part], clusters[whole], seed=0)
        found |= {f"{name}_low": low, f"{name}_high": high}
    is_paired = figure in ("country", "city", *WITHIN)
    if is_paired and view.baseline_id not in (None, view.run_id):
        baseline = table(view.of_baseline())
        pairs = results.compare_by(table(view), baseline, mask(view), figure, cluster)
        _, low, high = cluster_bootstrap(pairs["gained"] - pairs["lost"], pairs["n"], seed=0)
        found |= {"low": low, "high": high}
    return found


def _slices(view: View, figure: str, by: str | None) -> dict[str, float]:
    if by not in ("continent", *_attributes(view)) or figure in (GEOSCORE, MEDIAN):
        return {}
    part, whole = _COUNTERS[figure]
    name = by if by == "continent" else "value"
    sums = counts(view, by).groupby(name)[[part, whole]].sum()
    shares = sums[part] / sums[whole].where(sums[whole] > 0)
    return {f"slice:{value}": share for value, share in shares.items()}


def _attributes(view: View) -> list[str]:
    return [f"{results.ATTRIBUTE}{name}" for name in table(view).dataset.attributes]


def published_on(view: View, run: Mapping[str, Any]) -> Benchmark | None:
    """Find the figures published on a run's dataset; None where filters are set."""
    if not view.is_whole_run:
        return None
    whole = details(replace(view_of(view, run), baseline_id=None))
    return report.published_of(whole, int(whole["num_images"]))
