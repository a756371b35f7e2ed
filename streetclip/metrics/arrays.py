"""What metrics take: arrays checked for what they are, so that a wrong column is an error."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
