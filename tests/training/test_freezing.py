import gc
import math
import weakref
from collections.abc import Callable

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from streetclip.config.train_options import TRAIN_PARTS, PartsOptions
from streetclip.errors import ConfigError
from streetclip.models.encoder import pooled_token_alone
from streetclip.models.loading import load_encoder
from streetclip.training.freezing import choose_parts, plain_model

TEXTS = ["A Street View photo in Lima .", "Lyon", "the town of Tbilisi", "Paris", "France"]
# Begins of the names that learn; the tiny CLIP has 2 blocks of images and 1 of texts.
LEARNS = {
    "full": ("",),
    "image": ("vision_model.", "visual_projection."),
    "last_blocks": (
        "vision_model.encoder.layers.1.",
        "vision_model.post_layernorm.",
        "visual_projection.",
        "text_model.encoder.layers.0.",
        "text_model.final_layer_norm.",
        "text_projection.",
    ),
    "projections": ("visual_projection.", "text_projection."),
}


@pytest.fixture
def encoder(tiny_clip):
    return load_encoder(tiny_clip, device="cpu", precision="fp32")


@pytest.fixture
def tiny_siglip():
    """2 + 1 layers."""
    from transformers import SiglipConfig, SiglipModel

    shape = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2}
    text = {"vocab_size": 9, "max_position_embeddings": 8, "num_hidden_layers": 1}
    vision = {"image_size": 16, "patch_size": 8, "num_hidden_layers": 2}
    torch.manual_seed(4)
    return SiglipModel(SiglipConfig(text_config=shape | text, vision_config=shape | vision))


def _options(train_parts, **changes):
    return PartsOptions(train_parts=train_parts, **({"last_blocks": 1, "lora_rank": 3} | changes))


def _pixels():
    random = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (5, 3, 16, 16), dtype=torch.uint8, generator=random)


def _loss(encoder):
    """A contrast of 5 images with 5 texts, in training mode, with the same dropout each time."""
    torch.manual_seed(2)
    encoder.model.train()
    logits = encoder.image_features(_pixels()) @ encoder.text_features(TEXTS).T
    return cross_entropy(encoder.model.logit_scale.exp() * logits, torch.arange(5))


def _siglip_loss(model):
    torch.manual_seed(2)
    images = model.get_image_features(pixel_values=torch.rand(4, 3, 16, 16)).pooler_output
    texts = model.get_text_features(input_ids=torch.arange(32).reshape(4, 8) % 9).pooler_output
    cosines = normalize(images, dim=-1) @ normalize(texts, dim=-1).T
    logits = model.logit_scale.exp() * cosines + model.logit_bias
    return -torch.nn.functional.logsigmoid(logits * (2 * torch.eye(4) - 1)).sum()


