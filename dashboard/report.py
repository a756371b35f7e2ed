"""The figures of one run, from its metrics when it is done, else from its running totals."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from streetclip.analysis import Comparison
from streetclip.geo import THRESHOLDS_KM
from streetclip.metrics.intervals import Proportion, newcombe_paired_interval, wilson_interval
from streetclip.store import place_counters

_HALF = 0.5


@dataclass(frozen=True)
class Accuracy:
    """A share of images with its Wilson 95 % interval.

    Attributes:
        value: Share in [0, 1]; None without images.
        low: Lower end of the interval.
        high: Upper end of the interval.
        n: Denominator.
        ceiling: The share that the candidate list allows; None where it is not known.
        macro: Mean of the share over the true countries; None where it is not known.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    ceiling: float | None
    macro: float | None


@dataclass(frozen=True)
class Distance:
    """How far off the predicted places are.

    Attributes:
        median_km: Infinite where fewer than half of the images have one; None without images.
        low_km: Lower end of the median's interval; None where it is not known.
        high_km: Upper end of the median's interval; None where it is not known.
        geoscore: Mean GeoScore, 0 to 5000.
        n: Images that count: those whose true place has coordinates.
        is_binned: Whether the median is read off the running histogram.
    """

    median_km: float | None
    low_km: float | None
    high_km: float | None
    geoscore: float | None
    n: int
    is_binned: bool


@dataclass(frozen=True)
class Report:
    """What the overview shows of a run.

    Attributes:
        num_images: Images judged so far.
        num_unreadable: Of these, images that could not be decoded.
        country: Country accuracy.
        city: City accuracy.
        hierarchical: City accuracy among the images whose country is right.
        distance: Median and GeoScore.
        thresholds: One row a threshold: name, threshold_km, value, low, high, n, ceiling.
        curve: Share of images within each distance: distance_km, value, low, high.
        continents: One row a true continent: continent, n, then country, city and hierarchical
            value, low, high, and geoscore.
    """

    num_images: int
    num_unreadable: int
    country: Accuracy
    city: Accuracy
    hierarchical: Accuracy
    distance: Distance
    thresholds: pd.DataFrame
    curve: pd.DataFrame
    continents: pd.DataFrame


