"""Lay out metrics as a table of text."""

import math
from collections.abc import Sequence
from typing import Any

_ACCURACIES = {
    "country_accuracy": "country accuracy",
    "city_accuracy": "city accuracy",
    "hierarchical_accuracy": "city given country",
}
_MISSING = "–"


def metrics_table(metrics: dict[str, Any]) -> str:
    """Lay out the body of `metrics.json` as a table of text."""
    labelled = _labelled(metrics)
    rows = [("", "share %", "95 % interval", "n", "ceiling %", "macro %", "macro ceiling %")]
    for label, each in labelled.items():
        macro, ceiling = (percent(each[k]) if k in each else "" for k in ("macro", "macro_ceiling"))
        count, most = f"{each['n']:,}", percent(each["ceiling"])
        rows.append((label, percent(each["value"]), interval(each), count, most, macro, ceiling))
    return "\n".join([aligned(rows), _distances(metrics["distance"]), *_remarks(metrics)])


def two_rules_table(metrics: dict[str, Any], answered: dict[str, Any]) -> str:
    """Lay out shares of all images, and of those with an answer, side by side."""
    rows = [("", "all images %", "n", "answered %", "n")]
    of_answered = _labelled(answered)
    for label, each in _labelled(metrics).items():
        other = of_answered[label]
        shares = percent(each["value"]), percent(other["value"])
        rows.append((label, shares[0], f"{each['n']:,}", shares[1], f"{other['n']:,}"))
    return aligned(rows)


def aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Pad the cells of a table; the first column is left-aligned."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def percent(share: float | None) -> str:
    """Format a share as percent with one decimal."""
    return _MISSING if share is None else f"{100 * share:.1f}"


def interval(proportion: dict[str, Any]) -> str:
    """Format the interval of a proportion as percent."""
    if proportion["low"] is None:
        return _MISSING
    return f"{percent(proportion['low'])}–{percent(proportion['high'])}"


def _labelled(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    within = metrics["distance"]["share_within_km"]
    return {label: metrics[key] for key, label in _ACCURACIES.items()} | {
        f"within {each['threshold_km']:,} km": each for each in within
    }


def _distances(distance: dict[str, Any]) -> str:
    # A median or bound that JSON lacks, over some images, is infinite.
    median = {
        name: math.inf if end is None and distance["n"] else end
        for name, end in distance["median_km"].items()
    }
    words = [
        f"median {_kilometres(median['value'])} km",
        f"(95 %: {_kilometres(median['low'])} to {_kilometres(median['high'])})",
        f"· mean {_kilometres(distance['mean_km'])} km of {distance['mean_km_n']:,}",
    ]
    if distance["geoscore"] is not None:
        words.append(f"· GeoScore {distance['geoscore']:,.0f}")
    return " ".join(words)


def _remarks(metrics: dict[str, Any]) -> list[str]:
    lines = []
    confusion = metrics["neighbours"]
    if confusion["ratio"] is not None:
        lines.append(
            f"{percent(confusion['share'])} % of {confusion['errors']:,} wrong countries are "
            f"neighbours of the true one, {confusion['ratio']:.1f} times chance "
            f"({confusion['low']:.1f}–{confusion['high']:.1f})"
        )
    texts = {
        "num_skipped_rows": "bad rows of the test file were skipped; no figure counts them",
        "num_unreadable": "images could not be read; they count as wrong",
        "num_without_coordinates": "images have no known coordinates; the distances exclude them",
    }
    if "imported" in metrics:  # whose job counts rows without an answer by cause
        del texts["num_unreadable"]
    lines += [f"{metrics[name]:,} {text}" for name, text in texts.items() if metrics[name]]
    return lines


def _kilometres(value: float | None) -> str:
    if value is None:
        return _MISSING
    if math.isinf(value):
        return "∞"
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"  # noqa: PLR2004 -- km above 10: whole
