"""Compare two runs over the same images: which one is correct where the other is not."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.errors import shown
from streetclip.geo import THRESHOLDS_KM, geoscore
from streetclip.metrics.differences import bootstrap_ratio_difference, mean_interval
from streetclip.metrics.intervals import newcombe_paired_interval
from streetclip.metrics.sums import exact_mean, exact_sum
from streetclip.results.groups import grouping
from streetclip.results.run_table import CORRECT_AT, Bool, RunTable
from streetclip.store import Flag

Int64 = NDArray[np.int64]

OUTCOMES: Final = ("both_wrong", "lost", "gained", "both_right")
"""What can happen to an image: gained is correct now and was wrong in the baseline."""

_PAIRED: Final = ["n", "value", "baseline_value", "difference", "low", "high"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A run against its baseline over the images of which both have a prediction.

    Attributes:
        n: Images that were compared. For a mean, its n; for the city among correct countries, the
            images that either run has in its denominator.
        value: The run's share (0 to 1) or mean; NaN for n = 0.
        baseline_value: The baseline's.
        difference: value − baseline_value.
        low: Lower end of its 95 % interval.
        high: Upper end of it.
        outcomes: Images of each of `OUTCOMES`; empty where nothing is correct or wrong.
    """

    n: int
    value: float
    baseline_value: float
    difference: float
    low: float
    high: float
    outcomes: dict[str, int]


def compare(table: RunTable, baseline: RunTable, mask: Bool, level: str = "country") -> Comparison:
    """Compare the shares that two runs have correct, image by image.

    Args:
        table: The run.
        baseline: The run to compare it with. Of another dataset, the images that both have are
            compared, each against its own run's truth.
        mask: N booleans for `table`: which images to compare. Those that one of the two has no
            prediction of are left out.
        level: One of `run_table.CORRECT_AT`. Distances are compared where the true place has
            coordinates, in both.

    Returns:
        The difference with Newcombe's interval for paired proportions.

    Raises:
        ValueError: There is no such level.
    """
    _, now, then = _answers(table, baseline, mask, level)
    return _comparison(now, then)


def compare_by(
    table: RunTable, baseline: RunTable, mask: Bool, level: str, by: str
) -> pd.DataFrame:
    """Compare two runs group by group.

    Args:
        table: The run.
        baseline: The run to compare it with.
        mask: As `compare`.
        level: As `compare`.
        by: As `groups.group_accuracy`; what is predicted is what `table` predicts.

    Returns:
        One row for each group with an image that both have predicted, in alphabetical order: its
        name (as `group_accuracy`), n, both_right, gained, lost, both_wrong, value, baseline_value,
        difference, low and high.

    Raises:
        ValueError: There is no such level or grouping.
    """
    groups = grouping(table, by)
    rows, now, then = _answers(table, baseline, mask, level)
    outcome = 2 * now.astype(np.uint8) + then
    group = groups.group_of[groups.codes[rows]]
    size = (len(groups.keys), len(OUTCOMES))
    counts = np.bincount(group * size[1] + outcome, minlength=size[0] * size[1]).reshape(size)
    found = np.flatnonzero(counts.sum(axis=1))
    keys = groups.keys.iloc[found].reset_index(drop=True)
    frame = pd.DataFrame([_paired(each) for each in counts[found]], columns=_PAIRED)
    outcomes = pd.DataFrame(counts[found], columns=OUTCOMES)[list(reversed(OUTCOMES))]
    return pd.concat([keys, frame[["n"]].astype(np.int64), outcomes, frame[_PAIRED[1:]]], axis=1)


def outcome_mask(
    table: RunTable, baseline: RunTable, mask: Bool, outcome: str, level: str = "country"
) -> Bool:
    """Find the images that a comparison counts under one outcome.

    Args:
        table: The run.
        baseline: The run to compare it with.
        mask: As `compare`.
        outcome: One of `OUTCOMES`.
        level: As `compare`.

    Returns:
        N booleans for `table`.

    Raises:
        ValueError: There is no such outcome or level.
    """
    if outcome not in OUTCOMES:
        msg = f"outcome is {shown(outcome)}; expected one of {', '.join(OUTCOMES)}"
        raise ValueError(msg)
    rows, now, then = _answers(table, baseline, mask, level)
    found = np.zeros(table.num_images, dtype=np.bool_)
    found[rows] = 2 * now.astype(np.uint8) + then == OUTCOMES.index(outcome)
    return found


def compare_hierarchical(
    table: RunTable, baseline: RunTable, mask: Bool, seed: int = 0
) -> Comparison:
    """Compare city accuracy among the images whose country is correct.

    The two denominators differ, so that the interval is bootstrapped over what both runs predicted
    of each image; `seed` is that of the bootstrap.
    """
    # 0: country wrong, 1: country alone correct, 2: both correct.
    now, then = (
        (run.correct("country").astype(np.int64) + run.correct("city"))[rows]
        for run, rows in zip((table, baseline), _common_rows(table, baseline, mask), strict=True)
    )
    counts = np.bincount(now * 3 + then, minlength=9).reshape(3, 3)
    difference, low, high = bootstrap_ratio_difference(counts, seed=seed)
    return Comparison(
        n=int(counts.sum() - counts[0, 0]),
        value=_ratio(counts[2].sum(), counts[1:].sum()),
        baseline_value=_ratio(counts[:, 2].sum(), counts[:, 1:].sum()),
        difference=difference,
        low=low,
        high=high,
        outcomes={},
    )


