"""Every figure of some rows of predictions.csv, a second time, in plain Python.

Nothing of `streetclip` but names of columns: definitions are those of the documentation.
"""

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

THRESHOLDS_KM = (1, 25, 200, 750, 2500)
_NUMBERS = (
    "country_correct",
    "city_correct",
    "country_reachable",
    "city_reachable",
    "country_probability",
    "distance_km",
    "nearest_candidate_km",
)
Row = Mapping[str, Any]


def read_rows(path: Path, of_images: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of predictions.csv, with what the test file says of each image.

    Args:
        path: The file.
        of_images: By image file name: weather and tagged.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = [dict(row) for row in csv.DictReader(file)]
    for row in rows:
        for name in _NUMBERS:
            row[name] = float(row[name]) if row[name] else None
        row.update(of_images[row["image_filename"]])
    return rows


def passes(row: Row, selection: Any) -> bool:
    """Whether a row is one of those that a filter means."""
    exact = {
        "true_continent": selection.continent,
        "true_region": selection.region,
        "true_city": selection.city,
        "country_correct": selection.country_correct,
        "city_correct": selection.city_correct,
    }
    if any(wanted is not None and row[name] != wanted for name, wanted in exact.items()):
        return False
    if not all(_has_one(row, selection)) or any(_has_one(row, selection.excluded)):
        return False
    if selection.file_name.lower() not in row["image_filename"].lower():
        return False
    return _within(row["distance_km"], *selection.distance_km) and _within(
        row["country_probability"], *selection.confidence
    )


def _has_one(row: Row, values: Any) -> list[bool]:
    """Whether a row has one of the values of each filter that takes several."""
    found = [
        row[name] in [v for n, v in values.attributes if n == name] for name, _ in values.attributes
    ]
    found += [row["true_country"] in values.country] if values.country else []
    found += [row["pred_country"] in values.predicted] if values.predicted else []
    return found + ([row["tagged"]] if values.tags else [])


def _within(value: float | None, low: float | None, high: float | None) -> bool:
    if low is None and high is None:
        return True
    if value is None:
        return False
    return (low is None or value >= low) and (high is None or value <= high)


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """All figures of some rows: shares as exact divisions, sums rounded once."""
    right = [row for row in rows if row["country_correct"]]
    placed = [row for row in rows if row["coordinate_source"] != "none"]
    known = [row["distance_km"] for row in placed if row["distance_km"] is not None]
    far = sorted([*known, *[math.inf] * (len(placed) - len(known))])
    scores = [5000 * math.exp(-km / 1492.7) for km in known]
    nearest = [row["nearest_candidate_km"] for row in placed]
    return {
        "n": len(rows),
        "unreadable": sum(row["status"] != "ok" for row in rows),
        "country": _accuracy(rows, "country_correct", "country_reachable"),
        "city": _accuracy(rows, "city_correct", "city_reachable"),
        "hierarchical": _accuracy(right, "city_correct", "city_reachable"),
        "distance_n": len(placed),
        "median": _median(far),
        "mean_km": math.fsum(known) / len(known) if known else None,
        "mean_km_n": len(known),
        "geoscore": math.fsum(scores) / len(placed) if placed else None,
        "within": {
            limit: {
                **_share(sum(km <= limit for km in far), len(far)),
                "ceiling": _ratio(sum(km <= limit for km in nearest), len(nearest)),
            }
            for limit in THRESHOLDS_KM
        },
    }


def _accuracy(rows: Sequence[Row], correct: str, reachable: str) -> dict[str, Any]:
    return {
        **_share(sum(row[correct] == 1 for row in rows), len(rows)),
        "ceiling": _ratio(sum(row[reachable] == 1 for row in rows), len(rows)),
        "macro": _macro(rows, lambda row: row[correct] == 1),
        "macro_ceiling": _macro(rows, lambda row: row[reachable] == 1),
    }


def _macro(rows: Sequence[Row], counts: Callable[[Row], bool]) -> float | None:
    countries = {row["true_country"] for row in rows}
    shares = []
    for code in countries:
        of_country = [row for row in rows if row["true_country"] == code]
        shares.append(sum(map(counts, of_country)) / len(of_country))
    return math.fsum(shares) / len(shares) if shares else None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _share(part: int, whole: int) -> dict[str, Any]:
    """With its Wilson interval, as the roots of the quadratic."""
    if not whole:
        return {"value": None, "low": None, "high": None, "n": 0}
    z = 1.959963984540054
    a, b, c = whole + z**2, -(2 * part + z**2), part**2 / whole
    root = math.sqrt(max(b**2 - 4 * a * c, 0.0))
    return {
        "value": part / whole,
        "low": (-b - root) / (2 * a),
        "high": (-b + root) / (2 * a),
        "n": whole,
    }


def _median(far: Sequence[float]) -> tuple[float, float, float] | None:
    """Median and the order statistics around it, by sums of binomial coefficients."""
    n = len(far)
    if not n:
        return None
    k, below = 0, 0
    while below + math.comb(n, k) <= Fraction(1, 40) * 2**n:
        below += math.comb(n, k)
        k += 1
    middle = (far[(n - 1) // 2] + far[n // 2]) / 2
    return (middle, far[k - 1], far[n - k]) if k else (middle, 0.0, math.inf)
