"""Compare two runs image by image: which one is correct, which is wrong."""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.geo import THRESHOLDS_KM
from streetclip.metrics.averages import exact_sum
from streetclip.metrics.intervals import (
    bootstrap_ratio_difference,
    mean_interval,
    newcombe_paired_interval,
)
from streetclip.results.groups import Int64, grouping
from streetclip.results.run_table import Bool, RunTable, check_known, selected_rows, signed_rows
from streetclip.store import NO_BIN, Flag, distance_bin_edges_km

OUTCOMES: Final = ("both_wrong", "lost", "gained", "both_right")
"""What can happen to an image: gained is correct now and was wrong in the baseline."""

_PAIRED: Final = ["n", "value", "baseline_value", "difference", "low", "high"]


@dataclass(frozen=True)
class Comparison:
    """A run against its baseline over the images of which both have a prediction.

    Attributes:
        n: Images that were compared. For a mean, its n; for the city among correct countries, the
            images that either run has in its denominator.
        value: The run's share (0 to 1) or mean; NaN for n = 0.
        difference: value − baseline_value, with its 95 % interval from low to high.
        outcomes: Images of each of `OUTCOMES`; empty where nothing is correct or wrong.
    """

    n: int
    value: float
    baseline_value: float
    difference: float
    low: float
    high: float
    outcomes: dict[str, int] = field(default_factory=dict)


def compare(table: RunTable, baseline: RunTable, mask: Bool, level: str = "country") -> Comparison:
    """Compare the shares that two runs have correct, image by image.

    Compared are the images that the mask of `table` selects and both have predicted, each against
    its own run's truth; distances where the true place has coordinates, in both. The interval is
    Newcombe's for paired proportions; `level` is one of `run_table.CORRECT_AT`.
    """
    common, now, then = _answers(table, baseline, mask, level)
    n, num_now, num_then, both = (
        int(np.count_nonzero(each & common)) for each in (common, now, then, now & then)
    )
    return _comparison(
        np.array([n - num_now - num_then + both, num_then - both, num_now - both, both])
    )


def _comparison(counts: Int64) -> Comparison:
    return Comparison(*_paired(counts), dict(zip(OUTCOMES, counts.tolist(), strict=True)))


def compare_by(
    table: RunTable, baseline: RunTable, mask: Bool, level: str, by: str
) -> pd.DataFrame:
    """Compare two runs group by group, as `compare`; `by` as in `groups.group_counts`.

    Returns:
        One row for each group with an image that both have predicted, in alphabetical order: its
            name (as `group_counts`), n, both_right, gained, lost, both_wrong, value,
            baseline_value, difference, low and high.
    """
    groups = grouping(table, by)
    common, now, then = _answers(table, baseline, mask, level)
    size = (len(groups.keys), len(OUTCOMES))
    counts = np.zeros(size[0] * size[1], np.int64)
    for rows, sign in signed_rows(common):
        outcome = 2 * now[rows].astype(np.uint8) + then[rows]
        np.add.at(counts, groups.group_of[groups.codes[rows]] * size[1] + outcome, sign)
    outcomes = pd.DataFrame(counts.reshape(size), columns=OUTCOMES)[list(reversed(OUTCOMES))]
    return _compared(groups.keys[outcomes.any(axis=1)], outcomes[outcomes.any(axis=1)])


def regrouped(compared: pd.DataFrame, by: str) -> pd.DataFrame:
    """Add up groups of `compare_by` that have the same key; `by` is one of their columns."""
    outcomes = compared.groupby(by)[list(reversed(OUTCOMES))].sum().reset_index()
    return _compared(outcomes[[by]], outcomes.drop(columns=by))