def compare_geoscore(table: RunTable, baseline: RunTable, mask: Bool) -> Comparison:
    """Compare mean GeoScores, with the normal interval of the mean paired difference.

    Compared are the images whose true place has coordinates, in both runs; one without a distance
    has GeoScore 0.
    """
    rows, others = _with_coordinates(table, baseline, *_common_rows(table, baseline, mask))
    now, then = (
        geoscore(run.column("distance_km")[where])
        for run, where in ((table, rows), (baseline, others))
    )
    paired = now - then
    total = float(exact_sum(now) - exact_sum(then))
    difference, low, high = mean_interval(total, float(paired @ paired), len(paired))
    values = (exact_mean(scores) for scores in (now, then))
    value, baseline_value = (math.nan if each is None else each for each in values)
    return Comparison(
        n=len(paired),
        value=value,
        baseline_value=baseline_value,
        difference=difference,
        low=low,
        high=high,
        outcomes={},
    )


def compare_distances(table: RunTable, baseline: RunTable, mask: Bool) -> dict[int, Comparison]:
    """Compare the shares within each threshold in km, the smallest first."""
    rows, others = _with_coordinates(table, baseline, *_common_rows(table, baseline, mask))
    found = {}
    for km in THRESHOLDS_KM.values():
        level = f"within_{km}"
        found[km] = _comparison(table.correct(level)[rows], baseline.correct(level)[others])
    return found


def _answers(
    table: RunTable, baseline: RunTable, mask: Bool, level: str
) -> tuple[Int64, Bool, Bool]:
    """Give the rows of `table` to compare, and whether each run has them correct."""
    if level not in CORRECT_AT:
        msg = f"level is {shown(level)}; expected one of {', '.join(CORRECT_AT)}"
        raise ValueError(msg)
    rows, others = _common_rows(table, baseline, mask)
    if level.startswith("within_"):
        rows, others = _with_coordinates(table, baseline, rows, others)
    return rows, table.correct(level)[rows], baseline.correct(level)[others]


def common_masks(table: RunTable, baseline: RunTable, mask: Bool) -> tuple[Bool, Bool]:
    """Find the selected images that both runs have predicted: a mask for each of the two."""
    masks = []
    for run, rows in zip((table, baseline), _common_rows(table, baseline, mask), strict=True):
        masks.append(np.zeros(run.num_images, dtype=np.bool_))
        masks[-1][rows] = True
    return masks[0], masks[1]


def _common_rows(table: RunTable, baseline: RunTable, mask: Bool) -> tuple[Int64, Int64]:
    """Give the selected rows that both runs have predicted, in `table` and in `baseline`."""
    rows = np.flatnonzero(table.with_prediction(mask))
    positions = align(table, baseline)
    others = rows if positions is None else positions[rows]
    both = others >= 0
    both[both] = baseline.done[others[both]]
    return (rows, others) if both.all() else (rows[both], others[both])


def align(table: RunTable, baseline: RunTable) -> Int64 | None:
    """Find each image of a run in another one.

    Returns:
        N positions in the baseline's arrays, −1 where it has no such image; None if the images
        are the same.
    """
    ids, theirs = table.image_ids, baseline.image_ids
    if ids is theirs or np.array_equal(ids, theirs):
        return None
    positions = np.searchsorted(theirs, ids)
    is_there = np.isin(ids, theirs)
    return np.where(is_there, positions, -1)


def _with_coordinates(
    table: RunTable, baseline: RunTable, rows: Int64, others: Int64
) -> tuple[Int64, Int64]:
    has = Flag.HAS_COORDINATES
    both = table.has(has)[rows] & baseline.has(has)[others]
    return rows[both], others[both]


def _comparison(now: Bool, then: Bool) -> Comparison:
    both, num_now, num_then = (int(np.count_nonzero(each)) for each in (now & then, now, then))
    neither = len(now) - num_now - num_then + both
    counts = np.array([neither, num_then - both, num_now - both, both])
    outcomes = dict(zip(OUTCOMES, counts.tolist(), strict=True))
    return Comparison(**_paired(counts), outcomes=outcomes)


def _paired(counts: Int64) -> dict[str, Any]:
    """Compute the figures of one comparison from the counts of `OUTCOMES`."""
    neither, lost, gained, both = counts.tolist()
    n = neither + lost + gained + both
    difference, low, high = newcombe_paired_interval(both, gained, lost, neither)
    values = (n, _ratio(both + gained, n), _ratio(both + lost, n), difference, low, high)
    return dict(zip(_PAIRED, values, strict=True))


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else math.nan
