"""From image features to a place: three strategies over the same features.

Shapes: N images, C countries, M cities (grouped by country), P cities of the largest country,
K best kept, D embedding.

Source: hierarchical linear probing of Haas et al. 2023 (arXiv 2302.00275), section 4.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from streetclip.evaluation.class_weights import (
    Float32,
    Float64,
    Int64,
    PlaceClassifier,
    city_logits,
    city_logits_of,
    country_logits,
    exact_features,
)

__all__ = ["Float32", "Int64", "PlaceClassifier", "Predictions", "predict", "rank_of"]

# Of the largest array of scores at a time: what fits the processor's cache is scored fastest.
_MOST_SCORES = 2**20


@dataclass(frozen=True)
class Predictions:
    """Decisions for N images, as arrays.

    Attributes:
        country_N: Index of the predicted country.
        city_N: Index of the predicted city, of that country.
        country_probability_N: Over the countries, 0..1.
        city_probability_N: Within the predicted country, 0..1.
        true_country_rank_N: 1 for the best; 0 where the true country is no candidate.
        true_city_rank_N: Among the cities of the true country; 0 where it is no candidate.
        top_countries_NK, top_country_probabilities_NK: Best first.
        top_cities_NK, top_city_probabilities_NK: Best first. `hierarchical` and `marginal` list
            the cities of the predicted country, with the probability within it (−1 pads the list
            of a country of fewer than K); `flat` lists all, with the probability over all.
    """

    country_N: Int64
    city_N: Int64
    country_probability_N: Float32
    city_probability_N: Float32
    true_country_rank_N: Int64
    true_city_rank_N: Int64
    top_countries_NK: Int64
    top_country_probabilities_NK: Float32
    top_cities_NK: Int64
    top_city_probabilities_NK: Float32


def predict(
    image_features_ND: torch.Tensor | NDArray[np.floating],
    classifier: PlaceClassifier,
    strategy: str,
    *,
    true_country_N: Int64,
    true_city_N: Int64,
    top_k: int,
) -> Predictions:
    """Choose a country and a city for each image; among equals, the one of the lower index.

    * `hierarchical`: the country by the country prompts, then the best city of that country.
    * `flat`: the best of all cities; its country is the predicted one.
    * `marginal`: a country's probability is the sum over its cities; then its best city.

    What is predicted of an image is the same to the last bit whatever images come with it.

    Args:
        image_features_ND: L2-normalised; rounded to float16 here.
        classifier: Class weights.
        strategy: One of `streetclip.config.STRATEGIES`.
        true_country_N: Index of the true country, −1 where it is no candidate.
        true_city_N: Index of the true city, −1 where it is no candidate.
        top_k: Best countries and cities to keep.

    Raises:
        ModelError: Features are no numbers.
    """
    num_images = len(image_features_ND)
    block_rows = max(1, _MOST_SCORES // _width(classifier, strategy))
    parts = []
    # At least one block, which gives the arrays their shapes.
    for start in range(0, max(num_images, 1), block_rows):
        rows = slice(start, start + block_rows)
        features_ND = exact_features(image_features_ND[rows])
        scores = _scores(features_ND, classifier, strategy)
        parts.append(_decide(scores, classifier, true_country_N[rows], true_city_N[rows], top_k))
    return Predictions(
        *(
            np.concatenate([getattr(part, each.name) for part in parts])
            for each in fields(Predictions)
        )
    )


def rank_of(scores_NC: Float64, true_N: Int64) -> Int64:
    """Rank of the true class, 1 for the best, 0 where it is no candidate (index −1).

    Of equal scores the lower index comes first, as argmax has it.
    """
    true_N1 = np.maximum(true_N, 0)[:, None]
    true_scores_N1 = np.take_along_axis(scores_NC, true_N1, axis=1)
    is_ahead_NC = scores_NC > true_scores_N1
    is_ahead_NC |= (scores_NC == true_scores_N1) & (np.arange(scores_NC.shape[1]) < true_N1)
    rank_N: Int64 = np.where(true_N >= 0, 1 + is_ahead_NC.sum(axis=1), 0)
    return rank_N


@dataclass(frozen=True)
class _Scores:
    """What a strategy makes of a block, before anyone decides.

    Attributes:
        country_scores_NC: What ranks the countries; higher is better.
        country_logits_NC: Their softmax are the probabilities of the countries.
        city_logits_of: From R positions of images and an index of a country for each to the
            logits of its cities, R × P, as `class_weights.city_logits_of`.
        rival_logits_NM: Of all cities, where they compete with one another.
    """

    country_scores_NC: Float64
    country_logits_NC: Float64
    city_logits_of: Callable[[Int64, Int64], Float64]
    rival_logits_NM: Float64 | None = None


def _width(classifier: PlaceClassifier, strategy: str) -> int:
    """The largest number of scores that an image has at a time."""
    if strategy == "hierarchical":
        return max(len(classifier.country_features_CD), classifier.most_cities)
    return len(classifier.city_features_MD)


def _scores(features_ND: Float64, classifier: PlaceClassifier, strategy: str) -> _Scores:
    if strategy == "hierarchical":
        logits_NC = country_logits(features_ND, classifier)
        of_country = partial(city_logits_of, features_ND, classifier)
        return _Scores(logits_NC, logits_NC, of_country)
    logits_NM = city_logits(features_ND, classifier)
    best_NC = np.maximum.reduceat(logits_NM, classifier.city_offsets[:-1], axis=1)
    log_sums_NC = _log_sums(logits_NM, best_NC, classifier)
    of_country = partial(_select_cities, logits_NM, classifier)
    if strategy == "flat":
        return _Scores(best_NC, log_sums_NC, of_country, logits_NM)
    return _Scores(log_sums_NC, log_sums_NC, of_country)


def _log_sums(logits_NM: Float64, best_NC: Float64, classifier: PlaceClassifier) -> Float64:
    """Logarithm of the summed exponentials of each country's cities."""
    shifted_NM = np.exp(logits_NM - best_NC[:, classifier.country_of_city_M])
    sums_NC: Float64 = np.add.reduceat(shifted_NM, classifier.city_offsets[:-1], axis=1)
    return best_NC + np.log(sums_NC)


