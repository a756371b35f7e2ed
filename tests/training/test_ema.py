import contextlib

import pytest
import torch
from torch import nn

from streetclip.config.train_options import PartsOptions
from streetclip.models.loading import load_encoder
from streetclip.training.freezing import choose_parts, plain_model
from streetclip.training.optimizer import WeightAverage


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(3, 2)
        self.second = nn.Linear(2, 5)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)


def _walk(model, num_steps, seed=1):
    """Change the trainable weights at random; give their values after each step, in float64."""
    random = torch.Generator().manual_seed(seed)
    for _ in range(num_steps):
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn(parameter.shape, generator=random))
        yield {name: each.detach().double() for name, each in model.named_parameters()}


def _values(model):
    return {name: each.detach().clone() for name, each in model.named_parameters()}


@pytest.mark.parametrize("decay", [0.4, 0.9])
def test_it_is_the_moving_average_whose_decay_rises(decay):
    model = Tiny()
    average = WeightAverage(model, decay)
    expected = {name: each.detach().double() for name, each in model.named_parameters()}
    # Decays of 2/11, 3/12, 4/13 … until 0.4 is reached at step 5; 0.9 only at step 81.
    for step, weights in enumerate(_walk(model, 90), start=1):
        average.update()
        share = min(decay, (1 + step) / (10 + step))
        expected = {n: share * expected[n] + (1 - share) * weights[n] for n in expected}
        if step in (1, 4, 5, 90):
            with average.applied():
                for name, value in _values(model).items():
                    torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fails", [False, True])
def test_applied_weights_are_taken_back_exactly_and_nothing_is_copied(fails):
    model = Tiny()
    average = WeightAverage(model, 0.9)
    for _ in _walk(model, 3):
        average.update()
    before = _values(model)
    places = {name: each.data_ptr() for name, each in model.named_parameters()}
    parameters = dict(model.named_parameters())
    averages = {n: each.data_ptr() for n, each in average.state_dict()["averages"].items()}
    assert averages.keys() == {n for n in before if not n.startswith("frozen")}
    with contextlib.suppress(ZeroDivisionError), average.applied():
        inside = {name: each.data_ptr() for name, each in model.named_parameters()}
        assert inside == places | averages
        assert not torch.equal(model.first.weight, before["first.weight"])
        if fails:
            raise ZeroDivisionError
    assert {name: each.data_ptr() for name, each in model.named_parameters()} == places
    assert all(torch.equal(each, before[name]) for name, each in _values(model).items())
    assert all(each is parameters[name] for name, each in model.named_parameters())


def test_training_goes_on_from_the_weights_not_from_the_averages():
    models = [Tiny(), Tiny()]
    average = WeightAverage(models[0], 0.9)
    for model in models:
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
        for _ in range(3):
            optimizer.zero_grad()
            torch.autograd.backward(model.second(model.first(torch.ones(4, 3))).square().sum())
            optimizer.step()
            if model is models[0]:
                average.update()
                with average.applied():
                    pass
    assert all(torch.equal(a, b) for a, b in zip(*(m.parameters() for m in models), strict=True))


def test_a_resume_goes_on_with_the_same_bits(tmp_path):
    whole, stopped = Tiny(), Tiny()
    average = WeightAverage(whole, 0.9)
    for _ in _walk(whole, 7):
        average.update()
    first = WeightAverage(stopped, 0.9)
    steps = _walk(stopped, 7)
    for _ in range(4):
        next(steps)
        first.update()
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second = WeightAverage(stopped, 0.9)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for _ in steps:
        second.update()
    for name, value in average.state_dict()["averages"].items():
        assert torch.equal(second.state_dict()["averages"][name], value)


def test_the_loaded_state_stays_what_it_was():
    model = Tiny()
    saved = WeightAverage(model, 0.9).state_dict()
    before = {name: value.clone() for name, value in saved["averages"].items()}
    average = WeightAverage(model, 0.9)
    average.load_state_dict(saved)
    for _ in _walk(model, 1):
        average.update()
    assert all(torch.equal(saved["averages"][name], value) for name, value in before.items())


def test_averaged_adapters_are_merged_into_the_plain_model(tiny_clip):
    model = load_encoder(tiny_clip, device="cpu", precision="fp32").model
    choose_parts(model, PartsOptions(train_parts="lora", lora_rank=3, lora_alpha=6.0))
    average = WeightAverage(model, 0.9)
    for _ in _walk(model, 3):
        average.update()
    averages = average.state_dict()["averages"]
    assert averages.keys() == {n for n in model.state_dict() if "lora" in n} | {"logit_scale"}
    name = "vision_model.encoder.layers.1.self_attn.v_proj"
    a, b = (averages[f"{name}.lora_{x}.default.weight"].double() for x in "AB")
    expected = model.get_submodule(name).base_layer.weight.double() + 6 / 3 * b @ a
    with average.applied(), plain_model(model):
        merged = model.get_submodule(name).weight.double()
    torch.testing.assert_close(merged, expected, rtol=1e-5, atol=1e-5)


def test_images_are_encoded_with_the_weights_that_are_applied_at_the_time(tiny_clip, precision):
    encoder, fresh = (load_encoder(tiny_clip, device="cpu", precision=precision) for _ in range(2))
    average = WeightAverage(encoder.model, 0.5)
    pixels = torch.arange(2 * 3 * 16 * 16).reshape(2, 3, 16, 16).to(torch.uint8)
    for _ in _walk(encoder.model, 3):
        average.update()
        for applied in (average.applied(), contextlib.nullcontext()):
            with applied:
                fresh.model.load_state_dict(encoder.model.state_dict())
                with encoder.fixed_weights():
                    found = encoder.encode_images(pixels)
                assert torch.equal(found, fresh.encode_images(pixels))
