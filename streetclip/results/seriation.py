"""The order of a confusion matrix in which those that are confused stand side by side."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.results.confusion import OTHER, ConfusionMatrix

_FAINT = 1e-6  # joins what is never confused, so that there is one order of all


def by_similarity(confusion: ConfusionMatrix) -> tuple[str, ...]:
    """Sort the labels of a matrix so that blocks of mutual confusion appear.

    Labels are alike as far as one is taken for the other: the mean of both shares. They are sorted
    by the second eigenvector of the graph's normalised Laplacian (Atkins, Boman & Hendrickson
    1998, A spectral algorithm for seriation, SIAM J. Comput. 28; normalised as Shi & Malik 2000,
    IEEE PAMI 22, so that few strong partners do not outweigh the rest).

    Args:
        confusion: Of `confusion.matrix`.

    Returns:
        Its labels; `OTHER` stays the last.
    """
    own = [label for label in confusion.labels if label != OTHER]
    alike = _likeness(confusion.cells, own)
    if len(own) < 3:  # noqa: PLR2004 -- two stand side by side anyway
        return confusion.labels
    scale = 1 / np.sqrt(alike.sum(axis=1))
    laplacian = np.eye(len(own)) - scale[:, None] * alike * scale
    second = np.linalg.eigh(laplacian).eigenvectors[:, 1] * scale
    order = np.argsort(second.round(9), kind="stable").tolist()
    if order[0] > order[-1]:  # an eigenvector has no direction of its own
        order.reverse()
    rest = [label for label in confusion.labels if label == OTHER]
    return (*(own[position] for position in order), *rest)


def _likeness(cells: pd.DataFrame, labels: list[str]) -> NDArray[np.float64]:
    """Symmetric, 0 on the diagonal, above 0 beside it."""
    position = {label: i for i, label in enumerate(labels)}
    inside = cells[cells["true"].isin(position) & cells["predicted"].isin(position)]
    share = np.zeros((len(labels), len(labels)))
    share[inside["true"].map(position), inside["predicted"].map(position)] = inside["row_share"]
    alike = (share + share.T) / 2 + _FAINT
    np.fill_diagonal(alike, 0.0)
    return alike