def _select_cities(
    logits_NM: Float64, classifier: PlaceClassifier, rows_R: Int64, country_R: Int64
) -> Float64:
    """As `city_logits_of`, out of the logits of all cities."""
    offsets = classifier.city_offsets
    index_RP = offsets[country_R][:, None] + np.arange(classifier.most_cities)
    is_other_RP = index_RP >= offsets[country_R + 1][:, None]
    index_RP[is_other_RP] = 0
    logits_RP: Float64 = logits_NM[rows_R[:, None], index_RP]
    logits_RP[is_other_RP] = -np.inf
    return logits_RP


def _decide(
    scores: _Scores,
    classifier: PlaceClassifier,
    true_country_N: Int64,
    true_city_N: Int64,
    top_k: int,
) -> Predictions:
    top_countries_NK = _best(scores.country_scores_NC, top_k)
    country_N = top_countries_NK[:, 0]
    city_logits_NP, true_city_rank_N = _of_two_countries(
        scores, classifier, country_N, true_country_N, true_city_N
    )
    within = _best_within(city_logits_NP, classifier, country_N, top_k)
    listed = within
    if scores.rival_logits_NM is not None:
        top_NK = _best(scores.rival_logits_NM, top_k)
        listed = top_NK, _softmax_at(scores.rival_logits_NM, top_NK)
    top_country_probabilities_NK = _softmax_at(scores.country_logits_NC, top_countries_NK)
    return Predictions(
        country_N=country_N,
        city_N=within[0][:, 0],
        country_probability_N=top_country_probabilities_NK[:, 0],
        city_probability_N=within[1][:, 0],
        true_country_rank_N=rank_of(scores.country_scores_NC, true_country_N),
        true_city_rank_N=true_city_rank_N,
        top_countries_NK=top_countries_NK,
        top_country_probabilities_NK=top_country_probabilities_NK,
        top_cities_NK=listed[0],
        top_city_probabilities_NK=listed[1],
    )


def _of_two_countries(
    scores: _Scores,
    classifier: PlaceClassifier,
    country_N: Int64,
    true_country_N: Int64,
    true_city_N: Int64,
) -> tuple[Float64, Int64]:
    """Logits of the predicted country's cities, N × P, and ranks of the true cities in theirs."""
    everyone_N = np.arange(len(country_N))
    is_known_N = true_city_N >= 0
    others = np.flatnonzero(is_known_N & (true_country_N != country_N))
    logits_RP = scores.city_logits_of(
        np.concatenate([everyone_N, others]), np.concatenate([country_N, true_country_N[others]])
    )
    row_of_truth_N = everyone_N.copy()
    row_of_truth_N[others] = len(country_N) + np.arange(len(others))
    within_N = true_city_N - classifier.city_offsets[true_country_N]
    return (
        logits_RP[: len(country_N)],
        rank_of(logits_RP[row_of_truth_N], np.where(is_known_N, within_N, -1)),
    )


def _best_within(
    logits_NP: Float64, classifier: PlaceClassifier, country_N: Int64, top_k: int
) -> tuple[Int64, Float32]:
    """The best cities of each image's country and their probabilities within it, −1 as filling."""
    num_images = len(logits_NP)
    num_listed = min(top_k, len(classifier.city_features_MD))
    top_NK = _best(logits_NP, num_listed)
    first_N, past_N = classifier.city_offsets[country_N], classifier.city_offsets[country_N + 1]
    cities_NK = np.full((num_images, num_listed), -1)
    probabilities_NK = np.full((num_images, num_listed), -1.0, np.float32)
    is_city_NK = np.arange(top_NK.shape[1]) < (past_N - first_N)[:, None]
    cities_NK[:, : top_NK.shape[1]] = np.where(is_city_NK, first_N[:, None] + top_NK, -1)
    probabilities_NK[:, : top_NK.shape[1]] = np.where(
        is_city_NK, _softmax_at(logits_NP, top_NK), np.float32(-1)
    )
    return cities_NK, probabilities_NK


def _best(scores_NC: Float64, top_k: int) -> Int64:
    """Indices of the highest scores, N × K; the lower one first among equals."""
    left_NC = scores_NC.copy()
    num_images, num_classes = left_NC.shape
    everyone_N = np.arange(num_images)
    best_NK = np.empty((num_images, min(top_k, num_classes)), np.int64)
    for column_N in best_NK.T:
        column_N[:] = left_NC.argmax(axis=1)
        left_NC[everyone_N, column_N] = -np.inf
    return best_NK


def _softmax_at(logits_NC: Float64, index_NK: Int64) -> Float32:
    """Some of the probabilities that sum to one over all classes."""
    highest_N1 = logits_NC.max(axis=1, keepdims=True)
    sums_N1 = np.exp(logits_NC - highest_N1).sum(axis=1, keepdims=True)
    picked_NK = np.take_along_axis(logits_NC, index_NK, axis=1)
    probabilities_NK: Float64 = np.exp(picked_NK - highest_N1) / sums_N1
    return probabilities_NK.astype(np.float32)
