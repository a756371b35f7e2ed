"""The sigmoid loss of a model without a bias begins at the bias that fits its own setting."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from streetclip.config.train_options import DUPLICATES, LossOptions
from streetclip.training.losses import Objective

CAPTIONS = [0, 1, 0, 2, 0, 1, 3, 3, 2, 0]  # unequal counts
SCALE = 9.0


def encoder_of(**extra):
    scale = torch.nn.Parameter(torch.tensor(math.log(SCALE)))
    return SimpleNamespace(
        model=SimpleNamespace(logit_scale=scale, **extra), device=torch.device("cpu")
    )


def objective_of(encoder, **settings):
    return Objective(encoder, LossOptions(loss="sigmoid", **settings))


@pytest.fixture
def batch():
    random = np.random.default_rng(4)
    features = [random.normal(size=(rows, 5)) for rows in (len(CAPTIONS), max(CAPTIONS) + 1)]
    units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in features]
    return (*(torch.tensor(each, dtype=torch.float32) for each in units), torch.tensor(CAPTIONS))


def plain_loss(batch, bias, duplicates):
    """The loss pair by pair: an image's own caption, its copies, the others."""
    images, texts, _ = (each.double().numpy() for each in batch)
    total = 0.0
    for i, own in enumerate(CAPTIONS):
        for j, other in enumerate(CAPTIONS):
            logit = SCALE * float(images[i] @ texts[other]) + bias
            if i == j:
                total += math.log1p(math.exp(-logit))
            elif own != other or duplicates == "ignore":
                total += math.log1p(math.exp(logit))
            elif duplicates == "positive":
                total += math.log1p(math.exp(-logit))
    return total / len(CAPTIONS)


def least_bias(batch, duplicates):
    """Where the plain loss is least, by ternary search."""
    low, high = -30.0, 30.0
    while high - low > 1e-7:
        third = (high - low) / 3
        if plain_loss(batch, low + third, duplicates) < plain_loss(batch, high - third, duplicates):
            high -= third
        else:
            low += third
    return (low + high) / 2


@pytest.mark.parametrize("duplicates", DUPLICATES)
def test_the_loss_begins_at_the_bias_at_which_it_is_least(batch, duplicates):
    objective = objective_of(encoder_of(), duplicates=duplicates)
    objective.calibrate(*batch)
    expected = least_bias(batch, duplicates)
    assert objective.state_dict()["logit_bias"] == pytest.approx(expected, abs=1e-4)
    assert objective(*batch).detach().item() == pytest.approx(
        plain_loss(batch, expected, duplicates), rel=1e-5
    )


def test_the_best_biases_of_the_settings_are_apart(batch):
    biases = sorted(least_bias(batch, duplicates) for duplicates in DUPLICATES)
    assert np.diff(biases).min() > 0.01


def test_a_bias_that_has_learned_is_not_calibrated_again(batch):
    objective = objective_of(encoder_of())
    objective.load_state_dict({"logit_bias": 1.5})
    objective.calibrate(*batch)
    assert objective.state_dict() == {"logit_bias": 1.5}


def test_a_model_that_has_a_bias_keeps_it(batch):
    bias = torch.nn.Parameter(torch.tensor(-2.0))
    objective = objective_of(encoder_of(logit_bias=bias))
    objective.calibrate(*batch)
    assert bias.detach().item() == -2.0
    assert list(objective.parameters()) == []
    assert objective(*batch).detach().item() == pytest.approx(
        plain_loss(batch, -2.0, "positive"), rel=1e-5
    )


def test_the_softmax_loss_has_no_bias(batch):
    objective = Objective(encoder_of(), LossOptions(loss="softmax"))
    objective.calibrate(*batch)
    assert list(objective.parameters()) == []
    assert objective.state_dict() == {}
