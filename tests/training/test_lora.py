import contextlib

import pytest
import torch
from torch import nn

from streetclip.config.train_options import PartsOptions
from streetclip.errors import ConfigError
from streetclip.models.loading import load_encoder
from streetclip.training.freezing import add_adapters, plain_model

TEXTS = ["A Street View photo in Lima .", "Lyon", "the town of Tbilisi"]


@pytest.fixture
def encoder(tiny_clip, precision):
    return load_encoder(tiny_clip, device="cpu", precision=precision)


def _options(**changes):
    return PartsOptions(train_parts="lora", **({"lora_rank": 3, "lora_alpha": 5.0} | changes))


def _pixels():
    random = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8, generator=random)


def _features(encoder):
    """Of 5 images and 3 texts."""
    with torch.no_grad():
        return torch.cat([encoder.image_features(_pixels()), encoder.text_features(TEXTS)])


def _disturb(model, seed=5):
    """Give the adapters weights as if they had learnt."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_" in name:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=random))


def test_the_features_are_those_of_the_base_model_at_the_start(encoder):
    before, model = _features(encoder), encoder.model
    add_adapters(model, _options())
    assert encoder.model is model
    assert torch.equal(_features(encoder), before)
    _disturb(model)
    assert not torch.allclose(_features(encoder), before, atol=1e-2)


def test_adapters_sit_in_the_named_layers_alone_and_learn_alone(encoder):
    add_adapters(encoder.model, _options(lora_modules=("v_proj", "layers.0.mlp.fc1")))
    blocks = {"text_model": [0], "vision_model": [0, 1]}
    layers = {f"{t}.encoder.layers.{i}.self_attn.v_proj" for t in blocks for i in blocks[t]}
    layers |= {f"{t}.encoder.layers.0.mlp.fc1" for t in blocks}
    found = {n for n, parameter in encoder.model.named_parameters() if parameter.requires_grad}
    assert found == {f"{layer}.lora_{x}.default.weight" for layer in layers for x in "AB"}
    adapters = encoder.model.vision_model.encoder.layers[0].mlp.fc1
    assert adapters.lora_A["default"].weight.shape == (3, 16)
    assert adapters.lora_B["default"].weight.shape == (24, 3)


@pytest.mark.parametrize("wrong", ["qproj", "proj", "self_attn", "layer_norm1", ""])
def test_a_name_of_no_linear_layer_is_refused_with_those_that_there_are(encoder, wrong):
    there = "fc1, fc2, k_proj, out_proj, q_proj, text_projection, v_proj, visual_projection"
    with pytest.raises(ConfigError) as caught:
        add_adapters(encoder.model, _options(lora_modules=("q_proj", wrong)))
    assert str(caught.value) == (
        f"--lora_modules: '{wrong}' is the name of no linear layer of this CLIPModel; "
        f"expected some of {there}."
    )


def test_the_merged_weights_are_those_of_the_formula(encoder):
    base = encoder.model.vision_model.encoder.layers[1].self_attn.q_proj.weight.detach().clone()
    add_adapters(encoder.model, _options(lora_rank=4, lora_alpha=6.0))
    _disturb(encoder.model)
    adapted = encoder.model.vision_model.encoder.layers[1].self_attn.q_proj
    a, b = (getattr(adapted, f"lora_{x}")["default"].weight.detach().double() for x in "AB")
    expected = base.double() + 6.0 / 4 * b @ a
    with plain_model(encoder.model):
        plain = encoder.model.vision_model.encoder.layers[1].self_attn.q_proj
        assert type(plain) is nn.Linear
        torch.testing.assert_close(plain.weight.detach().double(), expected, rtol=1e-6, atol=1e-7)


def test_the_plain_model_has_the_features_of_the_adapted_one(encoder):
    add_adapters(encoder.model, _options(lora_modules=("q_proj", "out_proj", "fc2")))
    _disturb(encoder.model)
    adapted = _features(encoder)
    rounding = 1e-6 if encoder.precision.name == "fp32" else 3e-2
    with plain_model(encoder.model):
        torch.testing.assert_close(_features(encoder), adapted, rtol=0, atol=rounding)


def test_the_plain_model_is_saved_as_the_base_model_would_be(encoder, tiny_clip, tmp_path):
    names = list(encoder.model.state_dict())
    add_adapters(encoder.model, _options())
    _disturb(encoder.model)
    with plain_model(encoder.model):
        assert list(encoder.model.state_dict()) == names
        expected = _features(encoder)
        encoder.model.save_pretrained(tmp_path)
        encoder.tokenizer.save_pretrained(tmp_path)
        encoder.image_processor.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {p.name for p in tiny_clip.iterdir()}
    loaded = load_encoder(tmp_path, device="cpu", precision=encoder.precision.name)
    assert torch.equal(_features(loaded), expected)


@pytest.mark.parametrize("fails", [False, True])
def test_afterwards_the_adapters_are_back_bit_for_bit(encoder, fails):
    add_adapters(encoder.model, _options(lora_dropout=0.5))
    _disturb(encoder.model)
    model = encoder.model
    modules, parameters = dict(model.named_modules()), dict(model.named_parameters())
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    features = _features(encoder)
    with contextlib.suppress(ZeroDivisionError), plain_model(model):
        assert not any("lora" in name for name, _ in model.named_modules())
        if fails:
            raise ZeroDivisionError
    assert list(model.state_dict()) == list(state)
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert all(dict(model.named_modules())[name] is each for name, each in modules.items())
    assert all(dict(model.named_parameters())[name] is each for name, each in parameters.items())
    assert torch.equal(_features(encoder), features)
    assert {n for n, p in parameters.items() if p.requires_grad} == {
        n for n in state if "lora" in n
    }


def test_adapters_follow_the_mode_that_the_plain_model_was_left_in(encoder):
    add_adapters(encoder.model, _options(lora_dropout=0.5))
    encoder.model.train()
    with plain_model(encoder.model):
        encoder.model.eval()
    assert not any(module.training for module in encoder.model.modules())


def test_a_model_without_adapters_is_left_alone(encoder):
    modules = dict(encoder.model.named_modules())
    versions = [parameter._version for parameter in encoder.model.parameters()]
    with plain_model(encoder.model):
        assert dict(encoder.model.named_modules()) == modules
    assert [parameter._version for parameter in encoder.model.parameters()] == versions


def test_weights_cast_for_an_earlier_plain_model_are_not_used_again(tiny_clip):
    encoder = load_encoder(tiny_clip, device="cpu", precision="bf16")
    add_adapters(encoder.model, _options())
    found = []
    for seed in (1, 2):
        _disturb(encoder.model, seed)
        with plain_model(encoder.model):
            found.append(encoder.encode_images(_pixels()))
            fresh = load_encoder(tiny_clip, device="cpu", precision="bf16")
            fresh.model.load_state_dict(encoder.model.state_dict())
        assert torch.equal(found[-1], fresh.encode_images(_pixels()))
    assert not torch.equal(*found)


def test_the_same_seed_draws_the_same_adapters(tiny_clip):
    states = []
    for seed in (7, 7, 8):
        model = load_encoder(tiny_clip, device="cpu", precision="fp32").model
        torch.manual_seed(seed)
        add_adapters(model, _options())
        states.append({name: each for name, each in model.state_dict().items() if "lora" in name})
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not any(torch.equal(states[0][n], states[2][n]) for n in states[0] if "lora_A" in n)


def test_a_state_dict_with_adapters_loads_into_fresh_ones(encoder, tiny_clip):
    add_adapters(encoder.model, _options())
    _disturb(encoder.model)
    other = load_encoder(tiny_clip, device="cpu", precision=encoder.precision.name)
    add_adapters(other.model, _options())
    other.model.load_state_dict(encoder.model.state_dict())
    assert torch.equal(_features(other), _features(encoder))


def test_dropout_acts_before_the_adapters_in_training_mode_only(encoder):
    add_adapters(encoder.model, _options(lora_dropout=0.5, lora_modules=("fc1",)))
    _disturb(encoder.model)
    layer = encoder.model.vision_model.encoder.layers[0].mlp.fc1
    inputs = torch.ones(1, 16)
    layer.train()
    first, second = layer(inputs), layer(inputs)
    assert not torch.equal(first, second)
    layer.eval()
    assert torch.equal(layer(inputs), layer(inputs))


def test_attention_that_would_not_use_an_adapter_gets_none(tiny_siglip):
    torch.manual_seed(0)
    add_adapters(tiny_siglip, _options(lora_modules=("out_proj",)))
    adapted = [name for name, module in tiny_siglip.named_modules() if hasattr(module, "lora_A")]
    assert adapted == [
        "text_model.encoder.layers.0.self_attn.out_proj",
        "vision_model.encoder.layers.0.self_attn.out_proj",
        "vision_model.encoder.layers.1.self_attn.out_proj",
    ]
    pixels = torch.rand(2, 3, 16, 16)
    before = tiny_siglip.get_image_features(pixel_values=pixels).pooler_output
    _disturb(tiny_siglip)
    after = tiny_siglip.get_image_features(pixel_values=pixels).pooler_output
    assert not torch.allclose(before, after)


@pytest.fixture
def tiny_siglip():
    """1 + 2 layers, in evaluation mode."""
    from transformers import SiglipConfig, SiglipModel

    shape = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2}
    text = {"vocab_size": 9, "max_position_embeddings": 8, "num_hidden_layers": 1}
    vision = {"image_size": 16, "patch_size": 8, "num_hidden_layers": 2}
    config = SiglipConfig(text_config=shape | text, vision_config=shape | vision)
    return SiglipModel(config).eval()
