"""Build class weights of the candidates, and multiply exactly by them.

Sums of floats depend on their order, and so on threads, blocks and library. Here they are exact:
float16 features are multiples of 2⁻²⁴ and weights are rounded to multiples of 2⁻²⁸, so products
are multiples of 2⁻⁵², and partial sums of unit vectors, below 2, fit float64. An image's scores
have the same bits in every batch and process.

Shapes: N images, C countries, M cities (grouped by country), P cities of the largest country,
D embedding.
"""

import logging
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from streetclip.captions.prompts import PromptSet
from streetclip.data.candidates import Candidates
from streetclip.errors import ModelError
from streetclip.models import DualEncoder, class_features
from streetclip.models.prompt_texts import CityName, check_country_prompts, fit_city_prompts
from streetclip.progress import Progress, no_progress

_LOG = logging.getLogger(__name__)

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_WEIGHT_UNITS = 2.0**28
# Most multiplications that numpy's OpenBLAS leaves to one thread.
_MOST_UNSHARED = 2**18


@dataclass(frozen=True)
class PlaceClassifier:
    """Class weights of the candidates, encoded once a run."""

    country_features_CD: torch.Tensor  # L2-normalised, float32
    city_features_MD: torch.Tensor  # L2-normalised, float32, grouped by country
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
    of_city_M = candidates.city_country_M.tolist()
    named = [
        CityName(city, region, countries[country])
        for city, region, country in zip(cities, candidates.city_regions, of_city_M, strict=True)
    ]
    city_texts = fit_city_prompts(encoder.text_reader, prompts, named)
    return PlaceClassifier(
        country_features_CD=class_features(encoder, country_texts),
        city_features_MD=class_features(encoder, city_texts, progress=progress),
        city_country_M=torch.from_numpy(candidates.city_country_M).to(encoder.device),
        logit_scale=encoder.logit_scale,
    )


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
