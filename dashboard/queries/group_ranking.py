"""Groups of images side by side: their shares with bounds, and their order."""

import math
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from streetclip.metrics.intervals import Proportion, newcombe_interval, wilson_interval
from streetclip.results import ACCURACIES, LEVELS, Share, macro_of_countries


class Metric(NamedTuple):
    """What groups are compared by: a title, and the counters of its correct images."""

    title: str
    share: Share


MEDIAN = "median"
METRICS: Final[Mapping[str, Metric]] = {
    "country": Metric("country accuracy", ACCURACIES["country"]),
    "city": Metric("city accuracy", ACCURACIES["city"]),
    "given": Metric("city given country", ACCURACIES["hierarchical"]),
    MEDIAN: Metric("median distance", ACCURACIES["country"]),
}
"""By the URL's word. The median is no share: its errors are wrong countries."""

RANKS: Final[Mapping[str, str]] = {
    "lower": "best first, by bound",
    "upper": "worst first, by bound",
    "n": "most images",
    "errors": "most errors",
}
"""Orders of groups, by the URL's word. Bounds, so that luck with few images ranks nobody first."""

NUM_WORST: Final = 5
"""Groups that `with_worst` keeps at the least, the worst by the bound of their interval."""


def group_shares(groups: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Compute one of `METRICS` of `results.group_counts`, in their order.

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


def totals(countries: pd.DataFrame, *keys: str) -> pd.DataFrame:
    """Add up the counters of countries that have the same keys; without keys, of all.

    The medians and most frequent mistakes are unknown.
    """
    by = [countries[key] for key in keys] or np.zeros(len(countries))
    sums = countries.groupby(by).sum(numeric_only=True).reset_index(drop=not keys)
    medians = dict.fromkeys(("median_km", "median_low_km", "median_high_km"), math.nan)
    return sums.assign(**medians, top_mistake="", top_mistake_n=0)


def ranked(shown: pd.DataFrame, rank: str, metric: str) -> pd.DataFrame:
    """Sort groups of `group_shares` by one of `RANKS`, those without a value last."""
    by, order = _sorting(rank, metric)
    return shown.sort_values(by, ascending=order, ignore_index=True, kind="stable")


def _sorting(rank: str, metric: str) -> tuple[list[str], list[bool]]:
    """Choose the columns of a rank, and whether each is ascending."""
    column, ascending = {"lower": ("low", False), "upper": ("high", True)}.get(rank, (rank, False))
    if metric == MEDIAN and rank in ("lower", "upper"):  # less is better
        column, ascending = ("high", True) if rank == "lower" else ("low", False)
    return [column, "n"], [ascending, False]


def with_worst(ordered: pd.DataFrame, most: int, metric: str) -> pd.DataFrame:
    """Keep the first groups of a ranking and its `NUM_WORST` worst, in order."""
    if len(ordered) <= most:
        return ordered
    by, order = _sorting("upper", metric)
    worst = ordered.sort_values(by, ascending=order, kind="stable").head(NUM_WORST).index
    first = ordered.index.difference(worst)[: most - len(worst)]
    return ordered.loc[first.union(worst)].reset_index(drop=True)


class AgainstRest(NamedTuple):
    """Chosen images and all others, and the difference of their shares with its 95 % interval."""

    chosen: Proportion
    rest: Proportion
    difference: float
    low: float
    high: float


def against_rest(groups: pd.DataFrame, chosen: Collection[str], metric: str) -> AgainstRest:
    """Compare the images with some values of an attribute with all others (Newcombe).

    `groups`: `results.group_counts` by the attribute, unfiltered by it. Of the median, the country
    accuracy is compared.
    """
    share, is_chosen = METRICS[metric].share, groups["value"].isin(list(chosen))
    counts = groups[[share.correct, share.of]]
    mine, rest = (Proportion(*counts[side].sum().tolist()) for side in (is_chosen, ~is_chosen))
    ends = newcombe_interval(mine.successes, mine.n, rest.successes, rest.n)
    return AgainstRest(mine, rest, *map(float, ends))


class Macro(NamedTuple):
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
