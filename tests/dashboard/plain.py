"""Plain implementations that the pages' figures are compared with."""

import math

Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


def wilson(k, n):
    """Both ends of the Wilson 95 % interval of k of n."""
    middle, half = k + Z * Z / 2, Z * math.sqrt(k * (n - k) / n + Z * Z / 4)
    return (middle - half) / (n + Z * Z), (middle + half) / (n + Z * Z)


def one_decimal(*values):
    """Numbers as a table shows them: halves are rounded before they are drawn."""
    return [f"{value:.1f}" for value in values]
