"""Two runs over the same images: what one has right that the other has not."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.errors import shown
from streetclip.geo import THRESHOLDS_KM
from streetclip.metrics.differences import bootstrap_ratio_difference, mean_interval
from streetclip.metrics.intervals import newcombe_paired_interval
from streetclip.metrics.scores import geoscores
from streetclip.metrics.sums import exact_sum
from streetclip.results.blocks import Rows, blocks, selected_rows
from streetclip.results.groups import Grouping, grouping
from streetclip.results.run_table import RunTable
from streetclip.store import Flag, distance_bin_edges_km

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

OUTCOMES: Final = ("both_wrong", "lost", "gained", "both_right")
"""What can happen to an image: gained is right now and was wrong in the baseline."""

LEVELS: Final = ("country", "city", *(f"within_{km}" for km in THRESHOLDS_KM.values()))
"""What can be right: the country, country and city, or the distance (of at most so many km)."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A run against its baseline over the images that both have judged.

    Attributes:
        n: Images that were judged. For a mean, its n; for the city among right countries, the
            images that either run has in its denominator.
        value: The run's share (0 to 1) or mean; NaN for n = 0.
        baseline_value: The baseline's.
        difference: value − baseline_value.
        low: Lower end of its 95 % interval.
        high: Upper end of it.
        outcomes: Images of each of `OUTCOMES`; empty where there is no right and wrong.
    """

    n: int
    value: float
    baseline_value: float
    difference: float
    low: float
    high: float
    outcomes: dict[str, int]


def compare(table: RunTable, baseline: RunTable, mask: Bool, level: str = "country") -> Comparison:
    """Compare the shares that two runs have right, image by image.

    Args:
        table: The run.
        baseline: The run that it is compared with. Of another dataset, the images that both have
            are compared, each judged by its own run's truth.
        mask: N booleans for `table`: which images to look at. Those that one of the two has no
            prediction of are left out.
        level: One of `LEVELS`. Distances are judged where the true place has coordinates, in
            both.

    Returns:
        The difference with Newcombe's interval for paired proportions.

    Raises:
        ValueError: There is no such level.
    """
    counts = _outcome_counts(table, baseline, mask, level, grouping(table, "overall"))[0]
    values = _paired(counts)
    return Comparison(**values, outcomes=dict(zip(OUTCOMES, counts.tolist(), strict=True)))


def compare_by(
    table: RunTable, baseline: RunTable, mask: Bool, level: str, by: str
) -> pd.DataFrame:
    """Compare two runs group by group.

    Args:
        table: The run.
        baseline: The run that it is compared with.
        mask: As `compare`.
        level: As `compare`.
        by: As `groups.group_accuracy`; what is predicted is what `table` predicts.

    Returns:
        One row for each group with an image that both have judged, in alphabetical order: what it
        is called (as `group_accuracy`), n, both_right, gained, lost, both_wrong, value,
        baseline_value, difference, low and high.

    Raises:
        ValueError: There is no such level or grouping.
    """
    groups = grouping(table, by)
    counts = _outcome_counts(table, baseline, mask, level, groups)
    found = np.flatnonzero(counts.sum(axis=1))
    keys = groups.keys.iloc[found].reset_index(drop=True)
    frame = pd.DataFrame([_paired(each) for each in counts[found]], columns=list(_PAIRED))
    outcomes = {name: counts[found, OUTCOMES.index(name)] for name in reversed(OUTCOMES)}
    return pd.concat(
        [keys, frame[["n"]].astype(np.int64), pd.DataFrame(outcomes), frame[_PAIRED[1:]]], axis=1
    )


def outcome_mask(
    table: RunTable, baseline: RunTable, mask: Bool, outcome: str, level: str = "country"
) -> Bool:
    """The images that a comparison counts under one outcome.

    Args:
        table: The run.
        baseline: The run that it is compared with.
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
    wanted = OUTCOMES.index(outcome)
    found = np.zeros(table.num_images, dtype=np.bool_)
    for rows, happened in _outcomes(table, baseline, mask, level):
        found[rows] = happened == wanted
    return found


