import math

import pytest
import torch
from torch import nn

from streetclip.config import TrainConfig
from streetclip.training.optimizer import build_optimizer, clamp_logit_scale


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.norm = nn.LayerNorm(2)
        self.embedding = nn.Embedding(5, 2)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)
        self.logit_scale = nn.Parameter(torch.tensor([[2.0]]))


@pytest.fixture
def config(tmp_path):
    return TrainConfig(
        train_csv=tmp_path / "a.csv",
        val_csv=tmp_path / "b.csv",
        image_dir=tmp_path,
        learning_rate=0.01,
        weight_decay=0.3,
        beta2=0.95,
    )


def test_only_matrices_are_decayed(config):
    model = Tiny()
    decayed, kept = build_optimizer(model, config).param_groups
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[id(p)] for p in decayed["params"]} == {"linear.weight", "embedding.weight"}
    assert {names[id(p)] for p in kept["params"]} == {
        "linear.bias",
        "norm.weight",
        "norm.bias",
        "logit_scale",
    }
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.3, 0.0)


def test_the_step_is_that_of_adamw_with_clips_constants(config):
    model = Tiny()
    before = model.linear.weight.detach().clone()
    optimizer = build_optimizer(model, config)
    gradients = [0.5, -2.0]
    for gradient in gradients:
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        optimizer.step()
    expected, first, second = before.double(), 0.0, 0.0
    for t, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.95 * second + 0.05 * gradient**2
        update = (first / (1 - 0.9**t)) / (math.sqrt(second / (1 - 0.95**t)) + 1e-6)
        expected = expected - 0.01 * 0.3 * expected - 0.01 * update
    torch.testing.assert_close(
        model.linear.weight.detach().double(), expected, rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize(("before", "after"), [(-0.5, 0.0), (3.0, 3.0), (9.0, math.log(100))])
def test_logit_scale_is_bounded(before, after):
    model = Tiny()
    model.logit_scale.data.fill_(before)
    clamp_logit_scale(model)
    assert model.logit_scale.item() == pytest.approx(after, rel=1e-6)
