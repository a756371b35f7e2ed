"""Read confusions, calibration and the comparison with a baseline, with caches."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.queries.run_queries import (
    BY_VIEW,
    WITH_BASELINE,
    details,
    list_runs,
    mask,
    pairs,
    table,
)
from dashboard.queries.store_state import run_reader
from dashboard.shell import formats
from dashboard.shell.page_query import View
from streetclip import gazetteer, results, store
from streetclip.metrics.intervals import Median
from streetclip.metrics.neighbours import neighbour_confusion
from streetclip.results.filters import Selection

# Confusion


def confusion_matrix(
    view: View, level: str, top: int, order: str, towards: str | None
) -> results.ConfusionMatrix:
    """Count the confusions among the countries, or continents, that are confused most.

    `level`: "country" or "continent"; `top`: most countries with a row and a column of their own;
    `order`: "continent", then by name, or "similarity"; `towards`: the continent whose countries
    have columns of their own, None for any.
    """
    confusion = _confusion_matrix(view, level, top, towards)
    if order == "similarity":
        return replace(confusion, labels=results.by_similarity(confusion))
    return confusion


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=BY_VIEW)
def _confusion_matrix(
    view: View, level: str, top: int, towards: str | None
) -> results.ConfusionMatrix:
    if level == "continent":
        return results.matrix(results.continent_pairs(table(view), mask(view)))
    continent_of = continents(view)
    names = {code: f"{where} {formats.country(code)}" for code, where in continent_of.items()}
    counted = pairs(view)
    if towards is None:
        return results.matrix(counted, top, names)
    predicted = counted["pred_country"].to_numpy(dtype=object)
    inside = np.array([continent_of[code] == towards or not code for code in predicted], np.bool_)
    folded = counted.assign(pred_country=counted["pred_country"].where(inside, results.OTHER))
    return results.matrix(folded, top + 1, names)  # one more for the folded column


@st.cache_data(show_spinner=False, max_entries=8, hash_funcs=BY_VIEW)
def _continents(view: View) -> dict[str, str]:
    return dict(results.continents(table(view)))


def continents(view: View) -> Mapping[str, str]:
    """Map every country of the run, by ISO code, to its continent."""
    return _continents(replace(view, selection=Selection()))


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=BY_VIEW)
def asymmetric_pairs(view: View) -> pd.DataFrame:
    """Find pairs confused one way more than the other, as `results.asymmetric_pairs`."""
    return results.asymmetric_pairs(pairs(view))


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=BY_VIEW)
def nearness(view: View) -> tuple[pd.DataFrame, dict[str, Any] | None]:
    """Count mistakes by nearness, and those to neighbours against chance (None if unknown)."""
    counted, candidates, against_chance = pairs(view), candidate_countries(view), None
    if candidates is not None:
        codes = (counted[name].to_numpy(dtype=object) for name in ("true_country", "pred_country"))
        counts = dict(zip(zip(*codes, strict=True), counted["n"].tolist(), strict=True))
        borders = {code: country.neighbours for code, country in gazetteer.countries().items()}
        against_chance = neighbour_confusion(counts, candidates, borders)
    return results.mistakes_by_nearness(counted), against_chance


def candidate_countries(view: View) -> list[str] | None:
    """List the ISO codes that the run could predict; None for runs that hold none."""
    config = details(view)["config"]
    return config.get("candidate_countries") if isinstance(config, dict) else None


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=BY_VIEW)
def calibration(view: View, level: str) -> results.Calibration:
    """Compare confidence with accuracy, as `results.calibration`."""
    return results.calibration(table(view), mask(view), level)


# Compare: the run and its baseline, image by image


def rival(view: View) -> int | None:
    """Find the newest other run over the same images."""
    dataset_id = details(view)["dataset_id"]
    known = (run for run in list_runs(view.path) if run["archived_at"] is None)
    same = (run["id"] for run in known if run["dataset_id"] == dataset_id)
    return next((run_id for run_id in same if run_id != view.run_id), None)


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=WITH_BASELINE)
def comparison(view: View, level: str) -> results.Comparison:
    """Compare them by "country", "city", "hierarchical" (city given country) or "geoscore"."""
    run, baseline, chosen = table(view), table(view.of_baseline()), mask(view)
    if level == "hierarchical":
        return results.compare_hierarchical(run, baseline, chosen)
    if level == "geoscore":
        return results.compare_geoscore(run, baseline, chosen)
    return results.compare(run, baseline, chosen, level)


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=WITH_BASELINE)
def comparison_by_country(view: View, level: str) -> pd.DataFrame:
    """Compare them for each true country, as `results.compare_by` by its code."""
    run, baseline = table(view), table(view.of_baseline())
    return results.compare_by(run, baseline, mask(view), level, "country_code")


class Distances(NamedTuple):
    """Errors in km of two runs over their common images; curves as `distance_shares`."""

    by_threshold: dict[int, results.Comparison]
    curve: pd.DataFrame
    baseline_curve: pd.DataFrame
    median_km: Median
    baseline_median_km: Median


@st.cache_data(show_spinner=False, max_entries=16, hash_funcs=WITH_BASELINE)
def distances(view: View) -> Distances:
    """Compare the distances of the run and of its baseline."""
    run, baseline, chosen = table(view), table(view.of_baseline()), mask(view)
    mine, theirs = results.common_masks(run, baseline, chosen)
    counted, of_baseline = (
        results.distance_counts(*each) for each in ((run, mine), (baseline, theirs))
    )
    return Distances(
        results.compare_distances(run, baseline, chosen),
        results.distance_shares(run, mine, counted),
        results.distance_shares(baseline, theirs, of_baseline),
        results.median_distance(run, mine, counted),
        results.median_distance(baseline, theirs, of_baseline),
    )


@st.cache_data(show_spinner=False, max_entries=32, hash_funcs=WITH_BASELINE)
def outcome_images(
    view: View, level: str, outcome: str, number: int, size: int
) -> tuple[tuple[int, ...], int]:
    """List page `number` (from 1) of the images of an outcome, most confident first; count all."""
    run, baseline = table(view), table(view.of_baseline())
    chosen = results.outcome_mask(run, baseline, mask(view), outcome, level)
    image_ids, total = results.page_of(run, chosen, "surest", number - 1, size)
    return tuple(image_ids.tolist()), total


def predictions_of_baseline(view: View, image_ids: tuple[int, ...]) -> dict[int, str]:
    """Describe what the baseline predicts for some images, in a line each."""
    if view.baseline_id is None:
        return {}
    with run_reader(view.of_baseline()) as opened:
        rows = store.image_rows(opened, view.baseline_id, image_ids)
    lines = {}
    for row in rows.to_dict("records"):
        words = "no prediction"
        if row["pred_country"]:
            city = f", {formats.plain(row['pred_city'], 40)}" if row["pred_city"] else ""
            km = formats.kilometres(row["distance_km"])
            words = f"{formats.country(row['pred_country'])}{city} · {km}"
        lines[int(row["image_id"])] = f"Baseline: {words}"
    return lines
