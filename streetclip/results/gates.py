"""Check figures of a run against bounds, fixed or relative to a baseline, for CI.

A gate fails when the whole 95 % interval of its figure lies on the wrong side of the bound, so that
noise alone fails it at most 2.5 % of the time (a one-sided test at that level). The intervals are
those of every page: Wilson for a share; against a baseline Newcombe's for paired proportions over
the images that both runs have (1998, Stat. Med. 17, 2635–2650, method 10), a paired bootstrap for
the city given the country, the normal interval of the mean paired difference for GeoScore. Where
the interval holds the bound, the images do not decide: the gate does not fail, and is "undecided".
"""

import math
import re
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from streetclip.errors import ConfigError, shown
from streetclip.geo import GEOSCORE_MAXIMUM, THRESHOLDS_KM
from streetclip.results.comparison import (
    compare,
    compare_geoscore,
    compare_hierarchical,
    geoscore_interval,
)
from streetclip.results.figures import run_figures
from streetclip.results.run_table import Bool, RunTable

MEDIAN: Final = "median_km"
GATE_METRICS: Final = (
    "country_accuracy",
    "city_accuracy",
    "hierarchical_accuracy",
    *(f"share_within_{km}_km" for km in THRESHOLDS_KM.values()),
    "geoscore",
    MEDIAN,
)
"""Figures that a gate can bound; shares are 0 to 1."""

_HIGHEST: Final = {"geoscore": GEOSCORE_MAXIMUM, MEDIAN: math.inf}  # of shares 1

_GATE = re.compile(
    r"(?:(?P<images>.+):)?\s*(?P<metric>\w+)\s*(?P<sign>[<>]=)\s*"
    r"(?P<baseline>baseline)?\s*(?P<number>[+-]?\s*[0-9.]+(?:[eE][+-]?[0-9]+)?)?"
)

Verdict = Literal["passed", "undecided", "failed"]


@dataclass(frozen=True)
class Gate:
    """A bound of a figure.

    Attributes:
        text: As it was written.
        images: Which images, as NAME=VALUE or a value; "" for all that the filters leave.
        metric: One of `GATE_METRICS`.
        sign: ">=" or "<=".
        bound: The figure, or its difference from the baseline's if `is_relative`.
    """

    text: str
    images: str
    metric: str
    sign: str
    is_relative: bool
    bound: float


