"""The batched prediction against plain loops over lists of floats."""

import math

import numpy as np
import pytest
import torch

from streetclip.config import STRATEGIES
from streetclip.evaluation.prediction import PlaceClassifier, predict, rank_of

CITIES_OF = [3, 1, 5, 2]  # of four countries; eleven cities
NUM_IMAGES = 17
TOP_K = 3


@pytest.fixture(scope="module")
def world():
    generator = torch.Generator().manual_seed(7)

    def unit(rows):
        return torch.nn.functional.normalize(torch.randn(rows, 6, generator=generator), dim=1)

    city_country = [c for c, n in enumerate(CITIES_OF) for _ in range(n)]
    classifier = PlaceClassifier(unit(4), unit(11), torch.tensor(city_country), logit_scale=9.0)
    random = np.random.default_rng(3)
    true_city = random.integers(-1, 11, NUM_IMAGES)
    true_country = np.array([city_country[c] if c >= 0 else -1 for c in true_city])
    return unit(NUM_IMAGES), classifier, true_country, true_city


def predicted(world, strategy):
    images, classifier, true_country, true_city = world
    return predict(
        images,
        classifier,
        strategy,
        true_country_N=true_country,
        true_city_N=true_city,
        top_k=TOP_K,
    )


def softmax(values):
    top = max(values)
    exponentials = [math.exp(v - top) for v in values]
    return [e / sum(exponentials) for e in exponentials]


def plain_prediction(image, classifier, strategy):
    """One image, the slow way: (country, p(country) of all, city, p(city) within its country)."""
    scale = classifier.logit_scale
    country_of = classifier.city_country_M.tolist()

    def similarity(text):
        return scale * sum(a * b for a, b in zip(image, text, strict=True))

    city_logits = [similarity(t) for t in classifier.city_features_MD.tolist()]
    members = [[m for m in range(11) if country_of[m] == c] for c in range(4)]
    if strategy == "hierarchical":
        p_country = softmax([similarity(t) for t in classifier.country_features_CD.tolist()])
        country = p_country.index(max(p_country))
    else:
        p_all = softmax(city_logits)
        p_country = [sum(p_all[m] for m in member) for member in members]
        country = p_country.index(max(p_country))
        if strategy == "flat":
            country = country_of[p_all.index(max(p_all))]
    p_within = softmax([city_logits[m] for m in members[country]])
    best = p_within.index(max(p_within))
    return country, p_country, members[country][best], p_within[best], city_logits


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_prediction_equals_plain_loops(world, strategy):
    images, classifier, true_country, true_city = world
    got = predicted(world, strategy)
    for i, image in enumerate(images.tolist()):
        country, p_country, city, p_city, city_logits = plain_prediction(
            image, classifier, strategy
        )
        assert got.country_N[i] == country
        assert got.city_N[i] == city
        assert got.country_probability_N[i] == pytest.approx(p_country[country], abs=1e-5)
        assert got.city_probability_N[i] == pytest.approx(p_city, abs=1e-5)
        country_of = classifier.city_country_M.tolist()
        if true_city[i] >= 0:
            rivals = [x for m, x in enumerate(city_logits) if country_of[m] == true_country[i]]
            better = sum(x > city_logits[true_city[i]] for x in rivals)
            assert got.true_city_rank_N[i] == 1 + better
        else:
            assert got.true_city_rank_N[i] == 0
            assert got.true_country_rank_N[i] == 0
        if strategy != "flat" and true_country[i] >= 0:
            better = sum(p > p_country[true_country[i]] for p in p_country)
            assert got.true_country_rank_N[i] == 1 + better


def test_strategies_differ_somewhere(world):
    decided = {strategy: predicted(world, strategy).country_N.tolist() for strategy in STRATEGIES}
    assert decided["hierarchical"] != decided["flat"]
    assert decided["flat"] != decided["marginal"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_best_lists_begin_with_the_decision(world, strategy):
    got = predicted(world, strategy)
    assert got.top_countries_NK[:, 0].tolist() == got.country_N.tolist()
    assert got.top_cities_NK[:, 0].tolist() == got.city_N.tolist()
    assert got.top_countries_NK.shape == (NUM_IMAGES, TOP_K)


def test_a_country_of_one_city_pads_its_list(world):
    got = predicted(world, "hierarchical")
    alone = got.country_N == 1
    assert alone.any()
    assert (got.top_cities_NK[alone, 1:] == -1).all()
    assert got.city_probability_N[alone] == pytest.approx(1.0)


def test_rank_breaks_ties_as_argmax_does():
    scores = torch.tensor([[1.0, 3.0, 3.0, 2.0]] * 4)
    assert rank_of(scores, np.array([0, 1, 2, -1])).tolist() == [4, 1, 2, 0]


def test_large_logits_do_not_overflow():
    features = torch.nn.functional.normalize(torch.randn(5, 6), dim=1)
    classifier = PlaceClassifier(
        torch.nn.functional.normalize(torch.randn(2, 6), dim=1),
        torch.nn.functional.normalize(torch.randn(3, 6), dim=1),
        torch.tensor([0, 0, 1]),
        logit_scale=1000.0,
    )
    truth = np.zeros(5, np.int64)
    for strategy in STRATEGIES:
        got = predict(
            features, classifier, strategy, true_country_N=truth, true_city_N=truth, top_k=9
        )
        assert np.isfinite(got.country_probability_N).all()
        assert np.isfinite(got.city_probability_N).all()
