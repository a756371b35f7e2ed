"""Counts and accuracies by place, prediction or attribute, and by distance."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.errors import shown
from streetclip.geo import THRESHOLDS_KM
from streetclip.metrics.accuracy import macro_share
from streetclip.metrics.intervals import Median
from streetclip.metrics.scores import geoscores
from streetclip.metrics.sums import exact_sum
from streetclip.results.blocks import Rows, selected_rows
from streetclip.results.dataset_table import LEVELS
from streetclip.results.medians import group_medians
from streetclip.results.run_table import RunTable
from streetclip.store import Flag, distance_bin_edges_km

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

ATTRIBUTE: Final = "attribute:"
"""How grouping by an attribute is written: this and its name."""

# Groupings by ISO code, with the column that holds it.
_BY_CODE: Final = {"country_code": "country", "predicted": "predicted"}

_SMALL: Final = 256  # flags and bins are below
_MOST_CELLS: Final = 2**21  # of a table of groups by flags, bins or countries: 16 MiB
_FEW_GROUPS: Final = 512  # so many that it is not worth looking which of them occur

_COUNTERS: Final = {
    "with_coordinates": Flag.HAS_COORDINATES,
    "country_correct": Flag.COUNTRY_CORRECT,
    "city_correct": Flag.CITY_CORRECT,
    "country_reachable": Flag.COUNTRY_REACHABLE,
    "city_reachable": Flag.CITY_REACHABLE,
    "country_correct_city_reachable": Flag.COUNTRY_CORRECT | Flag.CITY_REACHABLE,
}


@dataclass(frozen=True)
class Grouping:
    """Which group each image is in.

    Attributes:
        codes: N small numbers.
        group_of: For each of these numbers, its group, 0 to G − 1; −1 for none.
        keys: What the G groups are called, one row each, in the order of their numbers.
    """

    codes: NDArray[Any]
    group_of: Int64
    keys: pd.DataFrame


def grouping(table: RunTable, by: str) -> Grouping:
    """Which group each image of a run is in.

    Args:
        table: The run.
        by: As `group_accuracy`.

    Raises:
        ValueError: There is no such grouping.
    """
    if by in LEVELS:
        return Grouping(table.place, *table.dataset.place_groups(by))
    if by == "overall":
        nowhere = np.zeros(len(table.places), dtype=np.int64)
        return Grouping(table.place, nowhere, pd.DataFrame(index=range(1)))
    if by in _BY_CODE:
        codes = table.true_country if by == "country_code" else table.pred_country
        texts = table.codes
    elif by.startswith(ATTRIBUTE):
        codes, texts = table.attribute(by.removeprefix(ATTRIBUTE))
    else:
        msg = (
            f"cannot group by {shown(by)}; expected overall, {', '.join(LEVELS)}, "
            f"{', '.join(_BY_CODE)}, or {ATTRIBUTE} and a name"
        )
        raise ValueError(msg)
    name = _BY_CODE.get(by, "value")
    return Grouping(codes, np.arange(len(texts)), pd.DataFrame({name: list(texts)}, dtype=object))


def group_accuracy(table: RunTable, mask: NDArray[np.bool_], by: str) -> pd.DataFrame:
    """Count what happened in each group of images.

    Args:
        table: The run.
        mask: N booleans: which images to look at; those without a prediction are left out.
        by: "overall"; a level of the true place: "continent", "country", "region" or "city";
            "country_code", which is one row for a country on two continents, where "country" has
            two; "predicted" country; or "attribute:" and the name of one.

    Returns:
        One row for each group that has an image, in alphabetical order:

        - what it is called: continent, country (ISO code), region and city, as far as the level
          goes; or predicted (ISO code, "" where nothing was predicted); or value;
        - the counters of `store.place_counters`, with the meaning that they have there;
        - nearest_known: images whose nearest candidate is known; reachable_within_T is a ceiling
          only if these are all of with_coordinates;
        - median_km: median distance of its images whose true place has coordinates; one without
          a distance is infinitely far. NaN if it has no such image. Then median_low_km and
          median_high_km, its 95 % interval (`metrics.intervals.median_with_interval`);
        - top_mistake: the country that its wrong predictions name most often ("" for none, of
          equals the first in the alphabet), and top_mistake_n, how often. By "predicted": the
          country that most of its wrong predictions are truly of.

    Raises:
        ValueError: There is no such grouping.
    """
    mask = table.judged(mask)
    everything = grouping(table, by)
    table.load("flags", "distance_km", "distance_bin", "nearest_bin")
    frames = [
        _accuracy(
            table, mask, part, table.true_country if by == "predicted" else table.pred_country
        )
        for part in _parts(everything, mask, _width(table))
    ]
    return pd.concat(frames, ignore_index=True)


def distance_counts(table: RunTable, mask: NDArray[np.bool_]) -> pd.DataFrame:
    """How many images were placed within a distance, exact at every distance listed.

    Args:
        table: The run.
        mask: N booleans: which images to look at; those without a prediction are left out.

    Returns:
        As `store.distance_curve`: distance_km, n (images at most that far off) and total (all
        whose true place has coordinates).
    """
    counts, total = _distances(table, table.judged(mask))
    edges = distance_bin_edges_km()
    return pd.DataFrame({"distance_km": edges, "n": counts.cumsum(), "total": total})


def median_distance(table: RunTable, mask: NDArray[np.bool_]) -> Median:
    """Take the median distance of the images whose true place has coordinates.

    Args:
        table: The run.
        mask: N booleans: which images to look at; those without a prediction are left out.

    Returns:
        The median in km with its 95 % interval, one without a distance being infinitely far; all
        NaN if there is no such image.
    """
    mask = table.judged(mask)
    counts, total = _distances(table, mask)
    distance_km, distance_bin = table.load("distance_km", "distance_bin")

    def values(matters: NDArray[np.bool_]) -> Iterator[tuple[Int64, NDArray[np.float64]]]:
        wanted = np.zeros(_SMALL, dtype=np.bool_)
        wanted[: matters.shape[1]] = matters[0]
        for rows in selected_rows(mask):
            found = distance_km[rows][wanted[distance_bin[rows]]]
            yield np.zeros(len(found), dtype=np.int64), found

    value, low, high = group_medians(counts[None, :], np.array([total]), values)[0].tolist()
    return Median(value, low, high)


def mean_geoscore(table: RunTable, mask: NDArray[np.bool_]) -> float | None:
    """Take the mean GeoScore of the images whose true place has coordinates.

    Args:
        table: The run.
        mask: N booleans: which images to look at; those without a prediction are left out.

    Returns:
        0 to 5000, an image without a distance scoring 0; None if there is no such image.
    """
    flags, distance_km = table.load("flags", "distance_km")
    total, n = Fraction(0), 0
    for rows in selected_rows(table.judged(mask)):
        judged = (flags[rows] & Flag.HAS_COORDINATES) != 0
        total += exact_sum(geoscores(distance_km[rows][judged]))
        n += int(np.count_nonzero(judged))
    return float(total / n) if n else None


def macro_of_countries(groups: pd.DataFrame, counted: str, of: str) -> float | None:
    """Average a share over the true countries; see `metrics.accuracy.macro_share`.

    Args:
        groups: As `group_accuracy` by country or a smaller place: two groups of one country, as on
            two continents, are one country.
        counted: The counter of the numerator.
        of: That of the denominator.

    Returns:
        0 to 1; None without an image in a denominator.
    """
    sums = groups.groupby("country")[[counted, of]].sum()
    return macro_share(sums[counted].to_numpy(), sums[of].to_numpy())


def _distances(table: RunTable, mask: NDArray[np.bool_]) -> tuple[Int64, int]:
    """Images by bin of their distance, and how many true places have coordinates."""
    flags, distance_bin = table.load("flags", "distance_bin")
    counts = np.zeros(_SMALL, dtype=np.int64)
    total = 0
    for rows in selected_rows(mask):
        counts += np.bincount(distance_bin[rows], minlength=_SMALL)
        total += int(np.count_nonzero(flags[rows] & Flag.HAS_COORDINATES))
    return counts[: len(distance_bin_edges_km())], total


def _width(table: RunTable) -> int:
    """Columns of a table of groups by flags, bins or countries: a power of two."""
    return max(_SMALL, 1 << (len(table.codes) - 1).bit_length())


def _parts(whole: Grouping, mask: NDArray[np.bool_], width: int) -> Iterator[Grouping]:
    """The grouping, cut so that its tables stay small; always one part or more."""
    if len(whole.keys) <= _FEW_GROUPS:
        yield whole
        return
    occurs = np.zeros(len(whole.group_of), dtype=np.bool_)
    for rows in selected_rows(mask):
        occurs[whole.codes[rows]] = True
    present = np.unique(whole.group_of[occurs])
    most = _MOST_CELLS // width
    for start in range(0, max(len(present), 1), most):
        chosen = present[start : start + most]
        number = np.full(len(whole.keys), -1, dtype=np.int64)
        number[chosen] = np.arange(len(chosen))
        yield Grouping(whole.codes, number[whole.group_of], whole.keys.iloc[chosen])


def _accuracy(
    table: RunTable, mask: NDArray[np.bool_], part: Grouping, other: NDArray[np.uint16]
) -> pd.DataFrame:
    """`group_accuracy` of one part of the groups."""
    found = _Tables(table, mask, part, other)
    n = found.flags.sum(axis=1)
    bits = np.arange(found.width)
    counters: dict[str, Any] = {
        "n": n,
        "unreadable": n - _with(found.flags, bits, Flag.READABLE),
        "num_distances": found.distance[:, : len(distance_bin_edges_km())].sum(axis=1),
    }
    counters |= {name: _with(found.flags, bits, flag) for name, flag in _COUNTERS.items()}
    for km in THRESHOLDS_KM.values():
        within = np.searchsorted(distance_bin_edges_km(), km) + 1  # km is an edge
        counters[f"within_{km}"] = found.distance[:, :within].sum(axis=1)
        counters[f"reachable_within_{km}"] = found.nearest[:, :within].sum(axis=1)
    counters |= {"geoscore_sum": found.geoscore, "distance_km_sum": found.distance_km}
    counters["nearest_known"] = found.nearest[:, : len(distance_bin_edges_km())].sum(axis=1)
    names = ("median_km", "median_low_km", "median_high_km")
    counters |= dict(zip(names, found.medians(counters["with_coordinates"]).T, strict=True))
    top = found.mistakes[:, 1:].argmax(axis=1) + 1
    top_n = found.mistakes[np.arange(len(top)), top]
    counters["top_mistake"] = np.array(table.codes, dtype=object)[np.where(top_n > 0, top, 0)]
    counters["top_mistake_n"] = top_n
    frame = pd.concat([part.keys.reset_index(drop=True), pd.DataFrame(counters)], axis=1)
    occurring: pd.DataFrame = frame[n > 0]
    return occurring


def _with(flags_GF: Int64, bits: Int64, flag: Flag) -> Int64:
    """Images of each group that have all of a flag's bits."""
    counted: Int64 = flags_GF[:, (bits & flag) == flag].sum(axis=1)
    return counted