def _compared(keys: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    counts = outcomes[list(OUTCOMES)].to_numpy()
    frame = pd.DataFrame([_paired(each) for each in counts], columns=_PAIRED)
    keys, outcomes = (each.reset_index(drop=True) for each in (keys, outcomes))
    return pd.concat([keys, frame[["n"]].astype(np.int64), outcomes, frame[_PAIRED[1:]]], axis=1)


def outcome_mask(
    table: RunTable, baseline: RunTable, mask: Bool, outcome: str, level: str = "country"
) -> Bool:
    """Find the images of `table` that `compare` counts under an outcome: N booleans."""
    check_known("outcome", outcome, OUTCOMES)
    common, now, then = _answers(table, baseline, mask, level)
    found: Bool = 2 * now.astype(np.uint8) + then == OUTCOMES.index(outcome)
    return common & found


def compare_hierarchical(
    table: RunTable, baseline: RunTable, mask: Bool, seed: int = 0
) -> Comparison:
    """Compare city accuracy among the images whose country is correct.

    The denominators differ: the interval is bootstrapped over both predictions of each image.
    """
    common, positions = _common(table, baseline, mask)
    # 0: country wrong, 1: country alone correct, 2: both correct.
    now, then = (
        run.correct("country") + run.correct("city").astype(np.uint8) for run in (table, baseline)
    )
    pair = now * np.uint8(3) + _aligned(then, positions)
    counts = np.bincount(pair[common], minlength=9).reshape(3, 3)
    return Comparison(
        int(counts.sum() - counts[0, 0]),
        _ratio(counts[2].sum(), counts[1:].sum()),
        _ratio(counts[:, 2].sum(), counts[:, 1:].sum()),
        *bootstrap_ratio_difference(counts, seed=seed),
    )


def compare_geoscore(table: RunTable, baseline: RunTable, mask: Bool) -> Comparison:
    """Compare mean GeoScores, with the normal interval of the mean paired difference.

    Compared are the images whose true place has coordinates, in both runs.
    """
    common, positions = _common(table, baseline, mask, with_coordinates=True)
    mine, theirs = table.geoscore, _aligned(baseline.geoscore, positions)
    paired, n = np.empty(np.count_nonzero(common)), 0
    total = baseline_total = Fraction(0)
    for rows in selected_rows(common):
        now, then = mine[rows], theirs[rows]
        total, baseline_total = total + exact_sum(now), baseline_total + exact_sum(then)
        np.subtract(now, then, out=paired[n : n + len(now)])
        n += len(now)
    value, baseline_value = (float(each / n) if n else math.nan for each in (total, baseline_total))
    ends = mean_interval(float(total - baseline_total), float(paired @ paired), n)
    return Comparison(n, value, baseline_value, *ends)


def geoscore_interval(table: RunTable, mask: Bool) -> tuple[int, float, float, float]:
    """Compute n, the mean GeoScore and its normal interval; NaN without images.

    Over the selected images whose true place has coordinates.
    """
    located = table.with_prediction(mask) & table.has(Flag.HAS_COORDINATES)
    scores = table.geoscore[located]
    total, squares = float(exact_sum(scores)), float(np.dot(scores, scores))
    return len(scores), *mean_interval(total, squares, len(scores))


def compare_distances(table: RunTable, baseline: RunTable, mask: Bool) -> dict[int, Comparison]:
    """Compare the shares within each threshold in km, the smallest first."""
    common, positions = _common(table, baseline, mask, with_coordinates=True)
    now, then = table.column("distance_bin"), _aligned(baseline.column("distance_bin"), positions)
    last_bins = np.searchsorted(distance_bin_edges_km(), list(THRESHOLDS_KM.values()))
    # How many of the thresholds a distance passes, by its bin.
    passed = (np.arange(NO_BIN + 1)[:, None] > last_bins).sum(axis=1).astype(np.uint8)
    size = len(last_bins) + 1
    counts = np.zeros(size * size, np.int64)
    for rows, sign in signed_rows(common):
        pair = passed[now[rows]] * np.uint8(size) + passed[then[rows]]
        counts += sign * np.bincount(pair, minlength=len(counts))
    found = {}
    for i, km in enumerate(THRESHOLDS_KM.values(), 1):
        near, far = slice(i), slice(i, None)
        sides = ((far, far), (far, near), (near, far), (near, near))  # as `OUTCOMES`
        counts_SS = counts.reshape(size, size)
        found[km] = _comparison(np.array([counts_SS[side].sum() for side in sides]))
    return found


def _answers(table: RunTable, baseline: RunTable, mask: Bool, level: str) -> tuple[Bool, ...]:
    """Find the images to compare, and those that each run has correct: 3 × N booleans."""
    now = table.correct(level)
    common, positions = _common(table, baseline, mask, with_coordinates=level.startswith("within_"))
    return common, now, _aligned(baseline.correct(level), positions)


def common_masks(table: RunTable, baseline: RunTable, mask: Bool) -> tuple[Bool, Bool]:
    """Find the selected images that both runs have predicted: a mask for each of the two."""
    common, positions = _common(table, baseline, mask)
    if positions is None:
        return common, common
    theirs = np.zeros(baseline.num_images, dtype=np.bool_)
    theirs[positions[common]] = True
    return common, theirs


def _common(
    table: RunTable, baseline: RunTable, mask: Bool, *, with_coordinates: bool = False
) -> tuple[Bool, Int64 | None]:
    """Find the selected images that both runs have predicted, and `align` the two."""
    positions = align(table, baseline)
    common = table.with_prediction(mask) & _aligned(baseline.done, positions)
    if with_coordinates:
        now, then = (run.has(Flag.HAS_COORDINATES) for run in (table, baseline))
        common &= now & _aligned(then, positions)
    return common, positions


def _aligned(values: NDArray[Any], positions: Int64 | None) -> NDArray[Any]:
    """Align the baseline's values with the images of a run: 0, False or NaN where missing."""
    if positions is None:
        return values
    missing = np.nan if values.dtype.kind == "f" else 0
    return np.append(values, values.dtype.type(missing))[positions]  # −1 is the last


def align(table: RunTable, baseline: RunTable) -> Int64 | None:
    """Find each image in another run: N positions, −1 for none; None if the images are the same."""
    ids, theirs = table.image_ids, baseline.image_ids
    if ids is theirs or np.array_equal(ids, theirs):
        return None
    return np.where(np.isin(ids, theirs), np.searchsorted(theirs, ids), -1)


def _paired(counts: Int64) -> tuple[int, float, float, float, float, float]:
    """Compute the figures of one comparison from the counts of `OUTCOMES`."""
    neither, lost, gained, both = counts.tolist()
    n = neither + lost + gained + both
    ends = newcombe_paired_interval(both, gained, lost, neither)
    return n, _ratio(both + gained, n), _ratio(both + lost, n), *ends


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else math.nan
