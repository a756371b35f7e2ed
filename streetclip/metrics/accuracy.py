"""Average accuracies over groups."""

import math

import numpy as np
from numpy.typing import ArrayLike


def macro_share(successes: ArrayLike, n: ArrayLike) -> float | None:
    """Average the shares of groups, each group weighing the same; None without a group.

    With the true country as group, the mean over the true countries that have an image in the
    denominator; of country accuracy, macro-averaged recall (balanced accuracy). A group with n = 0
    is left out. The order of the groups does not matter.

    Examples:
        >>> macro_share([3, 0, 0], [3, 1, 0])
        0.5
    """
    counted, total = np.asarray(successes, np.float64), np.asarray(n, np.float64)
    if counted.shape != total.shape or np.any((counted < 0) | (counted > total)):
        msg = "expected as many successes as n, and 0 ≤ successes ≤ n in each group"
        raise ValueError(msg)
    is_counted = total > 0
    shares = (counted[is_counted] / total[is_counted]).tolist()
    return math.fsum(shares) / len(shares) if shares else None
