"""All numbers of one evaluation: the body of `metrics.json`.

What counts:

- Every image counts in every accuracy. One that could not be read, or whose true place is not among
  the candidates, is wrong. Each accuracy has a ceiling: the share that a perfect model could reach
  with these candidates if every image could be read. The macro average has its own ceiling.
- Distances are judged on the images whose true place has coordinates (`distance.n`): where the
  truth is unknown, no answer could be right or wrong. `num_without_coordinates` counts the others;
  it depends on the data alone, never on the prediction. A judged image without a distance is
  within no threshold, has GeoScore 0 and counts as infinitely far in the median; the mean is over
  those that have a distance, with its own n. The ceiling of a share within a distance is the share
  of images with a candidate of any country that near.
- Calibration is judged on the images for which a country was predicted.

The dashboard computes the same figures of any choice of images with the same functions of
`streetclip.metrics`: `Proportion`, `macro_share`, `median_with_interval` or its ranks,
`geoscores` and `exact_sum`.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streetclip.geo import THRESHOLDS_KM
from streetclip.metrics.accuracy import count_by_group, macro_accuracy
from streetclip.metrics.arrays import boolean_array, text_array
from streetclip.metrics.calibration import expected_calibration_error, reliability_bins
from streetclip.metrics.intervals import Proportion, median_with_interval
from streetclip.metrics.scores import geoscores
from streetclip.metrics.sums import exact_mean

VERSION: Final = 2
"""Of the definitions. 1: ceilings of distances looked at the true country alone, medians had a
bootstrap interval, and macro averages no ceiling."""

_BOOLEANS = (
    "country_correct",
    "city_correct",
    "country_reachable",
    "city_reachable",
    "readable",
    "has_coordinates",
)
_TEXTS = ("true_country", "true_continent", "predicted_country")
_NUMBERS = ("country_probability", "distance_km", "nearest_candidate_km")


@dataclass(frozen=True, kw_only=True, eq=False)
class SummaryInput:
    """What happened to each of N images: arrays of length N, aligned.

    Attributes:
        country_correct: Predicted country = true country.
        city_correct: Country and city both right.
        country_reachable: The true country is a candidate.
        city_reachable: The true city is a candidate.
        readable: The image could be read and was predicted.
        true_country: ISO 3166-1 alpha-2 codes.
        true_continent: Names of continents.
        predicted_country: ISO codes; "" where nothing was predicted.
        country_probability: Of the predicted country, 0 to 1; NaN where nothing was predicted.
        distance_km: From the predicted place to the true one, ≥ 0; NaN where there is none.
        nearest_candidate_km: From the true place to the nearest candidate city of any country,
            ≥ 0; NaN where it is unknown.
        has_coordinates: The true place has coordinates (the image's own, or its city's).

    Raises:
        ValueError: Lengths differ, a dtype is wrong, a number is infinite or negative, or the
            arrays contradict one another (such as an unreadable image that is right).
    """

    country_correct: NDArray[np.bool_]
    city_correct: NDArray[np.bool_]
    country_reachable: NDArray[np.bool_]
    city_reachable: NDArray[np.bool_]
    readable: NDArray[np.bool_]
    true_country: NDArray[Any]
    true_continent: NDArray[Any]
    predicted_country: NDArray[Any]
    country_probability: NDArray[np.float64]
    distance_km: NDArray[np.float64]
    nearest_candidate_km: NDArray[np.float64]
    has_coordinates: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Bring every array to its one dtype and refuse contradictions."""
        for name in _BOOLEANS:
            object.__setattr__(self, name, boolean_array(getattr(self, name), name))
        for name in _TEXTS:
            object.__setattr__(self, name, text_array(getattr(self, name), name))
        for name in _NUMBERS:
            object.__setattr__(self, name, _number_array(getattr(self, name), name))
        for name in (*_BOOLEANS, *_TEXTS, *_NUMBERS):
            length = len(getattr(self, name))
            if length != self.num_images:
                msg = f"{name} has length {length}, country_correct {self.num_images}"
                raise ValueError(msg)
        _refuse_contradictions(self)

    @property
    def num_images(self) -> int:
        """N."""
        return len(self.country_correct)


