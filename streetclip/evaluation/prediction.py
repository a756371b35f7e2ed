"""From image features to a place: three strategies over the same features.

Shapes: N images, C countries, M cities (grouped by country), K best kept, D embedding.

Source: hierarchical linear probing of Haas et al. 2023 (arXiv 2302.00275), section 4.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class PlaceClassifier:
    """Class weights of the candidates, encoded once a run.

    Attributes:
        country_features_CD: L2-normalised, float32.
        city_features_MD: L2-normalised, float32, grouped by country.
        city_country_M: Index of each city's country, ascending.
        logit_scale: The model's own; softmax is taken at it.
    """

    country_features_CD: torch.Tensor
    city_features_MD: torch.Tensor
    city_country_M: torch.Tensor
    logit_scale: float


@dataclass(frozen=True)
class Scores:
    """What a strategy makes of a batch, before anyone decides.

    Attributes:
        country_scores_NC: What ranks the countries; higher is better.
        country_probabilities_NC: Sum to one over the countries.
        city_logits_NM: Scaled similarities to the city prompts.
        city_probabilities_NM: Sum to one within each country.
    """

    country_scores_NC: torch.Tensor
    country_probabilities_NC: torch.Tensor
    city_logits_NM: torch.Tensor
    city_probabilities_NM: torch.Tensor


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
    image_features_ND: torch.Tensor,
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

    Args:
        image_features_ND: L2-normalised, float32.
        classifier: Class weights.
        strategy: One of `streetclip.config.STRATEGIES`.
        true_country_N: Index of the true country, −1 where it is no candidate.
        true_city_N: Index of the true city, −1 where it is no candidate.
        top_k: Best countries and cities to keep.
    """
    scores = score(image_features_ND, classifier, strategy)
    city_country_M = classifier.city_country_M
    country_N = scores.country_scores_NC.argmax(dim=1)
    in_country_NM = city_country_M[None, :] == country_N[:, None]
    within_NM = scores.city_probabilities_NM.masked_fill(~in_country_NM, -1.0)
    city_N = scores.city_logits_NM.masked_fill(~in_country_NM, -torch.inf).argmax(dim=1)
    if strategy == "flat":
        over_all_NM = scores.city_logits_NM.softmax(dim=1)
        top_cities = over_all_NM.topk(min(top_k, over_all_NM.shape[1]))
    else:
        top_cities = within_NM.topk(min(top_k, within_NM.shape[1]))
    top_countries_NK = _best(scores.country_scores_NC, top_k)
    same_country_NM = torch.from_numpy(true_country_N).to(city_N.device)[:, None] == city_country_M
    return Predictions(
        country_N=country_N.cpu().numpy(),
        city_N=city_N.cpu().numpy(),
        country_probability_N=_pick(scores.country_probabilities_NC, country_N),
        city_probability_N=_pick(scores.city_probabilities_NM, city_N),
        true_country_rank_N=rank_of(scores.country_scores_NC, true_country_N),
        true_city_rank_N=rank_of(
            scores.city_logits_NM.masked_fill(~same_country_NM, -torch.inf), true_city_N
        ),
        top_countries_NK=top_countries_NK.cpu().numpy(),
        top_country_probabilities_NK=_gather(scores.country_probabilities_NC, top_countries_NK),
        top_cities_NK=top_cities.indices.masked_fill(top_cities.values < 0, -1).cpu().numpy(),
        top_city_probabilities_NK=top_cities.values.cpu().numpy(),
    )


def score(image_features_ND: torch.Tensor, classifier: PlaceClassifier, strategy: str) -> Scores:
    """Score every candidate for every image."""
    scaled_ND = image_features_ND.float() * classifier.logit_scale
    city_logits_NM = scaled_ND @ classifier.city_features_MD.T
    num_countries = classifier.country_features_CD.shape[0]
    log_sums_NC = _log_sum_by_country(city_logits_NM, classifier.city_country_M, num_countries)
    city_probabilities_NM = (city_logits_NM - log_sums_NC[:, classifier.city_country_M]).exp()
    if strategy == "hierarchical":
        country_scores_NC = scaled_ND @ classifier.country_features_CD.T
        country_probabilities_NC = country_scores_NC.softmax(dim=1)
    else:
        country_probabilities_NC = log_sums_NC.softmax(dim=1)
        country_scores_NC = log_sums_NC
        if strategy == "flat":
            country_scores_NC = _best_by_country(
                city_logits_NM, classifier.city_country_M, num_countries
            )
    return Scores(
        country_scores_NC, country_probabilities_NC, city_logits_NM, city_probabilities_NM
    )


def rank_of(scores_NC: torch.Tensor, true_N: Int64) -> Int64:
    """Rank of the true class, 1 for the best, 0 where it is no candidate (index −1).

    Of equal scores the lower index comes first, as argmax has it.
    """
    true_index_N = torch.from_numpy(true_N).to(scores_NC.device)
    known_N = true_index_N >= 0
    true_index_N1 = true_index_N.clamp(min=0)[:, None]
    true_scores_N1 = scores_NC.gather(1, true_index_N1)
    positions_C = torch.arange(scores_NC.shape[1], device=scores_NC.device)
    ahead_NC = (scores_NC > true_scores_N1) | (
        (scores_NC == true_scores_N1) & (positions_C < true_index_N1)
    )
    ranks: Int64 = ((1 + ahead_NC.sum(dim=1)) * known_N).cpu().numpy()
    return ranks


def _best_by_country(
    city_logits_NM: torch.Tensor, city_country_M: torch.Tensor, num_countries: int
) -> torch.Tensor:
    best_NC = city_logits_NM.new_full((city_logits_NM.shape[0], num_countries), -torch.inf)
    index_NM = city_country_M.expand_as(city_logits_NM)
    return best_NC.scatter_reduce(1, index_NM, city_logits_NM, reduce="amax")


def _log_sum_by_country(
    city_logits_NM: torch.Tensor, city_country_M: torch.Tensor, num_countries: int
) -> torch.Tensor:
    best_NC = _best_by_country(city_logits_NM, city_country_M, num_countries)
    shifted_NM = (city_logits_NM - best_NC[:, city_country_M]).exp()
    sums_NC = torch.zeros_like(best_NC).index_add(1, city_country_M, shifted_NM)
    return best_NC + sums_NC.log()


def _best(scores_NC: torch.Tensor, top_k: int) -> torch.Tensor:
    # A stable sort keeps the lower index first among equals, so that the first is argmax's.
    order_NC = scores_NC.sort(dim=1, descending=True, stable=True).indices
    return order_NC[:, :top_k]


def _pick(values_NC: torch.Tensor, index_N: torch.Tensor) -> Float32:
    picked: Float32 = values_NC.gather(1, index_N[:, None])[:, 0].cpu().numpy()
    return picked


def _gather(values_NC: torch.Tensor, index_NK: torch.Tensor) -> Float32:
    gathered: Float32 = values_NC.gather(1, index_NK).cpu().numpy()
    return gathered
