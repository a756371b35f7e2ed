"""Accuracy by group, and averaged over groups."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

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


def macro_accuracy(correct: ArrayLike, group: ArrayLike) -> float | None:
    """Mean over the groups that occur of each group's accuracy: every group weighs the same.

    With the true class as group this is the macro-averaged recall, also called balanced accuracy.

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
    if not counts.groups:
        return None
    return float(np.mean(counts.successes / counts.n))


def boolean_array(values: ArrayLike, name: str) -> NDArray[np.bool_]:
    """Take a one-dimensional boolean array, or say what it is instead.

    Args:
        values: To be checked; an empty list passes.
        name: What to call it in the message.

    Raises:
        ValueError: Not one-dimensional, or not boolean.
    """
    array = np.asarray(values)
    if array.size == 0:
        array = array.astype(np.bool_)
    if array.ndim != 1 or array.dtype != np.bool_:
        msg = (
            f"{name} is {array.ndim}-dimensional of {array.dtype}; "
            "expected a one-dimensional array of bool"
        )
        raise ValueError(msg)
    return array


def text_array(values: ArrayLike, name: str) -> NDArray[np.str_]:
    """Take a one-dimensional array of text, as numpy strings or as Python `str` objects.

    Args:
        values: To be checked; an empty list passes.
        name: What to call it in the message.

    Raises:
        ValueError: Not one-dimensional, or an entry (None, NaN, a number) is not text.
    """
    array = np.asarray(values)
    if array.dtype == np.object_ or array.size == 0:
        strangers = [value for value in array.ravel() if not isinstance(value, str)]
        if strangers:
            msg = f"{name} holds {strangers[0]!r}; expected text, '' where there is none"
            raise ValueError(msg)
        array = array.astype(np.str_)
    if array.ndim != 1 or array.dtype.kind != "U":
        msg = (
            f"{name} is {array.ndim}-dimensional of {array.dtype}; "
            "expected a one-dimensional array of text"
        )
        raise ValueError(msg)
    return array


def encode_names(names: NDArray[np.str_]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Number the distinct names in ascending order.

    Args:
        names: N texts.

    Returns:
        The distinct names, and for each of the N the position of its name among them.

    Examples:
        >>> encode_names(np.array(["b", "a", "b"]))[0]
        ('a', 'b')
    """
    distinct, index = np.unique(names, return_inverse=True)
    return tuple(distinct.tolist()), index.astype(np.int64, copy=False)
