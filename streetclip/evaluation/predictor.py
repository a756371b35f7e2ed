"""Predict places from image features by three strategies, with the same bits in every batch.

Sums of floats depend on their order, and so on threads, blocks and library. Here they are exact:
float16 features are multiples of 2⁻²⁴ and weights are rounded to multiples of 2⁻²⁸, so products
are multiples of 2⁻⁵², and partial sums of unit vectors, below 2, fit float64.

Shapes: N images, C countries, M cities (grouped by country), P cities of the largest country,
K best kept, R images scored against one country each, D embedding.

Source: hierarchical linear probing of Haas et al. 2023 (arXiv 2302.00275), section 4.
"""

import logging
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from streetclip.captions.prompts import PromptSet
from streetclip.data.candidates import Candidates, Float64, Int64
from streetclip.errors import ModelError
from streetclip.models.encoder import DualEncoder
from streetclip.models.prompt_texts import (
    CityName,
    check_country_prompts,
    class_features,
    fit_city_prompts,
)
from streetclip.progress import Progress, no_progress

_LOG = logging.getLogger(__name__)

Float32 = NDArray[np.float32]

_WEIGHT_UNITS = 2.0**28
# Most multiplications that numpy's OpenBLAS leaves to one thread.
_MOST_UNSHARED = 2**18
# Scores at a time: an array that fits the processor's cache.
_MOST_SCORES = 2**20


@dataclass(frozen=True)
class PlaceClassifier:
    """Class weights of the candidates, encoded once a run."""

    country_features_CD: torch.Tensor  # unit vectors, float32
    city_features_MD: torch.Tensor  # the same, grouped by country
    city_country_M: torch.Tensor  # index of each city's country, ascending; none without a city
    logit_scale: float  # the model's own

    @cached_property
    def country_weights_CD(self) -> Float64:
        """Countries' weights for exact products."""
        return _exact_weights(self.country_features_CD)

    @cached_property
    def city_weights_MD(self) -> Float64:
        """Cities' weights for exact products."""
        return _exact_weights(self.city_features_MD)

    @cached_property
    def city_offsets(self) -> Int64:
        """C + 1 bounds of each country's cities; ValueError if not grouped."""
        num_countries = len(self.country_features_CD)
        country_M = self.city_country_M.cpu().numpy().astype(np.int64)
        counts = np.bincount(country_M, minlength=num_countries)
        if (np.diff(country_M) < 0).any() or len(counts) > num_countries or not counts.all():
            msg = f"expected the cities of {num_countries} countries, grouped, at least one each"
            raise ValueError(msg)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    @cached_property
    def most_cities(self) -> int:
        """P, the number of cities of the largest country."""
        return int(np.diff(self.city_offsets).max())


def build_classifier(
    encoder: DualEncoder,
    candidates: Candidates,
    prompts: PromptSet,
    progress: Progress = no_progress,
) -> PlaceClassifier:
    """Encode all candidates; TemplateError if a country in a prompt is not read."""
    countries, cities = candidates.country_names, candidates.city_names
    _LOG.info("encoding the prompts of %d countries, %d cities", len(countries), len(cities))
    country_texts = check_country_prompts(encoder.text_reader, prompts, countries)
    of_city = [countries[country] for country in candidates.city_country_M.tolist()]
    named = map(CityName, cities, candidates.city_regions, of_city)
    city_texts = fit_city_prompts(encoder.text_reader, prompts, list(named))
    return PlaceClassifier(
        country_features_CD=class_features(encoder, country_texts),
        city_features_MD=class_features(encoder, city_texts, progress),
        city_country_M=torch.from_numpy(candidates.city_country_M).to(encoder.device),
        logit_scale=encoder.logit_scale,
    )