@dataclass(frozen=True)
class Delta:
    """A figure of the run minus that of the baseline, over the images that both have.

    Attributes:
        value: A difference of shares in [−1, 1], or of GeoScores; None without images.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    value: float | None
    low: float | None
    high: float | None

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        if self.low is None or self.high is None:
            return False
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Against:
    """A run beside its baseline, over the chosen images that both have.

    Attributes:
        num_common: How many these are.
        num_chosen: How many of the run are chosen, those that the baseline lacks included.
        country: Difference of the country accuracies.
        city: Of the city accuracies.
        hierarchical: Of the city accuracies given the country.
        geoscore: Of the mean GeoScores.
        median_km: The baseline's own median; None where it is not known.
        outcomes: Images by what happened to their country: both_right, gained, lost, both_wrong.
        countries: One row a true country: country (ISO code), n, difference, low, high, gained,
            lost; of the country accuracy.
        continents: One row a true continent: continent, n, baseline (its country accuracy).
        curve: The baseline's share of images within each distance, as `Report.curve`.
    """

    num_common: int
    num_chosen: int
    country: Delta
    city: Delta
    hierarchical: Delta
    geoscore: Delta
    median_km: float | None
    outcomes: Mapping[str, int]
    countries: pd.DataFrame
    continents: pd.DataFrame
    curve: pd.DataFrame


def report_of_metrics(
    metrics: Mapping[str, Any], continents: pd.DataFrame, curve: pd.DataFrame
) -> Report:
    """Put the figures of a finished run together.

    Args:
        metrics: The body of `metrics.json`.
        continents: Counts by true continent, as `store.place_accuracy` gives them.
        curve: Counts by distance, as `store.distance_curve` gives them.
    """
    return Report(
        num_images=metrics["num_images"],
        num_unreadable=metrics["num_unreadable"],
        country=_accuracy(metrics["country_accuracy"]),
        city=_accuracy(metrics["city_accuracy"]),
        hierarchical=_accuracy(metrics["hierarchical_accuracy"]),
        distance=_distance(metrics["distance"]),
        thresholds=pd.DataFrame(metrics["distance"]["share_within_km"]),
        curve=curve_shares(curve),
        continents=continent_shares(continents),
    )


def report_of_totals(
    totals: Mapping[str, Any],
    countries: pd.DataFrame,
    continents: pd.DataFrame,
    curve: pd.DataFrame,
) -> Report:
    """Put the figures so far of an unfinished run together, from its additive counts.

    Args:
        totals: Counts over all images done, as `store.run_totals` gives them.
        countries: Counts by true country, as `store.place_accuracy` gives them.
        continents: Counts by true continent, likewise.
        curve: Counts by distance, as `store.distance_curve` gives them.
    """
    n = int(totals["n"])
    right, judged = int(totals["country_correct"]), int(totals["with_coordinates"])
    shares = curve_shares(curve)
    return Report(
        num_images=n,
        num_unreadable=int(totals["unreadable"]),
        country=_counted(totals, "country_correct", n, totals["country_reachable"], countries, "n"),
        city=_counted(totals, "city_correct", n, totals["city_reachable"], countries, "n"),
        hierarchical=_counted(
            totals,
            "city_correct",
            right,
            totals["country_correct_city_reachable"],
            countries,
            "country_correct",
        ),
        distance=Distance(
            _median_of_curve(shares),
            None,
            None,
            totals["geoscore_sum"] / judged if judged else None,
            judged,
            is_binned=True,
        ),
        thresholds=_thresholds_of_totals(totals),
        curve=shares,
        continents=continent_shares(continents),
    )


def report_of_groups(
    countries: pd.DataFrame, curve: pd.DataFrame, median: tuple[float, float, float]
) -> Report:
    """Put the figures of a choice of images together.

    Args:
        countries: Them by true country, as `analysis.group_accuracy` gives it.
        curve: As `analysis.distance_counts` gives it.
        median: In km, with the ends of its interval, as `analysis.median_distance` gives it.
    """
    counters = [name for name in place_counters() if name in countries]
    continents = countries.groupby("continent", as_index=False)[counters].sum()
    totals = {name: countries[name].sum() for name in counters}
    found = report_of_totals(totals, countries, continents, curve)
    if not found.distance.n:
        return found
    median_km, low_km, high_km = median
    distance = replace(
        found.distance, median_km=median_km, low_km=low_km, high_km=high_km, is_binned=False
    )
    return replace(found, distance=distance)


def against_of(
    num_chosen: int,
    compared: Mapping[str, Comparison],
    median_km: float,
    countries: pd.DataFrame,
    curve: pd.DataFrame,
) -> Against:
    """Put a comparison together.

    Args:
        num_chosen: Images of the run that are looked at.
        compared: Of "city", "hierarchical" and "geoscore".
        median_km: The baseline's, over the images that both have; NaN where it is not known.
        countries: Of the country accuracies by true country, as `analysis.compare_by` gives it.
        curve: The baseline's counts by distance over these images.
    """
    counts = ["both_right", "gained", "lost", "both_wrong"]
    sums = countries.groupby("continent", as_index=False)[["n", *counts]].sum()
    outcomes = {name: int(sums[name].sum()) for name in counts}
    continents = sums[["continent", "n"]].assign(
        baseline=(sums["both_right"] + sums["lost"]) / sums["n"]
    )
    return Against(
        num_common=sum(outcomes.values()),
        num_chosen=num_chosen,
        country=_delta(*newcombe_paired_interval(*outcomes.values())),
        **{name: _delta(each.difference, each.low, each.high) for name, each in compared.items()},
        median_km=None if math.isnan(median_km) else median_km,
        outcomes=outcomes,
        countries=countries,
        continents=continents,
        curve=curve_shares(curve),
    )


def _delta(*ends: float) -> Delta:
    """NaN stands for what cannot be known."""
    return Delta(*(None if math.isnan(end) else end for end in ends))


def _distance(entry: Mapping[str, Any]) -> Distance:
    n, median = entry["n"], entry["median_km"]
    return Distance(
        median_km=_unbounded(median["value"], n),
        low_km=_unbounded(median["low"], n),
        high_km=_unbounded(median["high"], n),
        geoscore=entry["geoscore"],
        n=n,
        is_binned=False,
    )


def _unbounded(distance_km: float | None, n: int) -> float | None:
    """Undo what JSON lacks: in a median over some images, None stands for infinity."""
    return math.inf if distance_km is None and n else distance_km


def _accuracy(entry: Mapping[str, Any]) -> Accuracy:
    return Accuracy(
        **{name: entry[name] for name in ("value", "low", "high", "n", "ceiling", "macro")}
    )


def _counted(
    totals: Mapping[str, Any],
    counted: str,
    n: int,
    reachable: float,
    countries: pd.DataFrame,
    denominator: str,
) -> Accuracy:
    share = Proportion(int(totals[counted]), n)
    ceiling = reachable / n if n else None
    judged = countries[countries[denominator] > 0]
    macro = (judged[counted] / judged[denominator]).mean() if len(judged) else None
    return Accuracy(share.value, share.low, share.high, n, ceiling, macro)


def _thresholds_of_totals(totals: Mapping[str, Any]) -> pd.DataFrame:
    n = int(totals["with_coordinates"])
    rows = [
        {"name": name, "threshold_km": km}
        | Proportion(int(totals[f"within_{km}"]), n).to_dict()
        | {"ceiling": totals[f"reachable_within_{km}"] / n if n else None}
        for name, km in THRESHOLDS_KM.items()
    ]
    return pd.DataFrame(rows)


def curve_shares(curve: pd.DataFrame) -> pd.DataFrame:
    """Turn cumulative counts into shares with intervals.

    Args:
        curve: distance_km, n (images at most that far) and total (images that can be judged), as
            `store.distance_curve` gives them.

    Returns:
        distance_km, value, low, high (shares in [0, 1]); empty without images.
    """
    seen = curve[curve["total"] > 0]
    low, high = wilson_interval(seen["n"], seen["total"])
    return pd.DataFrame(
        {
            "distance_km": seen["distance_km"].to_numpy(dtype=np.float64),
            "value": (seen["n"] / seen["total"]).to_numpy(dtype=np.float64),
            "low": low,
            "high": high,
        }
    )


def _median_of_curve(curve: pd.DataFrame) -> float | None:
    """The upper edge of the bin in which the share passes one half."""
    reached = curve.loc[curve["value"] >= _HALF, "distance_km"]
    if curve.empty:
        return None
    return math.inf if reached.empty else float(reached.iloc[0])


def continent_shares(places: pd.DataFrame) -> pd.DataFrame:
    """Country, city and hierarchical accuracy with intervals by true continent, best first.

    Args:
        places: Counts by true continent, as `store.place_accuracy` gives them.
    """
    seen = places[places["n"] > 0]
    shares = pd.DataFrame({"continent": seen["continent"], "n": seen["n"]})
    for name, counted, denominator in (
        ("country", "country_correct", "n"),
        ("city", "city_correct", "n"),
        ("hierarchical", "city_correct", "country_correct"),
    ):
        low, high = wilson_interval(seen[counted], seen[denominator])
        known = seen[denominator].where(seen[denominator] > 0, math.nan)
        shares[name] = seen[counted] / known
        shares[f"{name}_low"], shares[f"{name}_high"] = low, high
    judged = seen["with_coordinates"].where(seen["with_coordinates"] > 0, math.nan)
    shares["geoscore"] = seen["geoscore_sum"] / judged
    return shares.sort_values("country", ascending=False, ignore_index=True)
