"""How results read on stdout."""

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
    """Lay out the body of `metrics.json` as a table of text.

    Args:
        metrics: Of `streetclip.evaluation.run_metrics.measure`.
    """
    head = ("", "share %", "95 % interval", "n", "ceiling %", "macro %", "macro ceiling %")
    rows = [head] + [
        (
            label,
            percent(each["value"]),
            interval(each),
            f"{each['n']:,}",
            percent(each["ceiling"]),
            percent(each["macro"]),
            percent(each["macro_ceiling"]),
        )
        for key, label in _ACCURACIES.items()
        for each in [metrics[key]]
    ]
    rows += [
        (
            f"within {each['threshold_km']:,} km",
            percent(each["value"]),
            interval(each),
            f"{each['n']:,}",
            percent(each["ceiling"]),
            "",
            "",
        )
        for each in metrics["distance"]["share_within_km"]
    ]
    return aligned(rows) + "\n" + _distances(metrics["distance"]) + _remarks(metrics)


def aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Pad the cells of a table: the first column to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def percent(share: float | None) -> str:
    """A share as percent with one decimal."""
    return _MISSING if share is None else f"{100 * share:.1f}"


def interval(proportion: dict[str, Any]) -> str:
    """The bounds of a proportion as percent."""
    if proportion["low"] is None:
        return _MISSING
    return f"{percent(proportion['low'])}–{percent(proportion['high'])}"


def _distances(distance: dict[str, Any]) -> str:
    # Over some images, a median or an end that JSON lacks is infinite.
    median = {
        name: math.inf if end is None and distance["n"] else end
        for name, end in distance["median_km"].items()
    }
    words = [
        f"median {_kilometres(median['value'])} km",
        f"(95 %: {_kilometres(median['low'])} to {_kilometres(median['high'])})",
        f"· mean {_kilometres(distance['mean_km'])} km of {distance['mean_km_n']:,}",
        f"· GeoScore {distance['geoscore']:,.0f}" if distance["geoscore"] is not None else "",
    ]
    return " ".join(words).rstrip()


def _remarks(metrics: dict[str, Any]) -> str:
    lines = [_neighbours(metrics["neighbours"])]
    if metrics["num_skipped_rows"]:
        lines.append(
            f"{metrics['num_skipped_rows']:,} bad rows of the test file were skipped; "
            "no figure counts them"
        )
    if metrics["num_unreadable"]:
        lines.append(f"{metrics['num_unreadable']:,} images could not be read; they count as wrong")
    if metrics["num_without_coordinates"]:
        lines.append(
            f"{metrics['num_without_coordinates']:,} images have no known coordinates; "
            "the distances leave them out"
        )
    return "".join(f"\n{line}" for line in lines if line)


def _neighbours(confusion: dict[str, Any]) -> str:
    if confusion["ratio"] is None:
        return ""
    return (
        f"{percent(confusion['share'])} % of {confusion['errors']:,} wrong countries are "
        f"neighbours of the true one, {confusion['ratio']:.1f} times chance "
        f"({confusion['low']:.1f}–{confusion['high']:.1f})"
    )


def _kilometres(value: float | None) -> str:
    if value is None:
        return _MISSING
    if math.isinf(value):
        return "∞"
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"  # noqa: PLR2004 -- km above 10: whole
