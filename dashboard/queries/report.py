"""Compute the figures of the overview, with caches."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from dashboard.queries.run_queries import (
    BY_VIEW,
    WITH_BASELINE,
    counts,
    details,
    mask,
    num_selected,
    table,
)
from dashboard.shell.page_query import View
from streetclip import results
from streetclip.metrics.intervals import Median, newcombe_paired_interval
from streetclip.metrics.published import Benchmark, benchmark_of
from streetclip.results import ACCURACIES


class Accuracy(NamedTuple):
    """A share in [0, 1], its Wilson 95 % interval, ceiling and country mean."""

    value: float | None
    low: float | None
    high: float | None
    successes: int
    n: int
    ceiling: float | None
    macro: float | None
    macro_ceiling: float | None


class Distance(NamedTuple):
    """Errors of the images whose true place has coordinates; geoscore: mean, 0 to 5000."""

    median_km: Median
    geoscore: float | None
    n: int


class Report(NamedTuple):
    """Figures of a run on the overview.

    `num_images` have a prediction; `hierarchical`: city accuracy where the country is correct;
    `thresholds`: name, threshold_km, value, low, high, successes, n, ceiling (None where unknown);
    `curve`: distance_km, value, low, high of the share of images so near; `continents`: by true
    continent n, geoscore, and value, low, high of country, city and hierarchical.
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


class Delta(NamedTuple):
    """Difference from the baseline with its 95 % interval; NaN if unknown."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


class Against(NamedTuple):
    """A run and its baseline, over the `num_common` selected images that both have.

    `num_chosen` with those that the baseline lacks; `median_km`, `curve`: the baseline's;
    `outcomes`: images by what happened to their country: both_right, gained, lost, both_wrong;
    `countries`: `results.compare_by` of the country accuracy; `continents`: continent, n, baseline
    (its country accuracy).
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


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=BY_VIEW)
def report(view: View) -> Report:
    """Compute the figures of the selected images."""
    opened, chosen, counted = table(view), mask(view), counts(view, "country")
    distances = results.distance_counts(opened, chosen)
    figures = results.run_figures(opened, chosen, counted, distances)
    return report_of(figures, counted, results.distance_shares(opened, chosen, distances))


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=WITH_BASELINE)
def against(view: View) -> Against:
    """Compare the run with its baseline over the selected images that both have."""
    run, baseline, chosen = table(view), table(view.of_baseline()), mask(view)
    theirs = results.common_masks(run, baseline, chosen)[1]
    distances = results.distance_counts(baseline, theirs)
    compared = {
        "city": results.compare(run, baseline, chosen, "city"),
        "hierarchical": results.compare_hierarchical(run, baseline, chosen),
        "geoscore": results.compare_geoscore(run, baseline, chosen),
    }
    by_country = results.compare_by(run, baseline, chosen, "country", "country")
    by_continent = results.regrouped(by_country, "continent")
    names = ("both_right", "gained", "lost", "both_wrong")
    outcomes = {name: int(by_continent[name].sum()) for name in names}
    return Against(
        num_common=sum(outcomes.values()),
        num_chosen=num_selected(view),
        country=Delta(*newcombe_paired_interval(*outcomes.values())),
        **{name: Delta(each.difference, each.low, each.high) for name, each in compared.items()},
        median_km=results.median_distance(baseline, theirs, distances),
        outcomes=outcomes,
        countries=results.regrouped(by_country, "country"),
        continents=by_continent.rename(columns={"baseline_value": "baseline"}),
        curve=results.distance_shares(baseline, theirs, distances),
    )


def report_of(figures: Mapping[str, Any], countries: pd.DataFrame, curve: pd.DataFrame) -> Report:
    """Combine the counts that `results` computes of some images into a report."""
    distance = figures["distance"]
    return Report(
        num_images=figures["num_images"],
        num_unreadable=figures["num_unreadable"],
        **{name: Accuracy(**figures[f"{name}_accuracy"]) for name in ACCURACIES},
        distance=Distance(Median(**distance["median_km"]), distance["geoscore"], distance["n"]),
        thresholds=pd.DataFrame(distance["share_within_km"]),
        curve=curve,
        continents=results.continent_shares(countries),
    )


def document(view: View) -> str:
    """Write the report of the selected images as an HTML file, as jobs/report.py does."""
    from streetclip.reports.chosen import Chosen
    from streetclip.reports.report import report_html  # it decodes images

    other = None if view.baseline_id is None else view.of_baseline()
    return report_html(
        Chosen(
            path=view.path,
            run=details(view),
            table=table(view),
            selection=view.selection,
            mask=mask(view),
            baseline=None if other is None else details(other),
            baseline_table=None if other is None else table(other),
        )
    )


def published_of(run: Mapping[str, Any], num_images: int) -> Benchmark | None:
    """Find published figures by the dataset's name, or by its file's where it was renamed."""
    names = (run["dataset"], PurePath(run["csv_path"] or "").stem)
    return next(filter(None, (benchmark_of(name, num_images) for name in names)), None)
