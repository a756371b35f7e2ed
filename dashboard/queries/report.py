"""The figures of the images of a run that the filters leave, as pages show them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from streetclip.metrics.intervals import Median, newcombe_paired_interval, wilson_interval
from streetclip.results import ACCURACIES, Comparison


@dataclass(frozen=True)
class Accuracy:
    """A share of images with its Wilson 95 % interval.

    Attributes:
        value: Share in [0, 1]; None without images.
        low: Lower end of the interval.
        high: Upper end of the interval.
        successes: Numerator.
        n: Denominator.
        ceiling: The share that the candidate list allows; None without images.
        macro: Mean of the share over the true countries; None without images.
        macro_ceiling: Mean of their ceilings.
    """

    value: float | None
    low: float | None
    high: float | None
    successes: int
    n: int
    ceiling: float | None
    macro: float | None
    macro_ceiling: float | None


@dataclass(frozen=True)
class Distance:
    """How far off the predicted places are.

    Attributes:
        median_km: With its interval; infinite where fewer than half of the images have one, NaN
            without images.
        geoscore: Mean GeoScore, 0 to 5000; None without images.
        n: Images that count: those whose true place has coordinates.
    """

    median_km: Median
    geoscore: float | None
    n: int


@dataclass(frozen=True)
class Report:
    """What the overview shows of a run.

    Attributes:
        num_images: Images with a prediction so far.
        num_unreadable: Of these, images that could not be decoded.
        country: Country accuracy.
        city: City accuracy.
        hierarchical: City accuracy among the images whose country is correct.
        distance: Median and GeoScore.
        thresholds: One row a threshold: name, threshold_km, value, low, high, successes, n,
            ceiling (None where the nearest candidates are unknown).
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
    """A run and its baseline, over the selected images that both have.

    Attributes:
        num_common: How many these are.
        num_chosen: How many of the run are selected, those that the baseline lacks included.
        country: Difference of the country accuracies.
        city: Of the city accuracies.
        hierarchical: Of the city accuracies given the country.
        geoscore: Of the mean GeoScores.
        median_km: The baseline's own median with its interval; NaN without images.
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
    median_km: Median
    outcomes: Mapping[str, int]
    countries: pd.DataFrame
    continents: pd.DataFrame
    curve: pd.DataFrame


def report_of(figures: Mapping[str, Any], countries: pd.DataFrame, curve: pd.DataFrame) -> Report:
    """Put the figures of some images together.

    Args:
        figures: As `results.run_figures` computes them.
        countries: As `results.group_accuracy` counts them by country.
        curve: As `results.distance_counts` counts them.
    """
    distance = figures["distance"]
    return Report(
        num_images=figures["num_images"],
        num_unreadable=figures["num_unreadable"],
        **{name: Accuracy(**figures[f"{name}_accuracy"]) for name in ACCURACIES},
        distance=Distance(Median(**distance["median_km"]), distance["geoscore"], distance["n"]),
        thresholds=pd.DataFrame(distance["share_within_km"]),
        curve=curve_shares(curve),
        continents=continent_shares(countries),
    )


def against_of(
    num_chosen: int,
    compared: Mapping[str, Comparison],
    median_km: Median,
    by_place: Mapping[str, pd.DataFrame],
    curve: pd.DataFrame,
) -> Against:
    """Put a comparison together.

    Args:
        num_chosen: Images of the run that are selected.
        compared: Of "city", "hierarchical" and "geoscore".
        median_km: The baseline's, over the images that both have.
        by_place: Of the country accuracies by "country_code" and by "continent", as
            `results.compare_by` gives them.
        curve: The baseline's counts by distance over these images.
    """
    sums = by_place["continent"]
    names = ("both_right", "gained", "lost", "both_wrong")
    outcomes = {name: int(sums[name].sum()) for name in names}
    return Against(
        num_common=sum(outcomes.values()),
        num_chosen=num_chosen,
        country=_delta(*newcombe_paired_interval(*outcomes.values())),
        **{name: _delta(each.difference, each.low, each.high) for name, each in compared.items()},
        median_km=median_km,
        outcomes=outcomes,
        countries=by_place["country_code"],
        continents=sums[["continent", "n"]].assign(baseline=sums["baseline_value"]),
        curve=curve_shares(curve),
    )


def _delta(*ends: float) -> Delta:
    """Take NaN for what cannot be known."""
    return Delta(*(None if math.isnan(end) else end for end in ends))


def curve_shares(curve: pd.DataFrame) -> pd.DataFrame:
    """Turn cumulative counts into shares with intervals.

    Args:
        curve: As `results.distance_counts` counts it.

    Returns:
        distance_km, value, low, high (shares in [0, 1]); empty without images.
    """
    seen = curve[curve["total"] > 0].reset_index(drop=True)
    low, high = wilson_interval(seen["n"], seen["total"])
    return pd.DataFrame(
        {
            "distance_km": seen["distance_km"],
            "value": (seen["n"] / seen["total"]).astype(np.float64),
            "low": low,
            "high": high,
        }
    )


def continent_shares(countries: pd.DataFrame) -> pd.DataFrame:
    """Compute the accuracies and the mean GeoScore by true continent, the best first.

    Args:
        countries: As `results.group_accuracy` counts them by country.
    """
    counts = countries.groupby("continent", as_index=False).sum(numeric_only=True)
    shares = counts[["continent", "n"]].copy()
    for name, share in ACCURACIES.items():
        correct, of = counts[share.correct], counts[share.of]
        shares[name] = correct / of.where(of > 0, math.nan)
        shares[f"{name}_low"], shares[f"{name}_high"] = wilson_interval(correct, of)
    n = counts["with_coordinates"]
    shares["geoscore"] = counts["geoscore_sum"] / n.where(n > 0, math.nan)
    return shares.sort_values("country", ascending=False, ignore_index=True)
