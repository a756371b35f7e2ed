"""Count images and their outcomes by group: place, prediction or attribute.

A new grouping is a case in `grouping`; a new counter is a line in `_count`.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.errors import shown
from streetclip.geo import THRESHOLDS_KM
from streetclip.metrics.averages import macro_share
from streetclip.metrics.intervals import Median, median_ranks, wilson_interval
from streetclip.results.run_table import (
    LEVELS,
    Bool,
    Rows,
    RunTable,
    nearly_selected_rows,
    selected_rows,
    signed_rows,
)
from streetclip.store import NUM_FLAGS, Flag, distance_bin_edges_km

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Blocks = Callable[[], Iterator[tuple[Rows, Int64]]]

ATTRIBUTE: Final = "attribute:"
"""How grouping by an attribute is written: this and its name."""


class Share(NamedTuple):
    """An accuracy as counters of `group_counts`; `reachable` is the numerator of its ceiling."""

    correct: str
    of: str
    reachable: str


ACCURACIES: Final[Mapping[str, Share]] = {
    "country": Share("country_correct", "n", "country_reachable"),
    "city": Share("city_correct", "n", "city_reachable"),
    "hierarchical": Share("city_correct", "country_correct", "country_correct_city_reachable"),
}
"""The accuracies by name."""

_COUNTERS: Final = {
    "with_coordinates": Flag.HAS_COORDINATES,
    "country_correct": Flag.COUNTRY_CORRECT,
    "city_correct": Flag.CITY_CORRECT,
    "country_reachable": Flag.COUNTRY_REACHABLE,
    "city_reachable": Flag.CITY_REACHABLE,
    "country_correct_city_reachable": Flag.COUNTRY_CORRECT | Flag.CITY_REACHABLE,
}
_NUM_BINS: Final = 256  # values of a bin
_MOST_GROUPS: Final = 2**13  # counted in one pass, so that the tables of counts stay small
_CODES: Final = {"country_code": "country", "predicted": "predicted"}  # grouping → its column


class Grouping(NamedTuple):
    """The group of each image; N images, G groups.

    `codes` are N small numbers, `group_of` the group of each of these numbers, 0 to G − 1, and
    `keys` the names of the groups, one row each.
    """

    codes: NDArray[Any]
    group_of: Int64
    keys: pd.DataFrame


def grouping(table: RunTable, by: str) -> Grouping:
    """Find the group of each image; `by` as in `group_counts`.

    Raises ValueError if there is no such grouping.
    """
    if by in LEVELS:
        return Grouping(table.place, *table.dataset.place_groups(by))
    if by == "overall":
        everywhere = np.zeros(len(table.places), dtype=np.int64)
        return Grouping(table.place, everywhere, pd.DataFrame(index=range(1)))
    if by in _CODES:
        codes = table.true_country if by == "country_code" else table.pred_country
        texts = table.codes
    elif by.startswith(ATTRIBUTE):
        codes, texts = table.dataset.attribute(by.removeprefix(ATTRIBUTE))
    else:
        msg = (
            f"cannot group by {shown(by)}; expected overall, {', '.join(LEVELS)}, "
            f"{', '.join(_CODES)}, or {ATTRIBUTE} and a name"
        )
        raise ValueError(msg)
    keys = pd.DataFrame({_CODES.get(by, "value"): list(texts)}, dtype=object)
    return Grouping(codes, np.arange(len(texts)), keys)


def group_counts(
    table: RunTable, mask: Bool, by: str | Grouping, *, with_medians: bool = True
) -> pd.DataFrame:
    """Count what happened in each group of images.

    Groups are "overall"; a level of the true place: "continent", "country", "region" or "city";
    "country_code", which is one row for a country on two continents, where "country" has two;
    "predicted" country; "attribute:" and the name of one; or those given. Raises ValueError for
    others.

    Returns:
        One row for each group that has an image, in alphabetical order:

        - its name: continent, country (ISO code), region and city, as far as the level goes; or
          predicted (ISO code, "" where nothing was predicted); or value;
        - n: images, and of these: unreadable; with_coordinates (of the true place);
          num_distances; country_correct, city_correct, country_reachable, city_reachable,
          country_correct_city_reachable; within_T: at most T km off; reachable_within_T: a
          candidate of any country is that near the true place;
        - geoscore_sum, and distance_km_sum over num_distances images;
        - nearest_known: images whose nearest candidate is known; reachable_within_T is a ceiling
          only if these are all of with_coordinates;
        - median_km: median distance of the images with_coordinates; one without a distance is
          infinitely far. NaN without an image. Then median_low_km and median_high_km, its 95 %
          interval; all three only if asked for;
        - top_mistake: the country that wrong predictions name most often ("" for none, of
          equals the first in the alphabet), and top_mistake_n, how often. By "predicted": the true
          country of most of the wrong predictions.
    """
    mask = table.with_prediction(mask)
    groups = by if isinstance(by, Grouping) else grouping(table, by)
    other = table.true_country if by == "predicted" else table.pred_country
    starts = range(0, max(len(groups.keys), 1), _MOST_GROUPS)
    parts = [
        _count(
            table,
            partial(_blocks, mask, groups, start),
            min(len(groups.keys) - start, _MOST_GROUPS),
            other,
            with_medians=with_medians,
        )
        for start in starts
    ]
    counted = pd.concat([groups.keys, pd.concat(parts, ignore_index=True)], axis=1)
    return counted[counted["n"] > 0].reset_index(drop=True)


def attribute_counts(table: RunTable, mask: Bool) -> pd.DataFrame:
    """Count the images of every value of every attribute: quicker than `group_counts` of each.

    Columns: attribute, value, n (above 0) and country_correct.
    """
    mask = table.with_prediction(mask)
    is_correct = table.correct("country")
    attributes = {name: table.dataset.attribute(name) for name in table.dataset.attributes}
    counts = {name: np.zeros(2 * len(texts), np.int64) for name, (_, texts) in attributes.items()}
    for chosen, sign in signed_rows(mask):
        for name, (codes, _) in attributes.items():
            outcome = 2 * codes[chosen] + is_correct[chosen]
            counts[name] += sign * np.bincount(outcome, minlength=len(counts[name]))
    rows: list[tuple[str, str, int, int]] = []
    for name, (_, texts) in attributes.items():
        wrong, correct = counts[name][::2], counts[name][1::2]
        n = (wrong + correct).tolist()
        rows += [(name, *each) for each in zip(texts, n, correct.tolist(), strict=True)]
    counted = pd.DataFrame(rows, columns=["attribute", "value", "n", "country_correct"])
    return counted[counted["n"] > 0].reset_index(drop=True)


def _blocks(mask: Bool, groups: Grouping, start: int) -> Iterator[tuple[Rows, Int64]]:
    """Yield the rows of at most `_MOST_GROUPS` groups, and the group of each, from 0.

    Of groups that are all counted at once, further rows may be among them: of the group behind the
    last one.
    """
    group_of = groups.group_of - start
    if len(groups.keys) <= _MOST_GROUPS:
        for rows, left_out in nearly_selected_rows(mask):
            group = group_of[groups.codes[rows]]
            group[left_out] = len(groups.keys)
            yield rows, group
        return
    for rows in selected_rows(mask):
        group = group_of[groups.codes[rows]]
        inside = (group >= 0) & (group < _MOST_GROUPS)
        positions = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        yield positions[inside], group[inside]


def _count(
    table: RunTable,
    blocks: Blocks,
    num_groups: int,
    other: NDArray[np.uint16],
    *,
    with_medians: bool,
) -> pd.DataFrame:
    """Count each group; `other` is the country that a mistake is counted under."""
    # One table of counts for each column of small numbers, whatever is asked of them later.
    names = ("flags", "distance_bin", "nearest_bin", "distance_km")
    flags, distance_bin, nearest_bin, distance_km = table.load(*names)
    geoscore = table.geoscore
    widths = (NUM_FLAGS, _NUM_BINS, _NUM_BINS, len(table.codes))
    tables = [np.zeros((num_groups + 1, width), dtype=np.int64) for width in widths]
    sums = np.zeros((2, num_groups + 1))
    for rows, group in blocks():
        is_wrong = (flags[rows] & int(Flag.COUNTRY_CORRECT)) == 0
        mistake = other[rows] * is_wrong  # code 0 is no country
        columns = (flags[rows], distance_bin[rows], nearest_bin[rows], mistake)
        for counts, column in zip(tables, columns, strict=True):
            np.add.at(counts.reshape(-1), group * counts.shape[1] + column, 1)
        np.add.at(sums[0], group, geoscore[rows])
        np.add.at(sums[1], group, np.fmax(distance_km[rows], 0))
    of_flags, of_distance, of_nearest, of_mistake = (counts[:-1] for counts in tables)

    # The counters are sums over their columns.
    edges = distance_bin_edges_km()
    within, near = of_distance[:, : len(edges)].cumsum(axis=1), of_nearest.cumsum(axis=1)
    bits = np.arange(NUM_FLAGS)
    found: dict[str, Any] = {"n": of_flags.sum(axis=1)}
    found["unreadable"] = of_flags[:, (bits & Flag.READABLE) == 0].sum(axis=1)
    for name, flag in _COUNTERS.items():
        found[name] = of_flags[:, (bits & flag) == flag].sum(axis=1)
    for km in THRESHOLDS_KM.values():
        last = np.searchsorted(edges, km)  # which is an edge
        found[f"within_{km}"], found[f"reachable_within_{km}"] = within[:, last], near[:, last]
    found |= {"num_distances": within[:, -1], "nearest_known": near[:, len(edges) - 1]}
    found |= dict(zip(("geoscore_sum", "distance_km_sum"), sums[:, :-1], strict=True))
    if with_medians:
        medians = _medians(table, blocks, of_distance[:, : len(edges)], found["with_coordinates"])
        found |= dict(zip(("median_km", "median_low_km", "median_high_km"), medians.T, strict=True))
    of_mistake[:, 0] = 0
    found["top_mistake"] = np.array(table.codes, dtype=object)[of_mistake.argmax(axis=1)]
    found["top_mistake_n"] = of_mistake.max(axis=1)
    return pd.DataFrame(found)


def _medians(table: RunTable, blocks: Blocks, counts_GB: Int64, n: Int64) -> Float64:
    """Compute the median distance of each group with its 95 % interval: G × 3; NaN if empty.

    The interval is that of `metrics.intervals.median_ranks`. The counts show in which
    bins the wanted ranks are; only the distances in those bins are sorted. Groups have size n;
    missing distances are infinite. B bins, R = 4 ranks (both middle ones, both ends of the
    interval).
    """
    sizes, number = np.unique(n, return_inverse=True)
    ends = np.array([median_ranks(size) for size in sizes.tolist()], dtype=np.int64)
    rank_GR = np.stack([(n - 1) // 2, n // 2, *ends.reshape(-1, 2)[number].T], axis=1)
    found_GR = np.where(rank_GR < 0, 0.0, np.inf)
    up_to_GB = counts_GB.cumsum(axis=1)
    group, which = np.nonzero((rank_GR >= 0) & (rank_GR < up_to_GB[:, -1:]))
    rank = rank_GR[group, which]
    bin_of_rank = (up_to_GB[group] <= rank[:, None]).sum(axis=1)

    is_wanted_GB = np.zeros((len(n) + 1, _NUM_BINS), dtype=np.bool_)
    is_wanted_GB[group, bin_of_rank] = True
    kept: list[tuple[Int64, Float64]] = [(np.empty(0, dtype=np.int64), np.empty(0))]
    distance_bin, distance_km = table.load("distance_bin", "distance_km")
    for rows, group_of_row in blocks():
        bins = distance_bin[rows]
        cells = bins if len(n) == 1 else group_of_row * _NUM_BINS + bins
        is_wanted = is_wanted_GB.reshape(-1).take(cells)
        hits = np.flatnonzero(is_wanted)
        hits = hits[group_of_row[hits] < len(n)]
        kept.append((group_of_row[hits], distance_km[rows][hits]))
    groups, values = (np.concatenate(each) for each in zip(*kept, strict=True))
    values = values[np.lexsort((values, groups))]

    # The place of a rank among the sorted values: less what other bins hold below it.
    kept_GB = np.where(is_wanted_GB[:-1, : counts_GB.shape[1]], counts_GB, 0).cumsum(axis=1)
    first_of_group = np.append(0, kept_GB[:, -1].cumsum())[group]
    left_out = (up_to_GB - kept_GB)[group, bin_of_rank]
    found_GR[group, which] = values[first_of_group + rank - left_out]
    found_GR[n == 0] = np.nan
    return np.stack([found_GR[:, :2].mean(axis=1), found_GR[:, 2], found_GR[:, 3]], axis=1)


class DistanceCounts(NamedTuple):
    """Images in each bin of distance, and `n` whose true place has coordinates."""

    of_bins: Int64
    n: int


def median_distance(table: RunTable, mask: Bool, counted: DistanceCounts | None = None) -> Median:
    """Compute the median distance in km of the images whose true place has coordinates.

    One without a distance is infinitely far. `counted`: `distance_counts`, if it is there already.
    """
    counts, n = counted or distance_counts(table, mask)

    def blocks() -> Iterator[tuple[Rows, Int64]]:
        for rows in selected_rows(table.with_prediction(mask)):
            yield rows, np.zeros(len(table.place[rows]), np.int64)

    medians = _medians(table, blocks, counts[None, :], np.array([n]))
    return Median(*medians[0].tolist())


def distance_counts(table: RunTable, mask: Bool) -> DistanceCounts:
    """Count the images in each bin of distance."""
    flags, distance_bin = table.load("flags", "distance_bin")
    counts, n = np.zeros(_NUM_BINS, np.int64), 0
    for rows, sign in signed_rows(table.with_prediction(mask)):
        counts += sign * np.bincount(distance_bin[rows], minlength=_NUM_BINS)
        n += sign * int(np.count_nonzero(flags[rows] & int(Flag.HAS_COORDINATES)))
    return DistanceCounts(counts[: len(distance_bin_edges_km())], n)


def distance_shares(
    table: RunTable, mask: Bool, counted: DistanceCounts | None = None
) -> pd.DataFrame:
    """Compute the share of images within each distance_km, the upper edges of the bins.

    Columns: distance_km, ascending, and the share of the images whose true place has coordinates:
    value, low and high (Wilson 95 %). Empty without such images. `counted` as `median_distance`.
    """
    counts, total = counted or distance_counts(table, mask)
    edges = distance_bin_edges_km()[: None if total else 0]
    n = counts[: len(edges)].cumsum()
    low, high = wilson_interval(n, total)
    return pd.DataFrame({"distance_km": edges, "value": n / total, "low": low, "high": high})


def continent_shares(countries: pd.DataFrame) -> pd.DataFrame:
    """Compute the accuracies and the mean GeoScore by true continent, the worst first.

    `countries` are of `group_counts` by country. Columns: continent, n, geoscore, and each of
    `ACCURACIES` with _low and _high (Wilson 95 %); NaN without images. The worst has the lowest
    upper bound of the country accuracy.
    """
    counts = countries.groupby("continent", as_index=False).sum(numeric_only=True)
    shares = counts[["continent", "n"]].copy()
    for name, share in ACCURACIES.items():
        correct, of = counts[share.correct], counts[share.of]
        shares[name] = correct / of.where(of > 0, np.nan)
        shares[f"{name}_low"], shares[f"{name}_high"] = wilson_interval(correct, of)
    n = counts["with_coordinates"]
    shares["geoscore"] = counts["geoscore_sum"] / n.where(n > 0, np.nan)
    return shares.sort_values("country_high", ignore_index=True)


def macro_of_countries(groups: pd.DataFrame, counted: str, of: str) -> float | None:
    """Average a share over the true countries; see `metrics.averages.macro_share`.

    `groups` are as `group_counts` by country or a smaller place; groups of one country, as on two
    continents, are added. `counted` and `of` are counters.
    """
    is_distinct = groups["country"].is_unique
    sums = groups if is_distinct else groups.groupby("country")[[counted, of]].sum()
    return macro_share(sums[counted].to_numpy(), sums[of].to_numpy())
