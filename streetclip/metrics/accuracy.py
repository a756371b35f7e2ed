"""Accuracy by group, and averaged over groups."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streetclip.metrics.arrays import boolean_array, encode_names, text_array
from streetclip.metrics.intervals import Proportion


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """How many are right in each group. Arrays have one entry for each group.

    Attributes:
        groups: The group names in ascending order; only those that occur.
        successes: Right answers of each group.
        n: Size of each group, at least 1.
    """

    groups: tuple[str, ...]
    successes: NDArray[np.int64]
    n: NDArray[np.int64]

    def proportions(self) -> dict[str, Proportion]:
        """Each group's accuracy with its Wilson 95 % interval, in the order of `groups`."""
        counts = zip(self.successes.tolist(), self.n.tolist(), strict=True)
        return {
            group: Proportion(successes, n)
            for group, (successes, n) in zip(self.groups, counts, strict=True)
        }


def count_by_group(correct: ArrayLike, group: ArrayLike) -> GroupCounts:
    """Count right answers by group.

    Args:
        correct: N booleans.
        group: N group names, as text.

    Raises:
        ValueError: The two are not one-dimensional and of one length, `correct` is not boolean, or
            a group is not text.

    Examples:
        >>> counts = count_by_group([True, False, True], ["FR", "FR", "DE"])
        >>> counts.groups, counts.successes.tolist(), counts.n.tolist()
        (('DE', 'FR'), [1, 1], [1, 2])
    """
    right = boolean_array(correct, "correct")
    names, index = encode_names(text_array(group, "group"))
    if right.shape != index.shape:
        msg = f"correct has shape {right.shape}, group has {index.shape}"
        raise ValueError(msg)
    n = np.bincount(index, minlength=len(names))
    successes = np.bincount(index[right], minlength=len(names))
    return GroupCounts(names, successes, n)


def macro_share(successes: ArrayLike, n: ArrayLike) -> float | None:
    """Average the shares of groups, each group weighing the same.

    The one definition of "macro" here: with the true country as group and the images that a filter
    leaves, the mean over the true countries that have an image in the denominator of the country's
    own share. Of country accuracy this is the macro-averaged recall (balanced accuracy).

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
    judged = total > 0
    shares = (counted[judged] / total[judged]).tolist()
    return math.fsum(shares) / len(shares) if shares else None


def macro_accuracy(correct: ArrayLike, group: ArrayLike) -> float | None:
    """Average accuracy over the groups that occur; see `macro_share`.

    Args:
        correct: N booleans.
        group: N group names, as text.

    Returns:
        A number from 0 to 1; None for N = 0.

    Raises:
        ValueError: As `count_by_group`.

    Examples:
        >>> macro_accuracy([True, True, True, False], ["FR", "FR", "FR", "DE"])
        0.5
    """
    counts = count_by_group(correct, group)
    return macro_share(counts.successes, counts.n)