class _Tables:
    """Counts of each group by the flags, by bin and by country; one row a group.

    Attributes:
        width: Columns of each table.
        flags: By the value of the flags.
        distance: By bin of the distance.
        nearest: By bin of the distance to the nearest candidate.
        mistakes: Of wrong predictions only, by the country that they name; column 0 is no use.
        geoscore: Sum of the GeoScores.
        distance_km: Sum of the distances.
    """

    def __init__(
        self,
        table: RunTable,
        mask: NDArray[np.bool_],
        part: Grouping,
        other: NDArray[np.uint16],
    ) -> None:
        self.width = _width(table)
        self._table, self._mask, self._part = table, mask, part
        flags, distance_km = table.load("flags", "distance_km")
        bins, nearest = table.load("distance_bin", "nearest_bin")
        tables = np.zeros((4, len(part.keys) * self.width), dtype=np.int64)
        sums = np.zeros((2, len(part.keys)))
        for rows, group in self._blocks():
            cell = group * self.width
            wrong = other[rows] * ((flags[rows] & Flag.COUNTRY_CORRECT) == 0)  # else code 0
            for counts, column in zip(
                tables, (flags[rows], bins[rows], nearest[rows], wrong), strict=True
            ):
                np.add.at(counts, cell + column, 1)
            distance = distance_km[rows]
            for total, weight in zip(
                sums, (geoscores(distance), np.fmax(distance, 0.0)), strict=True
            ):
                np.add.at(total, group, weight)
        shape = (4, len(part.keys), self.width)
        self.flags, self.distance, self.nearest, self.mistakes = tables.reshape(shape)
        self.geoscore, self.distance_km = sums

    def medians(self, n: Int64) -> Float64:
        """Median distance of each group of `n` images, with the ends of its interval, G × 3."""
        counts = self.distance[:, : len(distance_bin_edges_km())]
        return group_medians(counts, n, self._distances)

    def _distances(self, matters_GB: NDArray[np.bool_]) -> Iterator[tuple[Int64, Float64]]:
        """Groups and distances of the images whose bin matters."""
        distance_km, bins = self._table.load("distance_km", "distance_bin")
        lookup = np.zeros((len(matters_GB), self.width), dtype=np.bool_)
        lookup[:, : matters_GB.shape[1]] = matters_GB
        looked_up = lookup.ravel()
        for rows, group in self._blocks():
            hits = np.flatnonzero(looked_up[group * self.width + bins[rows]])
            yield group[hits], distance_km[rows][hits]

    def _blocks(self) -> Iterator[tuple[Rows, Int64]]:
        """Selected rows that are in a group of this part, with their groups."""
        for rows in selected_rows(self._mask):
            group = self._part.group_of[self._part.codes[rows]]
            inside = group >= 0
            if inside.all():
                yield rows, group
            elif inside.any():
                first = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
                yield first[inside], group[inside]
