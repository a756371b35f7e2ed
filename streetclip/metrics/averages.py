"""Average accuracies over groups; add numbers up independently of their order."""

import math
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_FIRST_BITS: Final = 20  # behind the binary point, of the first of three limbs
_LIMB_BITS: Final = 33
_NUM_LIMBS: Final = 3
_BLOCK: Final = 2**14  # numbers, so that they stay in the processor's cache
_LARGEST: Final = 2.0**16  # so that sums of 10⁸ limbs fit 63 bits


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


def exact_sum(values: NDArray[np.float64]) -> Fraction:
    """Add up numbers from 0 to 65,536, at most 10⁸, each cut off at 2⁻⁸⁶, without rounding.

    Examples:
        >>> float(exact_sum(np.array([0.1] * 10))), sum([0.1] * 10)
        (1.0, 0.9999999999999999)
    """
    if len(values) and not (values.min() >= 0 and values.max() <= _LARGEST):  # NaN is neither
        msg = f"a value is NaN or out of range; expected 0 to {_LARGEST:g}"
        raise ValueError(msg)
    sums = [0] * _NUM_LIMBS
    for start in range(0, len(values), _BLOCK):
        rest = values[start : start + _BLOCK] * 2.0**_FIRST_BITS
        for i in range(_NUM_LIMBS):
            limb = np.floor(rest)  # this and all that follows is exact, sums being below 2⁵³
            sums[i] += int(limb.sum())
            rest -= limb
            rest *= 2.0**_LIMB_BITS
    scales = (2 ** (_FIRST_BITS + i * _LIMB_BITS) for i in range(_NUM_LIMBS))
    return sum(map(Fraction, sums, scales), start=Fraction(0))
