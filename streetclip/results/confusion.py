"""Count pairs of true and predicted country, as a matrix, by asymmetry and by nearness."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import pandas as pd

from streetclip.gazetteer import are_neighbours, countries
from streetclip.metrics.intervals import newcombe_interval, wilson_interval
from streetclip.results.run_table import Bool, RunTable, nearly_selected_rows

COUNTERS: Final = [
    "n",
    "city_correct",
    "num_distances",
    "distance_km_sum",
    "country_probability_sum",
]
"""Columns of pairs that are sums over images."""

OTHER: Final = "(other)"
"""Row and column of all that have none of their own in a matrix."""

NEARNESS: Final = ("neighbour", "same continent", "other continent")
"""How near a wrong country is to the true one, the nearest first."""

_FAINT: Final = 1e-6  # links countries that are never confused, so that there is one order of all


def country_pairs(table: RunTable, mask: Bool) -> pd.DataFrame:
    """Count the pairs of true and predicted country that occur, by code.

    The columns are true_country, pred_country ("" where nothing was predicted) and `COUNTERS`.
    """
    pairs = _pairs(table, mask)
    return pairs.groupby(["true_country", "pred_country"], as_index=False)[COUNTERS].sum()


def continent_pairs(table: RunTable, mask: Bool) -> pd.DataFrame:
    """Count the pairs of true and predicted continent.

    The true continent is the dataset's. The predicted one is the predicted country's; where that
    country is correct it is the true one, because dataset and gazetteer may differ.

    Returns:
        One row for each pair that occurs, by name: true_continent, pred_continent ("" where
        nothing was predicted), right (images whose country is correct), and the counters of
        `country_pairs`.
    """
    pairs = _pairs(table, mask)
    is_correct = pairs["true_country"] == pairs["pred_country"]
    predicted = pairs["pred_country"].map(continents(table))
    pairs["pred_continent"] = predicted.where(~is_correct, pairs["true_continent"])
    pairs["right"] = pairs["n"].where(is_correct, 0)
    by_pair = pairs.groupby(["true_continent", "pred_continent"], as_index=False)
    return by_pair[["right", *COUNTERS]].sum()


def continents(table: RunTable) -> Mapping[str, str]:
    """Map every country code of a run to its continent; "" to "".

    It is the dataset's (of two, the first in the alphabet), else the gazetteer's.
    """
    listed = {code: country.continent for code, country in countries().items()}
    stated = dict(
        sorted(zip(table.places["country"], table.places["continent"], strict=True), reverse=True)
    )
    return {code: stated.get(code, listed.get(code, "")) for code in table.codes}


def _pairs(table: RunTable, mask: Bool) -> pd.DataFrame:
    """Count pairs by the true country's continent, too: a dataset may have a country in two."""
    names = ("distance_km", "country_probability")
    distance_km, probability = table.load(*names)
    is_correct = table.correct("city")
    group_of, keys = table.dataset.place_groups("country")
    num_codes = len(table.codes)
    num_pairs = len(keys) * num_codes
    sums = np.zeros((len(COUNTERS), num_pairs + 1))
    for rows, left_out in nearly_selected_rows(table.with_prediction(mask)):
        pair = (group_of * num_codes)[table.place[rows]] + table.pred_country[rows]
        pair[left_out] = num_pairs
        distance = distance_km[rows]
        weights = (
            None,
            is_correct[rows],
            ~np.isnan(distance),
            np.fmax(distance, 0),
            np.fmax(probability[rows], 0),
        )
        sums += [np.bincount(pair, each, minlength=sums.shape[1]) for each in weights]
    pairs = pd.DataFrame(dict(zip(COUNTERS, sums[:, :-1], strict=True)))
    pairs = pairs.astype(dict.fromkeys(COUNTERS[:3], np.int64))
    pairs = pairs[pairs["n"] > 0]
    true = keys.iloc[pairs.index // num_codes]
    return pairs.assign(
        true_continent=true["continent"].to_numpy(dtype=object),
        true_country=true["country"].to_numpy(dtype=object),
        pred_country=np.array(table.codes, dtype=object)[pairs.index % num_codes],
    )


@dataclass(frozen=True)
class ConfusionMatrix:
    """A confusion matrix.

    Attributes:
        labels: Codes (or continents) in the order of rows and columns, so that the diagonal is
            correct; `OTHER` is the last if there are more than these.
        pred_labels: The columns: `labels`, and "" at the end if for some image nothing was
            predicted.
        cells: One row a cell that is not empty, row by row: true, predicted, n, right (images of it
            whose prediction is correct: all on the diagonal, none elsewhere, some at `OTHER`), the
            counters of `country_pairs`, and the shares of n in its row and column: row_n,
            row_share, column_n, column_share.
    """

    labels: tuple[str, ...]
    pred_labels: tuple[str, ...]
    cells: pd.DataFrame


def matrix(
    pairs: pd.DataFrame, top: int | None = None, order: Mapping[str, str] | None = None
) -> ConfusionMatrix:
    """Arrange pairs as a matrix of those that are confused most.

    Args:
        pairs: Of `country_pairs` or of `continent_pairs`.
        top: How many (≥ 1) have a row and column of their own: those with the most wrong images in
            either direction (of equals, those with more images, then by name); the rest becomes
            `OTHER`. None: all.
        order: Label → what to sort by before the label itself, such as its continent.
    """
    if top is not None and top < 1:
        msg = f"top is {top}; expected 1 or more"
        raise ValueError(msg)
    true, predicted = pairs.columns[:2]
    cells = pairs.rename(columns={true: "true", predicted: "predicted"})
    if "right" not in cells:
        cells["right"] = cells["n"].where(cells["true"] == cells["predicted"], 0)
    ranked = _most_confused(cells)
    own = sorted(ranked[:top], key=lambda label: ((order or {}).get(label, ""), label))
    labels = (*own, *([OTHER] if len(own) < len(ranked) else []))
    for side in ("true", "predicted"):
        cells[side] = cells[side].where(cells[side].isin([*own, ""]), OTHER)
    cells = cells.groupby(["true", "predicted"], as_index=False)[["right", *COUNTERS]].sum()
    pred_labels = (*labels, *([""] if (cells["predicted"] == "").any() else []))
    row = cells["true"].map({label: i for i, label in enumerate(labels)})
    column = cells["predicted"].map({label: i for i, label in enumerate(pred_labels)})
    cells = cells.iloc[np.lexsort((column, row))].reset_index(drop=True)
    for side, name in (("true", "row"), ("predicted", "column")):
        cells[f"{name}_n"] = cells.groupby(side)["n"].transform("sum")
        cells[f"{name}_share"] = cells["n"] / cells[f"{name}_n"]
    return ConfusionMatrix(labels, pred_labels, cells)


def _most_confused(cells: pd.DataFrame) -> list[str]:
    """List all labels, those with the most wrong images first."""
    wrong = cells["n"] - cells["right"]
    sides = [
        pd.DataFrame({"label": cells[side], "wrong": wrong, "n": cells["n"]})
        for side in ("true", "predicted")
    ]
    totals = pd.concat(sides).groupby("label", as_index=False).sum()
    totals = totals[totals["label"] != ""]
    ranked = totals.sort_values(["wrong", "n", "label"], ascending=[False, False, True])
    return [str(label) for label in ranked["label"]]


def by_similarity(confusion: ConfusionMatrix) -> tuple[str, ...]:
    """Sort the labels of a matrix so that blocks of mutual confusion appear.

    Similarity is the mean of both shares of confusion. Labels are sorted by the second eigenvector
    of the graph's normalised Laplacian (Atkins, Boman & Hendrickson 1998, A spectral algorithm for
    seriation, SIAM J. Comput. 28; normalised as Shi & Malik 2000, IEEE PAMI 22, so that few strong
    partners do not outweigh the rest). `OTHER` stays the last.
    """
    own = [label for label in confusion.labels if label != OTHER]
    if len(own) < 3:  # noqa: PLR2004 -- two are next to each other in any order
        return confusion.labels
    cells = confusion.cells
    inside = cells[cells["true"].isin(own) & cells["predicted"].isin(own)]
    position = {label: i for i, label in enumerate(own)}
    share = np.zeros((len(own), len(own)))
    share[inside["true"].map(position), inside["predicted"].map(position)] = inside["row_share"]
    alike = (share + share.T) / 2 + _FAINT
    np.fill_diagonal(alike, 0.0)
    scale = 1 / np.sqrt(alike.sum(axis=1))
    laplacian = np.eye(len(own)) - scale[:, None] * alike * scale
    second = np.linalg.eigh(laplacian).eigenvectors[:, 1] * scale
    order = np.argsort(second.round(9), kind="stable").tolist()
    if order[0] > order[-1]:  # an eigenvector has no direction of its own
        order.reverse()
    return (*(own[i] for i in order), *confusion.labels[len(own) :])


def asymmetric_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Compare how often one country is taken for another with how often the reverse.

    Shares are compared, not counts: of two countries the one with more images has more of
    everything. A country without images of its own is not compared. `pairs` are of `country_pairs`.

    Returns:
        One row for each two countries that are confused at all, the most certain first: country,
            other (codes; `country` is more often taken for `other`), n, other_n (their images),
            taken, other_taken (how many of n are taken for `other`, of other_n for `country`),
            share, other_share (those as shares), and difference, low, high: share − other_share
            with its Newcombe 95 % interval.
    """
    sides = pd.concat([pairs["true_country"], pairs["pred_country"]])
    places, names = pd.factorize(sides, sort=True)
    true, predicted = places.reshape(2, -1)
    counts_CC = np.zeros((len(names), len(names)), dtype=np.int64)
    counts_CC[true, predicted] = pairs["n"]
    n_C = counts_CC.sum(axis=1)
    left_out = (n_C == 0) | (names == "")
    counts_CC[left_out, :] = 0
    counts_CC[:, left_out] = 0
    # Each two once, in alphabetical order; then swapped where the second is more often taken for
    # the first.
    first, second = np.nonzero(np.triu(counts_CC + counts_CC.T, k=1))
    is_swapped = counts_CC[first, second] / n_C[first] < counts_CC[second, first] / n_C[second]
    country, other = np.where(is_swapped, (second, first), (first, second))
    n, other_n = n_C[country], n_C[other]
    taken, other_taken = counts_CC[country, other], counts_CC[other, country]
    difference, low, high = newcombe_interval(taken, n, other_taken, other_n)
    names = np.array(names, dtype=object)
    frame = pd.DataFrame(
        {
            "country": names[country],
            "other": names[other],
            "n": n,
            "other_n": other_n,
            "taken": taken,
            "other_taken": other_taken,
            "share": taken / n,
            "other_share": other_taken / other_n,
            "difference": difference,
            "low": low,
            "high": high,
        }
    )
    order = np.lexsort((other, country, -difference, -low))
    return frame.iloc[order].reset_index(drop=True)


def mistakes_by_nearness(pairs: pd.DataFrame) -> pd.DataFrame:
    """Count wrong countries that border on the true one, share its continent, or neither.

    `pairs` are of `country_pairs`.

    Returns:
        One row for each of `NEARNESS`: nearness, n (wrong images with a predicted country), share
            of all such, low and high (Wilson 95 %; NaN without mistakes), and mean_km of those that
            have a distance (else NaN).
    """
    wrong = wrong_pairs(pairs)
    nearness = list(map(_nearness, wrong["true_country"], wrong["pred_country"]))
    counters = ["n", "num_distances", "distance_km_sum"]
    sums = wrong[counters].groupby(np.array(nearness, dtype=object)).sum()
    sums = sums.reindex(list(NEARNESS), fill_value=0)
    n, total = sums["n"].to_numpy(dtype=np.int64), int(sums["n"].sum())
    low, high = wilson_interval(n, total)
    mean_km = sums["distance_km_sum"] / sums["num_distances"].replace(0, np.nan)
    return pd.DataFrame(
        {
            "nearness": list(NEARNESS),
            "n": n,
            "share": n / (total or np.nan),
            "low": low,
            "high": high,
            "mean_km": mean_km.to_numpy(),
        }
    )


def wrong_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Select the pairs of two different countries."""
    is_wrong = pairs["true_country"] != pairs["pred_country"]
    return pairs[is_wrong & (pairs["pred_country"] != "")]


@cache
def _nearness(true: str, predicted: str) -> str:
    if are_neighbours(true, predicted):
        return NEARNESS[0]
    known = countries()
    if true in known and predicted in known and known[true].continent == known[predicted].continent:
        return NEARNESS[1]
    return NEARNESS[2]