def _two_steps(model, loss: Callable[[], torch.Tensor]):
    """Two, as adapters' A learns from the second on. Give the names that changed."""
    before = {name: each.clone() for name, each in model.state_dict().items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(2):
        optimizer.zero_grad()
        torch.autograd.backward(loss())
        optimizer.step()
    return {n for n, each in model.state_dict().items() if not torch.equal(each, before[n])}


@pytest.mark.parametrize("parts", LEARNS)
def test_what_shall_learn_does_and_all_else_stays_bit_for_bit(encoder, parts):
    chosen = choose_parts(encoder.model, _options(parts))
    names = {name: parameter.numel() for name, parameter in encoder.model.named_parameters()}
    learns = {name for name in names if name.startswith(LEARNS[parts]) or name == "logit_scale"}
    num_trainable, num_total = sum(names[name] for name in learns), sum(names.values())
    assert f"{num_trainable:,} of {num_total:,} parameters learn" in chosen
    assert _two_steps(encoder.model, lambda: _loss(encoder)) == learns
    frozen = [each.grad for name, each in encoder.model.named_parameters() if name not in learns]
    assert frozen == [None] * (len(names) - len(learns))


def test_with_lora_only_adapters_and_the_logit_scale_learn(encoder):
    base = encoder.model.state_dict()
    size = sum(each.numel() for each in encoder.model.parameters())
    chosen = choose_parts(encoder.model, _options("lora"))
    adapters = 3 * 4 * 3 * (16 + 16)  # blocks, layers, rank, width in and out
    assert f"{adapters + 1:,} of {size + adapters:,} parameters learn" in chosen
    changed = _two_steps(encoder.model, lambda: _loss(encoder))
    assert changed == {n for n in encoder.model.state_dict() if "lora" in n} | {"logit_scale"}
    assert all(p.grad is None for p in encoder.model.parameters() if not p.requires_grad)
    with plain_model(encoder.model):
        assert encoder.model.state_dict().keys() == base.keys()


@pytest.mark.parametrize(
    ("parts", "learns"),
    [
        ("full", ("",)),
        ("image", ("vision_model.",)),
        (
            "last_blocks",
            (
                "vision_model.encoder.layers.1.",
                "vision_model.post_layernorm.",
                "vision_model.head.",
                "text_model.encoder.layers.0.",
                "text_model.final_layer_norm.",
                "text_model.head.",
            ),
        ),
    ],
)
def test_siglips_parts_learn_with_its_heads_and_its_logit_bias(tiny_siglip, parts, learns):
    choose_parts(tiny_siglip, _options(parts))
    changed = _two_steps(tiny_siglip, lambda: _siglip_loss(tiny_siglip))
    expected = {
        name
        for name, _ in tiny_siglip.named_parameters()
        if name.startswith((*learns, "logit_scale", "logit_bias"))
    }
    assert changed == expected


def test_siglip_takes_adapters(tiny_siglip):
    choose_parts(tiny_siglip, _options("lora", lora_modules=("q_proj", "fc1")))
    changed = _two_steps(tiny_siglip, lambda: _siglip_loss(tiny_siglip))
    adapters = {name for name in tiny_siglip.state_dict() if "lora" in name}
    assert changed == adapters | {"logit_scale", "logit_bias"}


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_frozen_tower_keeps_no_activations(encoder, checkpointing):
    choose_parts(encoder.model, _options("image", gradient_checkpointing=checkpointing))
    encoder.model.train()
    features, saved = _saved(encoder, lambda: encoder.text_features(TEXTS))
    assert (features.requires_grad, saved) == (False, [])
    features, saved = _saved(encoder, lambda: encoder.image_features(_pixels()))
    assert features.requires_grad
    assert saved


@pytest.mark.parametrize("checkpointing", [False, True])
def test_below_the_projections_no_activations_are_kept(encoder, checkpointing):
    choose_parts(encoder.model, _options("projections", gradient_checkpointing=checkpointing))
    encoder.model.train()
    for encode in (
        lambda: encoder.text_features(TEXTS),
        lambda: encoder.image_features(_pixels()),
    ):
        _, saved = _saved(encoder, encode)
        # The projection's input, and what the scaling to length 1 takes: one row an image or text.
        assert saved
        assert all(math.prod(shape) <= 5 * 16 for shape in saved)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_frozen_blocks_keep_no_activations(encoder, checkpointing):
    choose_parts(encoder.model, _options("last_blocks", gradient_checkpointing=checkpointing))
    seen = {}
    for index, block in enumerate(encoder.model.vision_model.encoder.layers):
        block.register_forward_hook(
            lambda _module, _inputs, output, index=index: seen.update({index: output.requires_grad})
        )
    _loss(encoder)
    assert seen == {0: False, 1: True}


@pytest.mark.parametrize("parts", [each for each in TRAIN_PARTS if each != "projections"])
def test_checkpointing_gives_the_same_gradients_from_fewer_kept_activations(tiny_clip, parts):
    gradients, num_bytes = [], []
    for checkpointing in (False, True):
        encoder = load_encoder(tiny_clip, device="cpu", precision="fp32")
        torch.manual_seed(6)
        options = _options(parts, gradient_checkpointing=checkpointing, lora_dropout=0.2)
        choose_parts(encoder.model, options)
        for name, parameter in encoder.model.named_parameters():
            if ".lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        with pooled_token_alone(encoder.model):
            loss, saved = _saved(encoder, lambda: _loss(encoder))  # noqa: B023 -- called at once
            torch.autograd.backward(loss)
        num_bytes.append(4 * sum(map(math.prod, saved)))
        named = encoder.model.named_parameters()
        gradients.append({name: each.grad for name, each in named if each.requires_grad})
    plain, checkpointed = gradients
    assert any(gradient.abs().max() > 1e-3 for gradient in plain.values())
    for name, gradient in plain.items():
        torch.testing.assert_close(checkpointed[name], gradient, rtol=1e-6, atol=1e-6)
    assert num_bytes[1] < 0.5 * num_bytes[0]


class _Kept:
    """A tensor that autograd keeps, for as long as it does."""

    def __init__(self, tensor):
        self.tensor = tensor


def _saved(encoder, compute):
    """What `compute` gives, and the shapes of what autograd keeps for it besides the weights."""
    weights = {each.untyped_storage().data_ptr() for each in encoder.model.parameters()}
    all_kept = weakref.WeakSet()

    def pack(tensor):
        kept = _Kept(tensor)
        all_kept.add(kept)
        return kept

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
        result = compute()
    gc.collect()
    storages = {each.tensor.untyped_storage().data_ptr(): each.tensor for each in all_kept}
    shapes = [
        tuple(tensor.shape)
        for pointer, tensor in storages.items()
        if pointer not in weights and tensor.is_floating_point()
    ]
    return result, shapes


def test_more_blocks_than_there_are_is_refused_with_their_number(encoder):
    with pytest.raises(ConfigError) as caught:
        choose_parts(encoder.model, _options("last_blocks", last_blocks=2))
    assert str(caught.value) == (
        "--last_blocks is 2, but the model has 2 in the image tower and 1 in the text tower only; "
        "expected at most 1. Lower it, or take --train_parts full."
    )


def test_a_model_without_projections_is_told_what_to_take(tiny_siglip):
    with pytest.raises(ConfigError, match=r"a SiglipModel has no visual_projection and text_proj.*"
                       r"Take --train_parts last_blocks, or lora\."):  # fmt: skip
        choose_parts(tiny_siglip, _options("projections"))


def test_a_model_that_cannot_compute_again_is_refused(encoder):
    encoder.model.supports_gradient_checkpointing = False
    with pytest.raises(ConfigError, match="--gradient_checkpointing: a CLIPModel cannot compute"):
        choose_parts(encoder.model, _options("full", gradient_checkpointing=True))