@dataclass(frozen=True)
class Predictions:
    """Decisions for N images, rankings best first.

    Rankings of cities are of the predicted country, with the probability within it (−1 pads those
    of few cities); of `flat`, of all cities, with the probability over all.
    """

    country_N: Int64  # index of the predicted country
    city_N: Int64  # index of the predicted city, in that country
    country_probability_N: Float32  # over the countries, 0..1
    city_probability_N: Float32  # within the predicted country, 0..1
    true_country_rank_N: Int64  # 1 is best; 0 is no candidate
    true_city_rank_N: Int64  # among the cities of the true country; 0 is no candidate
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
    """Choose a country and a city for each image.

    * `hierarchical`: the country by the country prompts, then the best city of that country.
    * `flat`: the best of all cities; its country is the predicted one.
    * `marginal`: a country's probability is the sum over its cities; then its best city.

    Of equal scores, the lower index wins. Predictions have the same bits in every batch. Features
    are L2-normalised, NaN raises ModelError; true indices are −1 for none; `top_k` are kept.
    """
    width = len(classifier.city_features_MD)  # most scores of an image
    if strategy == "hierarchical":
        width = max(len(classifier.country_features_CD), classifier.most_cities)
    block_rows = max(1, _MOST_SCORES // width)
    parts = []
    # At least one block, for the shapes.
    for start in range(0, max(len(image_features_ND), 1), block_rows):
        rows = slice(start, start + block_rows)
        features_ND = exact_features(image_features_ND[rows])
        truth = true_country_N[rows], true_city_N[rows]
        parts.append(_decide(features_ND, classifier, strategy, truth, top_k))
    names = [each.name for each in fields(Predictions)]
    return Predictions(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def rank_of(scores_NC: Float64, true_N: Int64) -> Int64:
    """Rank the true class: 1 is best, 0 no candidate."""
    true_N1 = np.maximum(true_N, 0)[:, None]
    true_scores_N1 = np.take_along_axis(scores_NC, true_N1, axis=1)
    is_ahead_NC = scores_NC > true_scores_N1
    is_ahead_NC |= (scores_NC == true_scores_N1) & (np.arange(scores_NC.shape[1]) < true_N1)
    rank_N: Int64 = np.where(true_N >= 0, 1 + is_ahead_NC.sum(axis=1), 0)
    return rank_N


def _score(
    features_ND: Float64, classifier: PlaceClassifier, strategy: str
) -> tuple[Float64, Float64, Float64 | None]:
    """Get scores that rank countries, their logits, and those of competing cities."""
    if strategy == "hierarchical":
        logits_NC = country_logits(features_ND, classifier)
        return logits_NC, logits_NC, None
    logits_NM = city_logits(features_ND, classifier)
    first_city_C = classifier.city_offsets[:-1]
    best_NC = np.maximum.reduceat(logits_NM, first_city_C, axis=1)
    # Log-sum-exp over each country's cities.
    num_cities_C = np.diff(classifier.city_offsets)
    shifted_NM = np.exp(logits_NM - np.repeat(best_NC, num_cities_C, axis=1))
    log_sums_NC = best_NC + np.log(np.add.reduceat(shifted_NM, first_city_C, axis=1))
    if strategy == "flat":
        return best_NC, log_sums_NC, logits_NM
    return log_sums_NC, log_sums_NC, None


def _decide(
    features_ND: Float64,
    classifier: PlaceClassifier,
    strategy: str,
    truth: tuple[Int64, Int64],
    top_k: int,
) -> Predictions:
    """Decide one block, whose true countries and cities are `truth`."""
    ranking_NC, logits_NC, rival_logits_NM = _score(features_ND, classifier, strategy)
    top_countries_NK = _best(ranking_NC, top_k)
    top_country_probabilities_NK = _softmax_at(logits_NC, top_countries_NK)
    country_N = top_countries_NK[:, 0]
    city_logits_NP, true_city_rank_N = _of_two_countries(features_ND, classifier, country_N, *truth)
    cities_NK, probabilities_NK = _best_within(city_logits_NP, classifier, country_N, top_k)
    top_cities_NK, top_city_probabilities_NK = cities_NK, probabilities_NK
    if rival_logits_NM is not None:
        top_cities_NK = _best(rival_logits_NM, top_k)
        top_city_probabilities_NK = _softmax_at(rival_logits_NM, top_cities_NK)
    return Predictions(
        country_N=country_N,
        city_N=cities_NK[:, 0],
        country_probability_N=top_country_probabilities_NK[:, 0],
        city_probability_N=probabilities_NK[:, 0],
        true_country_rank_N=rank_of(ranking_NC, truth[0]),
        true_city_rank_N=true_city_rank_N,
        top_countries_NK=top_countries_NK,
        top_country_probabilities_NK=top_country_probabilities_NK,
        top_cities_NK=top_cities_NK,
        top_city_probabilities_NK=top_city_probabilities_NK,
    )


def _of_two_countries(
    features_ND: Float64,
    classifier: PlaceClassifier,
    country_N: Int64,
    true_country_N: Int64,
    true_city_N: Int64,
) -> tuple[Float64, Int64]:
    """Score the predicted country's cities, N × P; rank the true ones."""
    num_images = len(country_N)
    everyone_N = np.arange(num_images)
    is_known_N = true_city_N >= 0
    others = np.flatnonzero(is_known_N & (true_country_N != country_N))
    logits_RP = city_logits_of(
        features_ND,
        classifier,
        np.concatenate([everyone_N, others]),
        np.concatenate([country_N, true_country_N[others]]),
    )
    row_of_truth_N = everyone_N.copy()
    row_of_truth_N[others] = num_images + np.arange(len(others))
    within_N = true_city_N - classifier.city_offsets[true_country_N]
    rank_N = rank_of(logits_RP[row_of_truth_N], np.where(is_known_N, within_N, -1))
    return logits_RP[:num_images], rank_N


def _best_within(
    logits_NP: Float64, classifier: PlaceClassifier, country_N: Int64, top_k: int
) -> tuple[Int64, Float32]:
    """List the best cities of each country, padded with −1."""
    num_listed = min(top_k, len(classifier.city_features_MD))
    top_NK = _best(logits_NP, num_listed)
    first_N, past_N = classifier.city_offsets[country_N], classifier.city_offsets[country_N + 1]
    is_city_NK = np.arange(top_NK.shape[1]) < (past_N - first_N)[:, None]
    cities_NK = np.where(is_city_NK, first_N[:, None] + top_NK, -1)
    probabilities_NK = np.where(is_city_NK, _softmax_at(logits_NP, top_NK), np.float32(-1))
    missing = ((0, 0), (0, num_listed - top_NK.shape[1]))
    return (
        np.pad(cities_NK, missing, constant_values=-1),
        np.pad(probabilities_NK, missing, constant_values=-1),
    )


def _best(scores_NC: Float64, top_k: int) -> Int64:
    """Get indices of the highest scores, N × K; among equals, ascending."""
    left_NC = scores_NC.copy()
    num_images, num_classes = left_NC.shape
    everyone_N = np.arange(num_images)
    best_NK = np.empty((num_images, min(top_k, num_classes)), np.int64)
    for column_N in best_NK.T:
        column_N[:] = left_NC.argmax(axis=1)
        left_NC[everyone_N, column_N] = -np.inf
    return best_NK


def _softmax_at(logits_NC: Float64, index_NK: Int64) -> Float32:
    """Get chosen probabilities of a softmax over all classes."""
    highest_N1 = logits_NC.max(axis=1, keepdims=True)
    sums_N1 = np.exp(logits_NC - highest_N1).sum(axis=1, keepdims=True)
    picked_NK = np.take_along_axis(logits_NC, index_NK, axis=1)
    probabilities_NK: Float64 = np.exp(picked_NK - highest_N1) / sums_N1
    return probabilities_NK.astype(np.float32)


def exact_features(image_features_ND: torch.Tensor | NDArray[np.floating]) -> Float64:
    """Round unit features to float16, for exact products; raise ModelError for NaN."""
    if isinstance(image_features_ND, torch.Tensor):
        image_features_ND = image_features_ND.to(torch.float16).cpu().numpy()
    return _finite(image_features_ND.astype(np.float16, copy=False).astype(np.float64), "images")


def country_logits(features_ND: Float64, classifier: PlaceClassifier) -> Float64:
    """Scale similarities to the prompts of all countries, N × C."""
    return features_ND @ classifier.country_weights_CD.T * classifier.logit_scale


def city_logits(features_ND: Float64, classifier: PlaceClassifier) -> Float64:
    """Scale similarities to the prompts of all cities, N × M."""
    return features_ND @ classifier.city_weights_MD.T * classifier.logit_scale


def city_logits_of(
    features_ND: Float64, classifier: PlaceClassifier, rows_R: Int64, country_R: Int64
) -> Float64:
    """Score R images against the cities of one country each, R × P.

    Images are given by position, `rows_R`. A country's cities come first in a row, then −inf. One
    matrix product for each country.
    """
    order_R = np.argsort(country_R, kind="stable")
    present, starts = np.unique(country_R[order_R], return_index=True)
    stops = np.append(starts, len(rows_R))[1:]
    logits_RP = np.full((len(rows_R), classifier.most_cities), -np.inf)
    for country, start, stop in zip(present, starts, stops, strict=True):
        first, last = classifier.city_offsets[country : country + 2]
        weights_MD = classifier.city_weights_MD[first:last]
        step = max(1, _MOST_UNSHARED // weights_MD.size)
        for low in range(start, stop, step):
            tile = order_R[low : min(low + step, stop)]
            logits_RP[tile, : last - first] = features_ND[rows_R[tile]] @ weights_MD.T
    return logits_RP * classifier.logit_scale


def _exact_weights(features: torch.Tensor) -> Float64:
    doubles = _finite(features.detach().cpu().double().numpy(), "prompts")
    return np.rint(doubles * _WEIGHT_UNITS) / _WEIGHT_UNITS


def _finite(features: Float64, what: str) -> Float64:
    if not np.isfinite(features.sum()):
        msg = (
            f"the model's features of {what} are not numbers, as of a training that diverged or a "
            "precision that is too low. Name another checkpoint, or add --precision fp32."
        )
        raise ModelError(msg)
    return features
