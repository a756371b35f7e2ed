"""Groups of images side by side: their shares with bounds, and their order."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from streetclip.metrics.intervals import wilson_interval
from streetclip.results import ACCURACIES, LEVELS, Share, macro_of_countries


@dataclass(frozen=True)
class Metric:
    """What groups are compared by: a title, and the counters of its correct images."""

    title: str
    share: Share


MEDIAN = "median"
METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "country": Metric("country accuracy", ACCURACIES["country"]),
        "city": Metric("city accuracy", ACCURACIES["city"]),
        "given": Metric("city given country", ACCURACIES["hierarchical"]),
        MEDIAN: Metric("median distance", ACCURACIES["country"]),
    }
)
"""By the URL's word. The median is no share: its errors are wrong countries."""

RANKS: Mapping[str, str] = MappingProxyType(
    {
        "lower": "best first, by bound",
        "upper": "worst first, by bound",
        "n": "most images",
        "errors": "most errors",
    }
)
"""Orders of groups, by the URL's word. Bounds, so that luck with few images ranks nobody first."""


def group_shares(groups: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Compute the metric of each group, in the order of the groups.

    Args:
        groups: As `results.group_counts` counts them.
        metric: One of `METRICS`.

    Returns:
        The keys of the groups, then n (the metric's denominator), value, low, high (shares in
        [0, 1], or km; NaN where the denominator is 0), ceiling (NaN of a median), errors,
        median_km, top_mistake (ISO code) and top_share (of the group's images).
    """
    share = METRICS[metric].share
    correct, total = groups[share.correct], groups[share.of]
    known = total.where(total > 0).astype(np.float64)
    keys = [name for name in (*LEVELS, "predicted", "value") if name in groups]
    shown = groups[keys].rename(columns={"value": "attribute"})
    if metric == MEDIAN:
        bounds = groups[["median_km", "median_low_km", "median_high_km"]]
        shown = shown.assign(n=groups["with_coordinates"])
        shown[["value", "low", "high"]] = bounds.to_numpy(dtype=np.float64)
    else:
        low, high = wilson_interval(correct, total)
        shown = shown.assign(n=total, value=correct / known, low=low, high=high)
    return shown.assign(
        ceiling=math.nan if metric == MEDIAN else groups[share.reachable] / known,
        errors=total - correct,
        median_km=groups["median_km"],
        top_mistake=groups["top_mistake"],
        top_share=groups["top_mistake_n"] / groups["n"],
    )


def ranked(shown: pd.DataFrame, rank: str, metric: str) -> pd.DataFrame:
    """Sort groups of `judged` by one of `RANKS`, those without a value last."""
    orders = {
        "lower": ("high", True) if metric == MEDIAN else ("low", False),
        "upper": ("low", False) if metric == MEDIAN else ("high", True),
        "n": ("n", False),
        "errors": ("errors", False),
    }
    column, ascending = orders[rank]
    return shown.sort_values(
        [column, "n"], ascending=[ascending, False], ignore_index=True, kind="stable"
    )


@dataclass(frozen=True)
class Macro:
    """A share in [0, 1], averaged over true countries; None without images."""

    value: float | None
    ceiling: float | None
    num_countries: int


def macro(countries: pd.DataFrame, metric: str) -> Macro | None:
    """Average a share over the true countries, as `metrics.json` does; None for the median."""
    if metric == MEDIAN:
        return None
    share = METRICS[metric].share
    return Macro(
        macro_of_countries(countries, share.correct, share.of),
        macro_of_countries(countries, share.reachable, share.of),
        countries.loc[countries[share.of] > 0, "country"].nunique(),
    )
