"""From what processes measured to the figures that are shown: rates, ratios, the roof.

A figure is a dict of `median`, `low`, `high`, `rounds` and `unit`. Ratios are taken within a round,
whose parts were measured right after one another, before the median is.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from streetclip.metrics.intervals import Proportion

Result = dict[str, Any]
Results = Mapping[str, Sequence[Result]]
"""By measurement, what each round gave."""

Figure = dict[str, Any]

_MEGA = 1e6


def figure(values: Sequence[float], unit: str) -> Figure:
    """What several rounds gave as one figure.

    Examples:
        >>> figure([3.0, 1.0, 2.0], "×")["median"]
        2.0
    """
    return {
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "rounds": list(values),
        "unit": unit,
    }


def with_parts(results: Results) -> dict[str, Sequence[Result]]:
    """Add the three evaluations of the one process that measures the cache, each by its name."""
    cached = results["cache"]
    parts = {name: [each[name] for each in cached] for name in ("first", "write", "second")}
    whole = {name: rounds for name, rounds in results.items() if name != "cache"}
    of_process = ("peak_bytes", "decoders_peak_bytes", "device_peak_bytes", "precision", "load_s")
    shared = [{key: each[key] for key in of_process if key in each} for each in cached]
    first = [part | about for part, about in zip(parts["first"], shared, strict=True)]
    return {**whole, **parts, "first": first}


def measurement_figures(rounds: Sequence[Result]) -> dict[str, Any]:
    """Rate, time of the processors and memory of one measurement."""
    figures: dict[str, Any] = {
        "images_per_s": figure(_rates(rounds), "images/s"),
        "cpu_ms_per_image": figure(_cpu_ms(rounds), "ms"),
        "num_images": rounds[0]["num_images"],
        "seconds": figure([each["seconds"] for each in rounds], "s"),
    }
    for key, name in (
        ("peak_bytes", "peak_memory"),
        ("decoders_peak_bytes", "decoders_peak_memory"),
        ("device_peak_bytes", "device_peak_memory"),
    ):
        if key in rounds[0]:
            figures[name] = figure([each[key] / _MEGA for each in rounds], "MB")
    for key in ("load_s", "around_s"):
        if key in rounds[0]:
            figures[key] = figure([each[key] for each in rounds], "s")
    for key in ("num_unreadable", "num_labels", "precision"):
        if key in rounds[0]:
            figures[key] = rounds[0][key]
    return figures


def ratio(results: Results, numerator: str, denominator: str) -> Figure:
    """How many times the images a second of another measurement one makes."""
    pairs = zip(_rates(results[numerator]), _rates(results[denominator]), strict=True)
    return figure([ours / theirs for ours, theirs in pairs], "×") | {"of": [numerator, denominator]}


def roof(results: Results, measured: str, stages: Sequence[str], *, shared: bool) -> dict[str, Any]:
    """What the stages alone would allow, and which share of it was reached.

    Args:
        results: Of all measurements.
        measured: Which one is under this roof.
        stages: Its stages.
        shared: Whether they share the cores, so that their times add up; else the slowest counts.
            Then the share of the processors' time that is the stages' is told too: where others
            use the machine, it says more.
    """
    each_stage = [[1.0 / rate for rate in _rates(results[stage])] for stage in stages]
    seconds = [(sum if shared else max)(of_round) for of_round in zip(*each_stage, strict=True)]
    rates = _rates(results[measured])
    found = {
        "of": measured,
        "stages": list(stages),
        "rule": "sum of the stages" if shared else "slowest stage",
        "images_per_s": figure([1.0 / s for s in seconds], "images/s"),
        "share": figure([100 * r * s for r, s in zip(rates, seconds, strict=True)], "%"),
    }
    if shared:
        of_stages = [sum(s) for s in zip(*(_cpu_ms(results[x]) for x in stages), strict=True)]
        pairs = zip(of_stages, _cpu_ms(results[measured]), strict=True)
        found["share_of_cpu_time"] = figure([100 * part / whole for part, whole in pairs], "%")
    return found


def texts_figure(results: Results, evaluations: Sequence[str]) -> dict[str, Any]:
    """What the prompts took in the one process that encoded them.

    Args:
        results: Of all measurements.
        evaluations: Those of one precision; one of their rounds encoded, the others read.
    """
    texts = [each["texts"] for name in evaluations for each in results[name]]
    num_texts, seconds = (sum(each[key] for each in texts) for key in ("num_texts", "seconds"))
    return {
        "num_texts": num_texts,
        "seconds": {"value": seconds, "unit": "s"},
        "rate": {"value": num_texts / seconds, "unit": "texts/s"},
    }


def estimate(results: Results, measured: str, texts_s: float, num_images: int) -> dict[str, Any]:
    """Seconds for so many images: the pass grows with them, the rest does not or hardly.

    Args:
        results: Of all measurements.
        measured: The evaluation to go by.
        texts_s: What the prompts take.
        num_images: How many.
    """
    rounds = results[measured]
    fixed_s = texts_s + statistics.median(each["load_s"] + each["around_s"] for each in rounds)
    rate = statistics.median(_rates(rounds))
    return {
        "of": measured,
        "num_images": num_images,
        "fixed": {"value": fixed_s, "unit": "s"},
        "seconds": {"value": fixed_s + num_images / rate, "unit": "s"},
    }


def computing(results: Results, measured: str, stage: str, peak_tflops: float) -> dict[str, Any]:
    """What the image tower computes, alone and in an evaluation, and the share of the peak.

    Args:
        results: Of all measurements.
        measured: The evaluation.
        stage: The forward pass alone.
        peak_tflops: Of the device; 0 where it is not known.
    """
    tera_per_image = results[stage][0]["flops_per_image"] / 1e12
    found: dict[str, Any] = {
        "gflop_per_image": 1e3 * tera_per_image,
        "forward": figure([r * tera_per_image for r in _rates(results[stage])], "TFLOP/s"),
        "evaluation": figure([r * tera_per_image for r in _rates(results[measured])], "TFLOP/s"),
    }
    if peak_tflops:
        for name in ("forward", "evaluation"):
            shares = [100 * value / peak_tflops for value in found[name]["rounds"]]
            found[f"{name}_share_of_peak"] = figure(shares, "%")
        found["peak_tflops"] = peak_tflops
    return found


def agreement(results: Results, measured: str, reference: str) -> dict[str, Any]:
    """Of how many images the same is predicted; an image that either cannot read is left out.

    Args:
        results: Of all measurements.
        measured: One evaluation.
        reference: The other.
    """
    pairs = [
        (ours, theirs)
        for ours, theirs in zip(
            results[measured][0]["predictions"], results[reference][0]["predictions"], strict=True
        )
        if ours is not None and theirs is not None
    ]
    same_country = sum(ours[0] == theirs[0] for ours, theirs in pairs)
    same_place = sum(ours == theirs for ours, theirs in pairs)
    return {
        "of": [measured, reference],
        "country": Proportion(same_country, len(pairs)).to_dict(),
        "city": Proportion(same_place, len(pairs)).to_dict(),
    }


def accuracy(results: Results, measured: str) -> dict[str, Any]:
    """Shares of the distinct images whose country and whose city is right."""
    found = results[measured][0]
    n = len(found["predictions"])
    return {
        "country": Proportion(found["num_country_correct"], n).to_dict(),
        "city": Proportion(found["num_city_correct"], n).to_dict(),
    }


def _rates(rounds: Sequence[Result]) -> list[float]:
    return [each["num_images"] / each["seconds"] for each in rounds]


def _cpu_ms(rounds: Sequence[Result]) -> list[float]:
    return [1e3 * each["cpu_s"] / each["num_images"] for each in rounds]
