"""The metrics of an evaluation by plain loops over records of images."""

import itertools
import math
from fractions import Fraction

import numpy as np
from scipy.stats import binomtest

from streetclip.evaluation.run_metrics import VERSION

CONTINENT = {"FR": "Europe", "DE": "Europe", "JP": "Asia", "BR": "South America"}
THRESHOLDS = [("street", 1), ("city", 25), ("region", 200), ("country", 750), ("continent", 2500)]


def plain_share(answers):
    """Share of True with scipy's Wilson interval."""
    answers = [bool(answer) for answer in answers]
    successes, n = sum(answers), len(answers)
    if n == 0:
        return {"value": None, "low": None, "high": None, "successes": 0, "n": 0}
    wilson = binomtest(successes, n).proportion_ci(method="wilson")
    shares = {"value": successes / n, "low": wilson.low, "high": wilson.high}
    return shares | {"successes": successes, "n": n}


def plain_accuracy(images, correct, reachable):
    ceiling = sum(record[reachable] for record in images) / len(images)
    share = plain_share(record[correct] for record in images)
    macros = {
        "macro": plain_macro(images, correct),
        "macro_ceiling": plain_macro(images, reachable),
    }
    return share | {"ceiling": ceiling} | macros


def plain_macro(images, what):
    by_country = {}
    for record in images:
        by_country.setdefault(record["true_country"], []).append(record[what])
    return sum(sum(answers) / len(answers) for answers in by_country.values()) / len(by_country)


def plain_median(far):
    """By the definition: the k-th smallest and largest, k by exact binomial sums."""
    ordered, n = sorted(far), len(far)
    k = total = 0
    while total + math.comb(n, k) <= Fraction(25, 1000) * 2**n:
        total += math.comb(n, k)
        k += 1
    return {
        "value": (ordered[(n - 1) // 2] + ordered[n // 2]) / 2,
        "low": ordered[k - 1] if k else 0.0,
        "high": ordered[n - k] if k else math.inf,
    }


def plain_distance(images):
    judged = [record for record in images if record["has_coordinates"]]
    far = [math.inf if math.isnan(r["distance_km"]) else r["distance_km"] for r in judged]
    measured = [distance for distance in far if distance < math.inf]
    median = {name: end if end < math.inf else None for name, end in plain_median(far).items()}
    return {
        "n": len(judged),
        "median_km": median,
        "mean_km": sum(measured) / len(measured),
        "mean_km_n": len(measured),
        "geoscore": sum(5000 * math.exp(-distance / 1492.7) for distance in far) / len(far),
        "share_within_km": [
            {"name": name, "threshold_km": threshold}
            | plain_share(distance <= threshold for distance in far)
            | {"ceiling": sum(r["nearest_candidate_km"] <= threshold for r in judged) / len(far)}
            for name, threshold in THRESHOLDS
        ],
    }


def plain_calibration(images, num_bins=15):
    known = [record for record in images if record["predicted_country"]]
    bins, error = [], 0.0
    edges = np.linspace(0, 1, num_bins + 1).tolist()
    for low, high in itertools.pairwise(edges):
        inside = [record for record in known if low < record["country_probability"] <= high]
        entry = {"low": low, "high": high, "n": len(inside), "confidence": None, "accuracy": None}
        if inside:
            entry["confidence"] = sum(r["country_probability"] for r in inside) / len(inside)
            entry["accuracy"] = sum(r["country_correct"] for r in inside) / len(inside)
            error += len(inside) * abs(entry["confidence"] - entry["accuracy"])
        bins.append(entry)
    return {"ece": error / len(known), "n": len(known), "bins": bins}


def plain_summary(images):
    country_correct = [record for record in images if record["country_correct"]]
    continents = sorted({record["true_continent"] for record in images})
    return {
        "version": VERSION,
        "num_images": len(images),
        "num_unreadable": sum(not record["readable"] for record in images),
        "num_without_coordinates": sum(not record["has_coordinates"] for record in images),
        "country_accuracy": plain_accuracy(images, "country_correct", "country_reachable"),
        "city_accuracy": plain_accuracy(images, "city_correct", "city_reachable"),
        "hierarchical_accuracy": plain_accuracy(country_correct, "city_correct", "city_reachable"),
        "distance": plain_distance(images),
        "calibration": plain_calibration(images),
        "by_continent": [
            {"continent": continent}
            | plain_share(r["country_correct"] for r in images if r["true_continent"] == continent)
            for continent in continents
        ],
    }