@dataclass(frozen=True)
class GateOutcome:
    """What became of a gate.

    Attributes:
        gate: As it was written.
        n: Images that were counted; of a relative gate, those that both runs have.
        value: The figure of the run; NaN without images.
        baseline: That of the baseline; NaN unless the gate is relative.
        measured: What is compared with the bound: the figure, or the difference of the two.
        low: Lower end of the 95 % interval of what is measured.
        high: Upper end of it.
        bound: What it is compared with.
    """

    gate: str
    n: int
    value: float
    baseline: float
    measured: float
    low: float
    high: float
    bound: float
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: what is no finite number is None."""
        return {
            name: None if isinstance(each, float) and not math.isfinite(each) else each
            for name, each in asdict(self).items()
        }


def parse_gate(text: str) -> Gate:
    """Read a gate, such as "country_accuracy>=baseline-0.02"; raise ConfigError if it is none.

    Examples:
        >>> gate = parse_gate("time_of_day=night:country_accuracy>=0.4")
        >>> gate.images, gate.metric, gate.sign, gate.bound
        ('time_of_day=night', 'country_accuracy', '>=', 0.4)
        >>> parse_gate("geoscore >= baseline - 50").bound
        -50.0
    """
    found = _GATE.fullmatch(text.strip())
    where = f"--gate {shown(text)}"
    if found is None or not (found["baseline"] or found["number"]):
        msg = (
            f"{where} is no gate; expected [NAME=VALUE:]METRIC>=NUMBER or "
            "[NAME=VALUE:]METRIC>=baseline-NUMBER, as in country_accuracy>=0.6."
        )
        raise ConfigError(msg)
    if found["metric"] not in GATE_METRICS:
        names = ", ".join(GATE_METRICS)
        msg = f"{where} bounds {shown(found['metric'])}; expected one of {names}."
        raise ConfigError(msg)
    number, is_relative = (found["number"] or "0").replace(" ", ""), bool(found["baseline"])
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if math.isnan(bound) or (is_relative and found["number"] and number[0] not in "+-"):
        msg = f"{where} ends with {shown(number)}; expected a number, as 0.6 or baseline-0.02."
        raise ConfigError(msg)
    highest = _HIGHEST.get(found["metric"], 1.0)
    least = -highest if is_relative else 0.0
    if math.isinf(bound) or not least <= bound <= highest:
        msg = (
            f"{where} bounds {found['metric']} by {number}, so that it decides nothing; expected "
            f"{least:g} to {highest:g}: shares are 0 to 1."
        )
        raise ConfigError(msg)
    if is_relative and found["metric"] == MEDIAN:
        msg = f"{where}: two medians have no paired interval; bound {MEDIAN} by a number."
        raise ConfigError(msg)
    return Gate(text, found["images"] or "", found["metric"], found["sign"], is_relative, bound)


def check_gate(gate: Gate, table: RunTable, mask: Bool, baseline: RunTable | None) -> GateOutcome:
    """Measure the figure of a gate over the selected images, and decide.

    Raises ConfigError if the gate is relative and there is no baseline.
    """
    if gate.is_relative and baseline is None:
        msg = f"--gate {shown(gate.text)} names a baseline; give one with --baseline."
        raise ConfigError(msg)
    other = math.nan
    if gate.is_relative:
        assert baseline is not None
        n, value, other, *measured = _difference(gate.metric, table, baseline, mask)
    else:
        n, value, *ends = _figure(gate.metric, table, mask)
        measured = [value, *ends]
    difference, low, high = measured
    decided = verdict(gate.sign, low, high, gate.bound)
    return GateOutcome(gate.text, n, value, other, difference, low, high, gate.bound, decided)


def verdict(sign: str, low: float, high: float, bound: float) -> Verdict:
    """Decide by the interval of a figure; without one, as without images, a gate fails.

    Examples:
        >>> [verdict(">=", *ends, 0.6) for ends in ((0.61, 0.7), (0.5, 0.7), (0.5, 0.59))]
        ['passed', 'undecided', 'failed']
    """
    if math.isnan(low) or math.isnan(high):
        return "failed"
    worst, best = (low, high) if sign == ">=" else (-high, -low)
    limit = bound if sign == ">=" else -bound
    if best < limit:
        return "failed"
    return "passed" if worst >= limit else "undecided"


def _difference(
    metric: str, table: RunTable, baseline: RunTable, mask: Bool
) -> tuple[int, float, float, float, float, float]:
    """Compute n, both values, their difference and its interval."""
    if metric == "hierarchical_accuracy":
        found = compare_hierarchical(table, baseline, mask)
    elif metric == "geoscore":
        found = compare_geoscore(table, baseline, mask)
    else:
        level = metric.removesuffix("_accuracy").removeprefix("share_").removesuffix("_km")
        found = compare(table, baseline, mask, level)
    ends = found.difference, found.low, found.high
    return found.n, found.value, found.baseline_value, *ends


def _figure(metric: str, table: RunTable, mask: Bool) -> tuple[int, float, float, float]:
    """Compute n, the value and its interval; NaN without images."""
    if metric == "geoscore":
        return geoscore_interval(table, mask)
    figures = run_figures(table, mask)
    distance = figures["distance"]
    by_name = {f"share_within_{x['threshold_km']}_km": x for x in distance["share_within_km"]}
    by_name[MEDIAN] = distance["median_km"] | {"n": distance["n"]}
    found = by_name.get(metric) or figures[metric]
    ends = (found[name] for name in ("value", "low", "high"))
    value, low, high = (math.nan if each is None else each for each in ends)
    return found["n"], value, low, high