def _number_array(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Take a one-dimensional array of finite numbers ≥ 0, or NaN."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or np.any(np.isinf(array)) or np.any(array < 0):
        msg = f"{name}: expected one dimension, and finite numbers ≥ 0 or NaN"
        raise ValueError(msg)
    return array


def _refuse_contradictions(data: SummaryInput) -> None:
    """Raise ValueError for the first image whose values cannot all be true."""
    predicted = data.predicted_country != ""
    named_right = data.predicted_country == data.true_country
    measured = ~np.isnan(data.distance_km)
    impossible = {
        "country_correct differs from predicted_country = true_country": data.country_correct
        != (predicted & named_right),
        "city right but country wrong": data.city_correct & ~data.country_correct,
        "country right but no candidate": data.country_correct & ~data.country_reachable,
        "city right but no candidate": data.city_correct & ~data.city_reachable,
        "city a candidate but its country not": data.city_reachable & ~data.country_reachable,
        "unreadable but predicted": predicted & ~data.readable,
        "predicted without a probability, or the reverse": predicted
        == np.isnan(data.country_probability),
        "a distance without a prediction": measured & ~predicted,
        "a distance without true coordinates": measured & ~data.has_coordinates,
        "a nearest candidate without true coordinates": ~np.isnan(data.nearest_candidate_km)
        & ~data.has_coordinates,
    }
    for what, wrong in impossible.items():
        if np.any(wrong):
            msg = f"image at position {int(np.argmax(wrong))}: {what}"
            raise ValueError(msg)


def summarise(data: SummaryInput) -> dict[str, Any]:
    """Compute every metric of one evaluation.

    Args:
        data: What happened to each image; any N, 0 included.

    Returns:
        Plain values for `json.dumps(…, allow_nan=False)`; None where a number does not exist
        (no image to judge) or is infinite. Shares, intervals (Wilson 95 %), ceilings and macro
        averages are 0 to 1, distances in km::

            version                              `VERSION` of these definitions
            num_images, num_unreadable, num_without_coordinates
            country_accuracy, city_accuracy      over all images
            hierarchical_accuracy                city right, over the images whose country is right
                {value, low, high, successes, n, ceiling, macro, macro_ceiling}
                ceiling: share of those n whose true country (city for the last two) is a candidate
                macro: mean over the true countries among those n of the country's own value
                macro_ceiling: the same mean of the country's own ceiling
            distance
                n                                images whose true place has coordinates
                median_km {value, low, high}     95 % interval by order statistics; a missing
                    distance is infinite, so that a high of None beside n > 0 means no upper bound
                mean_km, mean_km_n               over the images that have a distance
                geoscore                         mean over n, 0 to 5000
                share_within_km [{name, threshold_km, value, low, high, successes, n, ceiling}]
                    ceiling: share of n with a candidate city of any country that near; None if
                    the nearest candidate of one of them is unknown
            calibration {ece, n, bins [{low, high, n, confidence, accuracy}]}
            by_continent [{continent, value, low, high, successes, n}]  country accuracy, by name
    """
    return {
        "version": VERSION,
        "num_images": data.num_images,
        "num_unreadable": int(np.count_nonzero(~data.readable)),
        "num_without_coordinates": int(np.count_nonzero(~data.has_coordinates)),
        **_accuracies(data),
        "distance": _distance(data),
        "calibration": _calibration(data),
        "by_continent": _by_continent(data),
    }


def _accuracies(data: SummaryInput) -> dict[str, Any]:
    """Country, city and hierarchical accuracy."""
    right = data.country_correct
    return {
        "country_accuracy": _accuracy(
            data.country_correct, data.country_reachable, data.true_country
        ),
        "city_accuracy": _accuracy(data.city_correct, data.city_reachable, data.true_country),
        "hierarchical_accuracy": _accuracy(
            data.city_correct[right], data.city_reachable[right], data.true_country[right]
        ),
    }


def _accuracy(
    correct: NDArray[np.bool_], reachable: NDArray[np.bool_], country: NDArray[np.str_]
) -> dict[str, Any]:
    """One accuracy with its interval, ceiling and average over true countries."""
    return {
        **Proportion.of(correct).to_dict(),
        "ceiling": Proportion.of(reachable).value,
        "macro": macro_accuracy(correct, country),
        "macro_ceiling": macro_accuracy(reachable, country),
    }


def _distance(data: SummaryInput) -> dict[str, Any]:
    """Everything about distance, over the images whose true place has coordinates."""
    distance_km = data.distance_km[data.has_coordinates]
    nearest_km = data.nearest_candidate_km[data.has_coordinates]
    measured = distance_km[~np.isnan(distance_km)]
    is_known = not np.isnan(nearest_km).any()
    return {
        "n": distance_km.size,
        "median_km": _median(distance_km),
        "mean_km": exact_mean(measured),
        "mean_km_n": measured.size,
        "geoscore": exact_mean(geoscores(distance_km)),
        "share_within_km": [
            {
                "name": name,
                "threshold_km": threshold_km,
                **Proportion.of(distance_km <= threshold_km).to_dict(),
                "ceiling": Proportion.of(nearest_km <= threshold_km).value if is_known else None,
            }
            for name, threshold_km in THRESHOLDS_KM.items()
        ],
    }


def _median(distance_km: NDArray[np.float64]) -> dict[str, float | None]:
    """Median with its interval; NaN counts as infinitely far, infinite becomes None."""
    median = median_with_interval(np.where(np.isnan(distance_km), np.inf, distance_km))
    ends = {"value": median.value, "low": median.low, "high": median.high}
    return {name: value if math.isfinite(value) else None for name, value in ends.items()}


def _calibration(data: SummaryInput) -> dict[str, Any]:
    """Reliability of the predicted country's probability, over the images that have one."""
    known = ~np.isnan(data.country_probability)
    bins = reliability_bins(data.country_probability[known], data.country_correct[known])
    return {
        "ece": expected_calibration_error(bins),
        "n": int(np.count_nonzero(known)),
        "bins": [each.to_dict() for each in bins],
    }


def _by_continent(data: SummaryInput) -> list[dict[str, Any]]:
    """Country accuracy by true continent, in the order of their names."""
    counts = count_by_group(data.country_correct, data.true_continent)
    return [
        {"continent": continent, **proportion.to_dict()}
        for continent, proportion in counts.proportions().items()
    ]
