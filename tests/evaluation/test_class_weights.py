"""Exact products with class weights, against sums of fractions and of plain loops."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from streetclip.errors import ModelError
from streetclip.evaluation import predictor
from streetclip.evaluation.predictor import (
    PlaceClassifier,
    city_logits,
    city_logits_of,
    country_logits,
    exact_features,
)

CITIES_OF = [2, 4, 1]  # of three countries
COUNTRY_OF = [0, 0, 1, 1, 1, 1, 2]
D, N, SCALE = 37, 9, 13.0


def unit(rows, seed):
    drawn = torch.randn(rows, D, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=1)


@pytest.fixture
def classifier():
    return PlaceClassifier(unit(3, 1), unit(7, 2), torch.tensor(COUNTRY_OF), SCALE)


@pytest.fixture
def features():
    return exact_features(unit(N, 3))


def fraction_logit(image, text):
    """Scaled product of a float16 feature with a weight rounded to 2⁻²⁸, without rounding."""
    weights = [Fraction(round(Fraction(float(w)) * 2**28), 2**28) for w in text]
    exact = sum(Fraction(float(x)) * w for x, w in zip(image, weights, strict=True))
    return float(exact) * SCALE


def test_logits_of_countries_and_cities_are_exact_sums(classifier, features):
    for found, texts in (
        (country_logits(features, classifier), classifier.country_features_CD),
        (city_logits(features, classifier), classifier.city_features_MD),
    ):
        expected = [[fraction_logit(image, text) for text in texts] for image in features]
        assert found.tolist() == expected


def test_the_bits_do_not_depend_on_the_images_beside_one(classifier, features):
    whole = city_logits(features, classifier)
    for order in ([8, 0, 3], [5], list(range(8, -1, -1))):
        assert (city_logits(features[order], classifier) == whole[order]).all()


@pytest.mark.parametrize("most", [1, 3 * D, 2**18])
def test_logits_within_a_country_are_those_of_its_cities(monkeypatch, classifier, features, most):
    monkeypatch.setattr(predictor, "_MOST_UNSHARED", most)
    rows, countries = np.array([3, 0, 3, 8, 1, 5]), np.array([1, 0, 2, 1, 1, 0])
    found = city_logits_of(features, classifier, rows, countries)
    whole = city_logits(features, classifier)
    assert found.shape == (6, 4)
    for each, row, country in zip(found, rows, countries, strict=True):
        members = [m for m in range(7) if COUNTRY_OF[m] == country]
        expected = [whole[row, m] for m in members]
        assert each.tolist() == expected + [-math.inf] * (4 - len(members))


def test_no_images_have_no_logits(classifier, features):
    nothing = np.empty(0, np.int64)
    assert city_logits_of(features, classifier, nothing, nothing).shape == (0, 4)


def test_the_cities_of_each_country_are_found_by_their_bounds(classifier):
    assert classifier.city_offsets.tolist() == [0, 2, 6, 7]
    assert classifier.most_cities == 4
    bounds = zip(classifier.city_offsets, classifier.city_offsets[1:], strict=False)
    assert [stop - start for start, stop in bounds] == CITIES_OF


@pytest.mark.parametrize(
    "countries", [[0, 1, 0, 1, 1, 1, 2], [0, 0, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 2, 3]]
)
def test_cities_that_are_not_grouped_by_all_countries_are_refused(countries):
    classifier = PlaceClassifier(unit(3, 1), unit(7, 2), torch.tensor(countries), SCALE)
    with pytest.raises(ValueError, match="expected the cities of 3 countries, grouped"):
        _ = classifier.city_offsets


def test_features_are_those_of_float16(features):
    expected = [[float(np.float16(x)) for x in row] for row in unit(N, 3).tolist()]
    assert features.dtype == np.float64
    assert features.tolist() == expected
    assert (exact_features(np.array(expected, np.float16)) == features).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_features_that_are_no_numbers_are_refused(classifier, bad):
    images, texts = unit(N, 3), unit(3, 1)
    images[4, 5] = texts[2, 0] = bad
    with pytest.raises(ModelError, match="features of images are not numbers"):
        exact_features(images)
    broken = PlaceClassifier(texts, unit(7, 2), torch.tensor(COUNTRY_OF), SCALE)
    with pytest.raises(ModelError, match=r"features of prompts are not numbers.*fp32"):
        _ = broken.country_weights_CD


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_weights_of_each_precision_are_as_the_model_made_them(precision):
    made = unit(7, 2).to({"fp32": torch.float32, "bf16": torch.bfloat16}[precision])
    classifier = PlaceClassifier(unit(3, 1), made, torch.tensor(COUNTRY_OF), SCALE)
    difference = np.abs(classifier.city_weights_MD - made.double().numpy())
    assert difference.max() <= 2.0**-29  # half a unit, which float32 has only for the largest


def test_a_classifier_with_other_weights_does_not_give_the_old_ones(classifier):
    """What is computed once belongs to one classifier, whose tensors nobody changes."""
    before = classifier.city_weights_MD
    other = dataclasses.replace(classifier, city_features_MD=unit(7, 9))
    assert not (other.city_weights_MD == before).any()
    with pytest.raises(dataclasses.FrozenInstanceError):
        classifier.city_features_MD = unit(7, 9)
