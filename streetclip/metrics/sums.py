"""Add numbers up independently of their order, so that every page has the same mean."""

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

_FIRST_BITS: Final = 20  # behind the binary point, of the first of three limbs
_LIMB_BITS: Final = 33
_NUM_LIMBS: Final = 3
_LARGEST: Final = 2.0**16  # so that sums of 10⁸ limbs fit 63 bits


def exact_sum(values: NDArray[np.float64]) -> Fraction:
    """Add up numbers from 0 to 65,536, at most 10⁸, each cut off at 2⁻⁸⁶, without rounding.

    Examples:
        >>> float(exact_sum(np.array([0.1] * 10))), sum([0.1] * 10)
        (1.0, 0.9999999999999999)
    """
    if not np.all((values >= 0) & (values <= _LARGEST)):
        msg = f"a value is NaN or out of range; expected 0 to {_LARGEST:g}"
        raise ValueError(msg)
    total, scale = Fraction(0), 2**_FIRST_BITS
    rest = values * float(scale)
    for _ in range(_NUM_LIMBS):
        limb = np.floor(rest)  # this, the difference and the product are exact
        total += Fraction(int(limb.astype(np.int64).sum()), scale)
        rest = (rest - limb) * 2.0**_LIMB_BITS
        scale <<= _LIMB_BITS
    return total
