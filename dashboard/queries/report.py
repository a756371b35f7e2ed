"""The figures of the images of a run that the filters leave, all of them without a filter."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from streetclip.geo import THRESHOLDS_KM
from streetclip.metrics.intervals import (
    Median,
    Proportion,
    newcombe_paired_interval,
    wilson_interval,
)
from streetclip.results import Comparison, macro_of_countries
from streetclip.store import place_counters


@dataclass(frozen=True)
class Accuracy:
    """A share of images with its Wilson 95 % interval.

    Attributes:
        value: Share in [0, 1]; None without images.
        low: Lower end of the interval.
        high: Upper end of the interval.
        n: Denominator.
        ceiling: The share that the candidate list allows; None without images.
        macro: Mean of the share over the true countries; None without images.
        macro_ceiling: Mean of their ceilings.
    """

    value: float | None
    low: float | None
    high: float | None
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
        num_images: Images judged so far.
        num_unreadable: Of these, images that could not be decoded.
        country: Country accuracy.
        city: City accuracy.
        hierarchical: City accuracy among the images whose country is right.
        distance: Median and GeoScore.
        thresholds: One row a threshold: name, threshold_km, value, low, high, n, ceiling (None
            where the nearest candidates are unknown).
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


def report_of(
    countries: pd.DataFrame, curve: pd.DataFrame, median_km: Median, geoscore: float | None
) -> Report:
    """Put the figures of some images together.

    Args:
        countries: Them by true country, as `analysis.group_accuracy` gives it.
        curve: As `analysis.distance_counts` gives it.
        median_km: As `analysis.median_distance` gives it.
        geoscore: As `analysis.mean_geoscore` gives it.
    """
    counters = [*place_counters(), "nearest_known"]
    continents = countries.groupby("continent", as_index=False)[counters].sum()
    totals = countries[counters].sum()
    return Report(
        num_images=int(totals["n"]),
        num_unreadable=int(totals["unreadable"]),
        country=_accuracy(countries, "country_correct", "n", "country_reachable"),
        city=_accuracy(countries, "city_correct", "n", "city_reachable"),
        hierarchical=_accuracy(
            countries, "city_correct", "country_correct", "country_correct_city_reachable"
        ),
        distance=Distance(median_km, geoscore, int(totals["with_coordinates"])),
        thresholds=_thresholds(totals),
        curve=curve_shares(curve),
        continents=continent_shares(continents),
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
        num_chosen: Images of the run that are looked at.
        compared: Of "city", "hierarchical" and "geoscore".
        median_km: The baseline's, over the images that both have.
        by_place: Of the country accuracies by "country_code" and by "continent", as
            `analysis.compare_by` gives them.
        curve: The baseline's counts by distance over these images.
    """
    sums = by_place["continent"]
    outcomes = {
        name: int(sums[name].sum()) for name in ("both_right", "gained", "lost", "both_wrong")
    }
    continents = sums[["continent", "n"]].assign(baseline=sums["baseline_value"])
    return Against(
        num_common=sum(outcomes.values()),
        num_chosen=num_chosen,
        country=_delta(*newcombe_paired_interval(*outcomes.values())),
        **{name: _delta(each.difference, each.low, each.high) for name, each in compared.items()},
        median_km=median_km,
        outcomes=outcomes,
        countries=by_place["country_code"],
        continents=continents,
        curve=curve_shares(curve),
    )


def _delta(*ends: float) -> Delta:
    """NaN stands for what cannot be known."""
    return Delta(*(None if math.isnan(end) else end for end in ends))


def _accuracy(countries: pd.DataFrame, counted: str, of: str, reachable: str) -> Accuracy:
    """One accuracy over all images, and averaged over their true countries."""
    share = Proportion(int(countries[counted].sum()), int(countries[of].sum()))
    ceiling = Proportion(int(countries[reachable].sum()), share.n)
    return Accuracy(
        value=share.value,
        low=share.low,
        high=share.high,
        n=share.n,
        ceiling=ceiling.value,
        macro=macro_of_countries(countries, counted, of),
        macro_ceiling=macro_of_countries(countries, reachable, of),
    )


def _thresholds(totals: "pd.Series[Any]") -> pd.DataFrame:
    n = int(totals["with_coordinates"])
    is_known = int(totals["nearest_known"]) == n
    rows = []
    for name, km in THRESHOLDS_KM.items():
        ceiling = Proportion(int(totals[f"reachable_within_{km}"]), n).value if is_known else None
        share = Proportion(int(totals[f"within_{km}"]), n)
        rows.append({"name": name, "threshold_km": km} | share.to_dict() | {"ceiling": ceiling})
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
