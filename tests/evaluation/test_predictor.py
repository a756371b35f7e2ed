"""The batched prediction against plain loops over lists of floats, and against full matrices."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from streetclip.config import STRATEGIES
from streetclip.errors import ModelError
from streetclip.evaluation import predictor
from streetclip.evaluation.predictor import PlaceClassifier, Predictions, predict, rank_of

CITIES_OF = [3, 1, 5, 2]  # of four countries; eleven cities
NUM_IMAGES = 17
TOP_K = 3


@pytest.fixture(scope="module")
def world():
    generator = torch.Generator().manual_seed(7)

    def unit(rows):
        drawn = torch.nn.functional.normalize(torch.randn(rows, 6, generator=generator), dim=1)
        return drawn.half().float()  # as features come from the cache

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
    scores = np.array([[1.0, 3.0, 3.0, 2.0]] * 4)
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


def full_matrices(images, classifier, strategy, true_country, true_city, top_k):
    """The same by the matrix of all images and all cities, in torch; equals in order of index."""
    member = classifier.city_country_M
    city_logits = images.double() @ classifier.city_features_MD.double().T * classifier.logit_scale
    of_country = torch.nn.functional.one_hot(member).bool().T  # C × M
    spread = torch.where(of_country, city_logits[:, None, :], -torch.inf)  # N × C × M
    log_sums = spread.logsumexp(2)
    scores = {"flat": spread.amax(2), "marginal": log_sums}.get(strategy)
    if strategy == "hierarchical":
        features = classifier.country_features_CD.double()
        scores = log_sums = images.double() @ features.T * classifier.logit_scale
    country, everyone = scores.argmax(1), torch.arange(len(images))
    within = spread[everyone, country]
    rivals = city_logits if strategy == "flat" else within
    top_countries = ordered(scores)[:, :top_k]
    top_cities = ordered(rivals)[:, :top_k]
    top_probabilities = rivals.softmax(1).gather(1, top_cities).float()
    is_filling = rivals.gather(1, top_cities).isinf()
    truth = spread[everyone, torch.from_numpy(true_country)]
    return Predictions(
        country_N=country.numpy(),
        city_N=within.argmax(1).numpy(),
        country_probability_N=log_sums.softmax(1)[everyone, country].float().numpy(),
        city_probability_N=within.softmax(1).amax(1).float().numpy(),
        true_country_rank_N=rank_in(ordered(scores), true_country),
        true_city_rank_N=rank_in(ordered(truth), true_city),
        top_countries_NK=top_countries.numpy(),
        top_country_probabilities_NK=log_sums.softmax(1).gather(1, top_countries).float().numpy(),
        top_cities_NK=top_cities.masked_fill(is_filling, -1).numpy(),
        top_city_probabilities_NK=top_probabilities.masked_fill(is_filling, -1).numpy(),
    )


def ordered(scores):
    return scores.sort(dim=1, descending=True, stable=True).indices


def rank_in(order, wanted):
    return np.array(
        [row.index(i) + 1 if i >= 0 else 0 for row, i in zip(order.tolist(), wanted, strict=True)]
    )


def large_world(num_images, *, cities_of, seed=5):
    """Random unit vectors with many equal prompts, so that there are ties at every level."""
    rng = np.random.default_rng(seed)

    def unit(rows):
        drawn = rng.standard_normal((rows, 48))
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)

    country_of = np.repeat(np.arange(len(cities_of)), cities_of)
    countries, cities = unit(len(cities_of)), unit(len(country_of))
    countries[5::4] = countries[1]
    cities[4::3] = cities[1]
    classifier = PlaceClassifier(
        torch.from_numpy(countries).half().float(),
        torch.from_numpy(cities).half().float(),
        torch.from_numpy(country_of),
        logit_scale=30.0,
    )
    true_city = rng.integers(-1, len(country_of), num_images)
    # A country may be a candidate where its city is none.
    true_country = np.where(
        true_city >= 0, country_of[true_city], rng.integers(-1, len(cities_of), num_images)
    )
    return unit(num_images).astype(np.float16), classifier, true_country, true_city


CITIES_OF_MANY = [40, 1, 3, 1, 17, 2, 9, 5, 1, 30, 6]


def predict_large(world, strategy, top_k=5, rows=slice(None)):
    features, classifier, true_country, true_city = world
    return predict(
        features[rows],
        classifier,
        strategy,
        true_country_N=true_country[rows],
        true_city_N=true_city[rows],
        top_k=top_k,
    )


def assert_same_bits(one, other):
    for name, values in vars(one).items():
        wanted = getattr(other, name)
        assert (values.dtype, values.shape) == (wanted.dtype, wanted.shape), name
        assert values.tobytes() == wanted.tobytes(), name


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("top_k", [1, 5, 60, 500])
def test_prediction_equals_full_matrices_ties_and_ranks_included(strategy, top_k):
    world = large_world(613, cities_of=CITIES_OF_MANY)
    features, *truth = world
    expected = full_matrices(torch.from_numpy(features), truth[0], strategy, *truth[1:], top_k)
    found = predict_large(world, strategy, top_k)
    if strategy == "flat":
        assert (found.top_cities_NK >= 0).all()
    for name, values in vars(found).items():
        wanted = getattr(expected, name)
        if "probabilit" in name:
            np.testing.assert_allclose(values, wanted, rtol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(values, wanted, err_msg=name)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_image_is_predicted_the_same_whatever_comes_with_it(strategy, monkeypatch):
    world = large_world(613, cities_of=CITIES_OF_MANY)
    whole = predict_large(world, strategy)
    order = np.random.default_rng(2).permutation(613)
    shuffled = predict_large(world, strategy, rows=order)
    assert_same_bits(shuffled, taken(whole, order))
    for most_scores in (1, 700, 3_000):
        monkeypatch.setattr(predictor, "_MOST_SCORES", most_scores)
        assert_same_bits(predict_large(world, strategy), whole)
    for size in (1, 2, 31):
        assert_same_bits(
            predict_large(world, strategy, rows=slice(100, 100 + size)),
            taken(whole, slice(100, 100 + size)),
        )


def taken(predictions, rows):
    return Predictions(**{name: values[rows] for name, values in vars(predictions).items()})


def test_features_are_rounded_to_what_the_cache_holds():
    features, *rest = large_world(57, cities_of=CITIES_OF_MANY)
    noisy = torch.from_numpy(features).float() * (1 + 2**-14)
    assert_same_bits(
        predict_large((noisy, *rest), "hierarchical"),
        predict_large((features, *rest), "hierarchical"),
    )


def test_features_that_are_no_numbers_are_the_models_fault():
    features, classifier, *truth = large_world(57, cities_of=CITIES_OF_MANY)
    broken = features.copy()
    broken[31, 7] = np.nan
    with pytest.raises(ModelError, match="features of images are not numbers"):
        predict_large((broken, classifier, *truth), "marginal")
    weights = classifier.city_features_MD.clone()
    weights[3, 1] = torch.inf
    broken = dataclasses.replace(classifier, city_features_MD=weights)
    with pytest.raises(ModelError, match="features of prompts are not numbers"):
        predict_large((features, broken, *truth), "hierarchical")


def test_no_image_gives_empty_arrays_of_the_right_shape():
    found = predict_large(large_world(3, cities_of=[2, 4]), "flat", top_k=3, rows=slice(0))
    assert found.top_cities_NK.shape == (0, 3)
    assert found.top_countries_NK.shape == (0, 2)


def test_cities_that_are_not_grouped_by_country_are_refused():
    classifier = large_world(3, cities_of=[2, 4])[1]
    for country_of in ([0, 1, 0, 1, 1, 1], [1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 2]):
        with pytest.raises(ValueError, match="cities of 2 countries, grouped"):
            _ = dataclasses.replace(
                classifier, city_country_M=torch.tensor(country_of)
            ).city_offsets
