import itertools
import math

import pytest
import torch
from torch import nn

from streetclip.config import TrainConfig
from streetclip.config.train_options import SCHEDULES
from streetclip.errors import ConfigError
from streetclip.models.loading import load_encoder
from streetclip.training.optimizer import (
    build_optimizer,
    clamp_logit_scale,
    learning_rate_factor,
    logit_scale_bound,
)


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
    return _config(tmp_path)


def _config(folder, **changes):
    settings = {
        "train_csv": folder / "a.csv",
        "val_csv": folder / "b.csv",
        "image_dir": folder,
        "learning_rate": 0.01,
        "weight_decay": 0.3,
        "beta2": 0.95,
    }
    return TrainConfig(**(settings | changes))


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


def test_the_learning_rate_falls_by_the_decay_from_each_block_to_the_one_below(tiny_clip, tmp_path):
    model = load_encoder(tiny_clip, device="cpu", precision="fp32").model
    groups = build_optimizer(model, _config(tmp_path, layer_decay=0.5)).param_groups
    scales = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    found = {name: scales.pop(id(p)) for name, p in model.named_parameters()}
    assert not scales
    expected = {
        "logit_scale": 1,
        "visual_projection.weight": 1,
        "vision_model.post_layernorm.weight": 1,
        "vision_model.encoder.layers.1.mlp.fc1.weight": 1,
        "vision_model.encoder.layers.1.mlp.fc1.bias": 1,
        "vision_model.encoder.layers.0.mlp.fc1.weight": 0.5,
        "vision_model.encoder.layers.0.mlp.fc1.bias": 0.5,
        "vision_model.pre_layrnorm.bias": 0.25,
        "vision_model.embeddings.class_embedding": 0.25,
        "text_model.final_layer_norm.weight": 1,
        "text_model.encoder.layers.0.self_attn.k_proj.weight": 1,
        "text_model.embeddings.token_embedding.weight": 0.5,
    }
    assert {name: found[name] for name in expected} == expected
    assert [(g["lr_scale"], g["weight_decay"]) for g in groups] == [
        (1, 0.3), (1, 0), (0.5, 0.3), (0.5, 0), (0.25, 0.3), (0.25, 0)
    ]  # fmt: skip
    assert [g["lr"] for g in groups] == [0.01 * g["lr_scale"] for g in groups]


def test_a_step_moves_each_group_by_its_share_of_the_learning_rate(tiny_clip, tmp_path):
    model = load_encoder(tiny_clip, device="cpu", precision="fp32").model
    optimizer = build_optimizer(model, _config(tmp_path, layer_decay=0.5, weight_decay=0))
    bias = {i: model.vision_model.encoder.layers[i].mlp.fc2.bias for i in (0, 1)}
    before = {i: each.detach().clone() for i, each in bias.items()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for i, share in ((0, 0.5), (1, 1.0)):
        moved = (before[i] - bias[i].detach()).double()
        torch.testing.assert_close(moved, torch.full_like(moved, 0.01 * share), rtol=1e-4, atol=0)


def test_without_layer_decay_no_blocks_are_looked_for(config):
    groups = build_optimizer(Tiny(), config).param_groups
    assert [group["lr_scale"] for group in groups] == [1, 1]


def test_layer_decay_without_blocks_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--layer_decay"):
        build_optimizer(Tiny(), _config(tmp_path, layer_decay=0.9))


def test_further_parameters_learn_without_decay(config):
    logit_bias = nn.Parameter(torch.full((2, 2), -10.0))
    decayed, kept = build_optimizer(Tiny(), config, [logit_bias]).param_groups
    assert any(p is logit_bias for p in kept["params"])
    assert not any(p is logit_bias for p in decayed["params"])


def test_a_negative_learning_rate_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"--learning_rate is -0\.01; expected above 0"):
        _config(tmp_path, learning_rate=-0.01)


@pytest.mark.parametrize(("before", "after"), [(-0.5, 0.0), (3.0, 3.0), (9.0, math.log(100))])
def test_logit_scale_is_bounded(before, after):
    model = Tiny()
    model.logit_scale.data.fill_(before)
    clamp_logit_scale(model)
    assert model.logit_scale.item() == pytest.approx(after, rel=1e-6)


@pytest.mark.parametrize(("came_with", "bound"), [(2.0, 100.0), (math.log(117.3), 117.3)])
def test_the_logit_scale_may_stay_as_large_as_it_came(came_with, bound):
    model = Tiny()
    model.logit_scale.data.fill_(came_with)
    most = logit_scale_bound(model)
    assert most == pytest.approx(bound, rel=1e-6)
    clamp_logit_scale(model, most)
    assert model.logit_scale.item() == torch.tensor(came_with).item()
    model.logit_scale.data.fill_(9.0)
    clamp_logit_scale(model, most)
    assert model.logit_scale.exp().item() == pytest.approx(bound, rel=1e-6)


def test_the_rate_rises_in_a_line_then_falls_by_a_cosine_to_zero():
    factors = [learning_rate_factor(s, num_steps=14, warmup_fraction=0.25) for s in range(15)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert factors[4] == 1.0
    assert factors[9] == pytest.approx(0.5)
    assert factors[14] == pytest.approx(0.0, abs=1e-15)
    assert all(a > b for a, b in itertools.pairwise(factors[4:]))
    assert factors[7] == pytest.approx((1 + math.cos(0.3 * math.pi)) / 2)


def test_the_rate_may_fall_in_a_line():
    factors = [
        learning_rate_factor(s, num_steps=14, warmup_fraction=0.25, schedule="linear")
        for s in range(15)
    ]
    assert factors[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert factors[4:] == pytest.approx([1 - passed / 10 for passed in range(11)])
    assert factors[14] == 0


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_warm_up_may_be_nothing_or_everything(fraction, schedule):
    factors = [
        learning_rate_factor(s, num_steps=4, warmup_fraction=fraction, schedule=schedule)
        for s in range(4)
    ]
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[3 if fraction else 0] == 1.0
