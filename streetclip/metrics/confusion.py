"""How often each class is taken for each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streetclip.metrics.arrays import encode_names, text_array


@dataclass(frozen=True, slots=True)
class PairCounts:
    """The pairs (true, predicted) that occur, with their counts; one entry for each pair.

    Ordered by falling count, then by true and predicted code.

    Attributes:
        true_codes: True codes.
        predicted_codes: Predicted codes; "" where nothing was predicted.
        n: Images of each pair, at least 1; their sum is N.
    """

    true_codes: tuple[str, ...]
    predicted_codes: tuple[str, ...]
    n: NDArray[np.int64]

    def to_dict(self) -> dict[tuple[str, str], int]:
        """(true, predicted) → count, in the same order."""
        pairs = zip(self.true_codes, self.predicted_codes, strict=True)
        return dict(zip(pairs, self.n.tolist(), strict=True))


def pair_counts(true_codes: ArrayLike, predicted_codes: ArrayLike) -> PairCounts:
    """Count the cells of the confusion matrix that are not empty, right answers included.

    Args:
        true_codes: N texts.
        predicted_codes: N texts; "" where nothing was predicted, which is counted as its own code.

    Raises:
        ValueError: The two are not one-dimensional texts of one length.

    Examples:
        >>> pair_counts(["FR", "FR", "DE"], ["DE", "DE", "DE"]).to_dict()
        {('FR', 'DE'): 2, ('DE', 'DE'): 1}
    """
    true_names, true_index = encode_names(text_array(true_codes, "true_codes"))
    predicted_names, predicted_index = encode_names(text_array(predicted_codes, "predicted_codes"))
    if true_index.shape != predicted_index.shape:
        msg = f"{true_index.size} true and {predicted_index.size} predicted codes; expected as many"
        raise ValueError(msg)
    width = max(len(predicted_names), 1)
    cell, n = np.unique(true_index * width + predicted_index, return_counts=True)
    order = np.argsort(-n, kind="stable")  # cells are ascending: ties stay in code order
    rows, columns = np.divmod(cell[order], width)
    return PairCounts(
        tuple(true_names[row] for row in rows),
        tuple(predicted_names[column] for column in columns),
        n[order],
    )
