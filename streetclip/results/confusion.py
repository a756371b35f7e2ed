"""What the pairs of countries say: a matrix one can read, one-sided confusions, near and far."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.gazetteer import are_neighbours, countries
from streetclip.metrics.differences import newcombe_interval
from streetclip.metrics.intervals import wilson_interval
from streetclip.results.country_pairs import COUNTERS

OTHER: Final = "(other)"
"""Row and column of all that a matrix has no row of their own for."""

NEARNESS: Final = ("neighbour", "same continent", "other continent")
"""How near a wrong country is to the true one, the nearest first."""


@dataclass(frozen=True)
class ConfusionMatrix:
    """Who is taken for whom.

    Attributes:
        labels: Codes (or continents) in the order of rows and columns, the same for both, so that
            right answers stand on the diagonal; `OTHER` is the last if there are more than these.
        pred_labels: The columns: `labels`, and "" at the end if for some image nothing was
            predicted.
        cells: One row a cell that is not empty, row by row: true, predicted, n, right (images
            of it whose prediction is right: all on the diagonal, none beside it, some at
            `OTHER`), the counters of `country_pairs`, and the shares of n in its row and column:
            row_n, row_share, column_n, column_share.
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
        top: How many have a row and column of their own: those with the most wrong images,
            whether they are taken for another or another for them (of equals, those with more
            images, then the first in the alphabet); the rest becomes `OTHER`. None: all.
        order: Label → what to sort by before the label itself, such as its continent.

    Raises:
        ValueError: `top` < 1.
    """
    if top is not None and top < 1:
        msg = f"top is {top}; expected 1 or more"
        raise ValueError(msg)
    true, predicted = pairs.columns[:2]
    cells = pairs.rename(columns={true: "true", predicted: "predicted"})
    if "right" not in cells:
        cells.insert(2, "right", cells["n"].where(cells["true"] == cells["predicted"], 0))
    ranked = _most_confused(cells)
    own = set(ranked[:top])
    place = {label: ((order or {}).get(label, ""), label) for label in own}
    labels = (*sorted(own, key=place.__getitem__), *([OTHER] if len(own) < len(ranked) else []))
    for column in ("true", "predicted"):
        cells[column] = cells[column].where(cells[column].isin([*own, ""]), OTHER)
    cells = cells.groupby(["true", "predicted"], as_index=False)[["right", *COUNTERS]].sum()
    blank = [""] if (cells["predicted"] == "").any() else []
    cells = _in_order(cells, labels, (*labels, *blank))
    for side, column in (("true", "row"), ("predicted", "column")):
        cells[f"{column}_n"] = cells.groupby(side)["n"].transform("sum")
        cells[f"{column}_share"] = cells["n"] / cells[f"{column}_n"]
    return ConfusionMatrix(labels, (*labels, *blank), cells)


def _most_confused(cells: pd.DataFrame) -> list[str]:
    """All labels, those with the most wrong images first."""
    wrong = cells["n"] - cells["right"]
    sides = [
        pd.DataFrame({"label": cells[side], "wrong": wrong, "n": cells["n"]})
        for side in ("true", "predicted")
    ]
    totals = pd.concat(sides).groupby("label", as_index=False).sum()
    totals = totals[totals["label"] != ""]
    ranked = totals.sort_values(["wrong", "n", "label"], ascending=[False, False, True])
    return [str(label) for label in ranked["label"]]


def _in_order(
    cells: pd.DataFrame, labels: tuple[str, ...], pred_labels: tuple[str, ...]
) -> pd.DataFrame:
    row = cells["true"].map({label: i for i, label in enumerate(labels)})
    column = cells["predicted"].map({label: i for i, label in enumerate(pred_labels)})
    return cells.iloc[np.lexsort((column, row))].reset_index(drop=True)


def asymmetric_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Countries of which one is taken for the other more often than the reverse.

    Shares are compared, not counts: of two countries the one with more images has more of
    everything. A country without images of its own is not compared.

    Args:
        pairs: Of `country_pairs`.

    Returns:
        One row for each two countries that are confused at all, the most certain first:

        - country, other: codes; `country` is the one that is more often taken for the other;
        - n, other_n: their images;
        - taken, other_taken: how many of n are taken for `other`, of other_n for `country`;
        - share, other_share: those as shares;
        - difference, low, high: share − other_share with its Newcombe 95 % interval; the row is
          certain where low > 0.
    """
    sides = pd.concat([pairs["true_country"], pairs["pred_country"]])
    places, names = pd.factorize(sides, sort=True)
    true, predicted = places.reshape(2, -1)
    counts_CC = np.zeros((len(names), len(names)), dtype=np.int64)
    counts_CC[true, predicted] = pairs["n"]
    n_C = counts_CC.sum(axis=1)
    counts_CC[(n_C == 0) | (names == ""), :] = 0
    counts_CC[:, (n_C == 0) | (names == "")] = 0
    # Each two once, as the first and the second of them in the alphabet; then turned around where
    # it is the second that is more often taken for the first.
    first, second = np.nonzero(np.triu(counts_CC + counts_CC.T, k=1))
    forth = counts_CC[first, second] / n_C[first]
    is_turned = forth < counts_CC[second, first] / n_C[second]
    country, other = np.where(is_turned, (second, first), (first, second))
    counted = (n_C[country], n_C[other], counts_CC[country, other], counts_CC[other, country])
    n, other_n, taken, other_taken = counted
    difference, low, high = newcombe_interval(taken, n, other_taken, other_n)
    order = np.lexsort((other, country, -difference, -low))
    frame = pd.DataFrame(
        {
            "country": np.array(names, dtype=object)[country],
            "other": np.array(names, dtype=object)[other],
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
    return frame.iloc[order].reset_index(drop=True)


def mistakes_by_nearness(pairs: pd.DataFrame) -> pd.DataFrame:
    """Whether wrong countries border on the true one, lie on its continent, or far off.

    Args:
        pairs: Of `country_pairs`.

    Returns:
        One row for each of `NEARNESS`: nearness, n (wrong images that a country was predicted
        for), share of all such, low and high (Wilson 95 %; NaN without mistakes), and mean_km of
        those that have a distance (else NaN).
    """
    wrong = pairs[(pairs["true_country"] != pairs["pred_country"]) & (pairs["pred_country"] != "")]
    sides = (wrong[name].to_numpy(dtype=object) for name in ("true_country", "pred_country"))
    nearness = [_nearness(true, predicted) for true, predicted in zip(*sides, strict=True)]
    sums = (
        wrong[["n", "num_distances", "distance_km_sum"]].groupby(np.array(nearness, object)).sum()
    )
    sums = sums.reindex(list(NEARNESS), fill_value=0)
    n: NDArray[np.int64] = sums["n"].to_numpy(dtype=np.int64)
    total = np.full(len(n), n.sum())
    low, high = wilson_interval(n, total)
    return pd.DataFrame(
        {
            "nearness": list(NEARNESS),
            "n": n,
            "share": n / np.where(total > 0, total, np.nan),
            "low": low,
            "high": high,
            "mean_km": (
                sums["distance_km_sum"] / sums["num_distances"].replace(0, np.nan)
            ).to_numpy(),
        }
    )


@cache
def _nearness(true: str, predicted: str) -> str:
    if are_neighbours(true, predicted):
        return NEARNESS[0]
    known = countries()
    if true in known and predicted in known and known[true].continent == known[predicted].continent:
        return NEARNESS[1]
    return NEARNESS[2]
