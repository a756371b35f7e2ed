"""The arithmetic of the tables: means over seeds, paired differences, lines through peaks."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from streetclip.metrics.intervals import (
    CONFIDENCE,
    bootstrap_ratio_difference,
    newcombe_paired_interval,
    wilson_interval,
)

_SEED = 42  # of the bootstrap


class Interval(NamedTuple):
    """A value, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def mean_over_seeds(values: Sequence[float]) -> Interval:
    """Mean with Student's t interval: mean ± t · s / √n; ends NaN for a single value."""
    from scipy import stats

    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Interval(mean, math.nan, math.nan)
    t = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1))
    half_width = t * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Interval(mean, mean - half_width, mean + half_width)


def share(successes: int, n: int) -> Interval:
    """A share with its Wilson interval; NaN for n = 0."""
    low, high = wilson_interval(successes, n)
    return Interval(successes / n if n else math.nan, float(low), float(high))


# An image's answer: 0 the country is wrong, 1 it is right and the city wrong, 2 both are right.


def country_share(answers: str) -> Interval:
    """Country accuracy."""
    return share(len(answers) - answers.count("0"), len(answers))


def city_share(answers: str) -> Interval:
    """City accuracy among the images whose country is right."""
    return share(answers.count("2"), len(answers) - answers.count("0"))


def country_difference(answers_a: str, answers_b: str) -> Interval:
    """Country accuracy of A minus B's, over the same images (Newcombe's paired interval)."""
    pairs = [(a != "0", b != "0") for a, b in zip(answers_a, answers_b, strict=True)]
    cells = ((True, True), (True, False), (False, True), (False, False))
    return Interval(*newcombe_paired_interval(*(pairs.count(cell) for cell in cells)))


def city_difference(answers_a: str, answers_b: str) -> Interval:
    """City accuracy given the country, of A minus B's, over the same images (bootstrap)."""
    counts_33 = np.zeros((3, 3), np.int64)
    for a, b in zip(answers_a, answers_b, strict=True):
        counts_33[int(a), int(b)] += 1
    return Interval(*bootstrap_ratio_difference(counts_33, seed=_SEED))


def on_the_line(points: dict[int, float], at: int) -> float:
    """The least-squares line through points (at least two), at another place."""
    slope, offset = np.polyfit(list(points), list(points.values()), 1)
    return float(slope * at + offset)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are set to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(interval: Interval, *, signed: bool = False) -> str:
    """As "85.3 [83.2–87.2]", in percent, or with signs in percentage points."""
    sign = "+" if signed else ""
    value, low, high = (100 * number for number in interval)
    # No minus of a number that is shown as zero.
    value, low, high = (0.0 if abs(number) < 0.05 else number for number in (value, low, high))
    if math.isnan(low):
        return f"{value:{sign}.1f}"
    dash = " to " if signed else "–"
    return f"{value:{sign}.1f} [{low:{sign}.1f}{dash}{high:{sign}.1f}]"