def compare_hierarchical(
    table: RunTable, baseline: RunTable, mask: Bool, seed: int = 0
) -> Comparison:
    """Compare city accuracy among the images whose country is right.

    The two denominators differ, so that the interval is bootstrapped over what both runs made of
    each image.

    Args:
        table: The run.
        baseline: The run that it is compared with.
        mask: As `compare`.
        seed: Of the bootstrap.
    """
    # What a run made of an image: 0 country wrong, 1 city wrong, 2 both right.
    counts = np.zeros((3, 3), dtype=np.int64)
    for rows, others in _common(table, baseline, mask):
        made = [
            ((bits & Flag.COUNTRY_CORRECT) != 0).astype(np.int64)
            + ((bits & Flag.CITY_CORRECT) != 0)
            for bits in (table.column("flags")[rows], baseline.column("flags")[others])
        ]
        np.add.at(counts, tuple(made), 1)
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

    Judged are the images whose true place has coordinates, in both runs; one without a distance
    has GeoScore 0.

    Args:
        table: The run.
        baseline: The run that it is compared with.
        mask: As `compare`.
    """
    n, sums, squares = 0, [Fraction(0), Fraction(0)], 0.0
    for rows, others in _common(table, baseline, mask):
        judged = _has_coordinates(table, rows) & _has_coordinates(baseline, others)
        scores = [
            geoscores(distance_km[judged])
            for distance_km in (
                table.column("distance_km")[rows],
                baseline.column("distance_km")[others],
            )
        ]
        paired = scores[0] - scores[1]
        n += len(paired)
        sums = [total + exact_sum(each) for total, each in zip(sums, scores, strict=True)]
        squares += float(paired @ paired)
    difference, low, high = mean_interval(float(sums[0] - sums[1]), squares, n)
    return Comparison(
        n=n,
        value=float(sums[0] / n) if n else math.nan,
        baseline_value=float(sums[1] / n) if n else math.nan,
        difference=difference,
        low=low,
        high=high,
        outcomes={},
    )


def compare_distances(table: RunTable, baseline: RunTable, mask: Bool) -> dict[int, Comparison]:
    """Compare the shares within each threshold: `compare` at all its levels of distance, at once.

    Args:
        table: The run.
        baseline: The run that it is compared with.
        mask: As `compare`.

    Returns:
        By threshold in km, the smallest first.
    """
    thresholds = list(THRESHOLDS_KM.values())
    # How many thresholds hold an image, by the bin of its distance; 255, nothing predicted: none.
    edges = np.append(distance_bin_edges_km(), np.full(256 - len(distance_bin_edges_km()), np.inf))
    num_holding = np.sum(edges[:, None] <= thresholds, axis=1).astype(np.uint8)
    size = len(thresholds) + 1
    counts = np.zeros((size, size), dtype=np.int64)
    for rows, others in _common(table, baseline, mask):
        judged = _has_coordinates(table, rows) & _has_coordinates(baseline, others)
        now, then = (
            num_holding[each.column("distance_bin")[where][judged]]
            for each, where in ((table, rows), (baseline, others))
        )
        counts += np.bincount(now * size + then, minlength=size**2).reshape(size, size)
    found = {}
    for position, km in enumerate(thresholds):
        least = size - 1 - position
        both, now = int(counts[least:, least:].sum()), int(counts[least:].sum())
        then, n = int(counts[:, least:].sum()), int(counts.sum())
        outcome = np.array([n - now - then + both, then - both, now - both, both])
        outcomes = dict(zip(OUTCOMES, outcome.tolist(), strict=True))
        found[km] = Comparison(**_paired(outcome), outcomes=outcomes)
    return found


_PAIRED: Final = ["n", "value", "baseline_value", "difference", "low", "high"]


def _paired(counts: Int64) -> dict[str, Any]:
    """The figures of one comparison, of the counts of `OUTCOMES`."""
    neither, lost, gained, both = counts.tolist()
    n = neither + lost + gained + both
    difference, low, high = newcombe_paired_interval(both, gained, lost, neither)
    values = (n, _ratio(both + gained, n), _ratio(both + lost, n), difference, low, high)
    return dict(zip(_PAIRED, values, strict=True))


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")


def _outcome_counts(
    table: RunTable, baseline: RunTable, mask: Bool, level: str, groups: Grouping
) -> Int64:
    """Images of each group (row) and outcome (column)."""
    counts = np.zeros(len(groups.keys) * len(OUTCOMES), dtype=np.int64)
    for rows, happened in _outcomes(table, baseline, mask, level):
        group = groups.group_of[groups.codes[rows]]
        np.add.at(counts, group * len(OUTCOMES) + happened, 1)
    return counts.reshape(-1, len(OUTCOMES))


def _outcomes(
    table: RunTable, baseline: RunTable, mask: Bool, level: str
) -> Iterator[tuple[Rows, NDArray[np.uint8]]]:
    """Rows of `table` that both runs judge, and the position of what happened in `OUTCOMES`."""
    if level not in LEVELS:
        msg = f"level is {shown(level)}; expected one of {', '.join(LEVELS)}"
        raise ValueError(msg)
    for rows, others in _common(table, baseline, mask):
        now, then = _right(table, rows, level), _right(baseline, others, level)
        happened = 2 * now.astype(np.uint8) + then
        if level.startswith("within"):
            judged = _has_coordinates(table, rows) & _has_coordinates(baseline, others)
            chosen = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
            yield chosen[judged], happened[judged]
        else:
            yield rows, happened


def _right(table: RunTable, rows: Rows, level: str) -> Bool:
    """Whether a run has images right at a level."""
    if level.startswith("within_"):
        last = np.searchsorted(distance_bin_edges_km(), float(level.removeprefix("within_")))
        within: Bool = table.column("distance_bin")[rows] <= last
        return within
    flag = {"country": Flag.COUNTRY_CORRECT, "city": Flag.CITY_CORRECT}[level]
    right: Bool = (table.column("flags")[rows] & flag) != 0
    return right


def _has_coordinates(table: RunTable, rows: Rows) -> Bool:
    known: Bool = (table.column("flags")[rows] & Flag.HAS_COORDINATES) != 0
    return known


def _common(table: RunTable, baseline: RunTable, mask: Bool) -> Iterator[tuple[Rows, Rows]]:
    """Selected rows of `table` that both runs have predicted, and where they are in `baseline`."""
    mask = table.judged(mask)
    others = align(table, baseline)
    if others is None:
        for rows in selected_rows(baseline.judged(mask)):
            yield rows, rows
        return
    common = mask.copy()
    for block in blocks(len(mask)):
        there = np.flatnonzero(others[block] >= 0)
        both = np.zeros(len(common[block]), dtype=np.bool_)
        both[there] = baseline.done[others[block][there]]
        common[block] &= both
    for rows in selected_rows(common):
        yield rows, others[rows]


def align(table: RunTable, baseline: RunTable) -> Int64 | None:
    """Where each image of a run stands in another one.

    Returns:
        N positions in the baseline's arrays, −1 where it has no such image; None if the images
        are the same.
    """
    ids, theirs = table.image_ids, baseline.image_ids
    if ids is theirs or np.array_equal(ids, theirs):
        return None
    positions = np.full(len(ids), -1, dtype=np.int64)
    if len(theirs):
        for block in blocks(len(ids)):
            found = np.minimum(np.searchsorted(theirs, ids[block]), len(theirs) - 1)
            positions[block] = np.where(theirs[found] == ids[block], found, -1)
    return positions
