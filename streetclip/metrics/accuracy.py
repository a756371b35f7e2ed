"""Averages of accuracies over groups."""

import math

import numpy as np
from numpy.typing import ArrayLike


def macro_share(successes: ArrayLike, n: ArrayLike) -> float | None:
    """Average the shares of groups, each group weighing the same.

    The one definition of "macro" here: with the true country as group, the mean over the true
    countries that have an image in the denominator of the country's own share. Of country accuracy
    this is the macro-averaged recall (balanced accuracy).

    Args:
        successes: Count of each group.
        n: Denominator of each group; a group with 0 is left out.

    Returns:
        A number from 0 to 1, the same in whatever order the groups come; None without a group.

    Raises:
        ValueError: The two differ in shape, or a count is not 0 ≤ successes ≤ n.

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
