import pytest
import torch
from torch import nn

from streetclip.errors import ConfigError
from streetclip.models.blocks import blocks_above, count_blocks
from streetclip.models.loading import load_encoder


def _clip(vision_blocks, text_blocks):
    from transformers import CLIPConfig, CLIPModel

    shape = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2}
    vision = shape | {"num_hidden_layers": vision_blocks, "image_size": 8, "patch_size": 4}
    text = shape | {"num_hidden_layers": text_blocks, "vocab_size": 9, "bos_token_id": 0}
    text |= {"eos_token_id": 8}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=4))


def test_each_tower_is_counted_from_its_own_top():
    model = _clip(3, 2)
    assert count_blocks(model) == {"vision_model": 3, "text_model": 2}
    above = blocks_above(model)
    assert list(above) == [name for name, _ in model.named_parameters()]
    expected = {
        "vision_model.embeddings.class_embedding": 3,
        "vision_model.embeddings.patch_embedding.weight": 3,
        "vision_model.pre_layrnorm.bias": 3,
        "vision_model.encoder.layers.0.mlp.fc1.weight": 2,
        "vision_model.encoder.layers.1.layer_norm1.weight": 1,
        "vision_model.encoder.layers.2.self_attn.q_proj.bias": 0,
        "vision_model.post_layernorm.weight": 0,
        "visual_projection.weight": 0,
        "text_model.embeddings.token_embedding.weight": 2,
        "text_model.encoder.layers.0.self_attn.out_proj.weight": 1,
        "text_model.encoder.layers.1.self_attn.out_proj.weight": 0,
        "text_model.final_layer_norm.bias": 0,
        "text_projection.weight": 0,
        "logit_scale": 0,
    }
    assert {name: above[name] for name in expected} == expected


def test_every_parameter_of_an_eleventh_block_is_that_blocks():
    above = blocks_above(_clip(12, 1))
    counts = [above[f"vision_model.encoder.layers.{i}.mlp.fc2.bias"] for i in range(12)]
    assert counts == list(range(11, -1, -1))


@pytest.mark.parametrize("kind", ["siglip_folder", "naflex_folder"])
def test_siglips_heads_lie_above_the_blocks(kind, request):
    model = load_encoder(request.getfixturevalue(kind), device="cpu", precision="fp32").model
    above = blocks_above(model)
    assert {above[name] for name in above if ".head." in name} == {0}
    assert {above[name] for name in above if ".embeddings." in name} == {2}
    assert above["vision_model.encoder.layers.0.mlp.fc1.bias"] == 1
    assert above["logit_bias"] == 0


def test_a_model_with_its_blocks_elsewhere_is_named():
    class Other(nn.Module):
        def __init__(self):
            super().__init__()
            self.vision_model = nn.Linear(2, 2)
            self.logit_scale = nn.Parameter(torch.zeros(()))

    with pytest.raises(
        ConfigError, match=r"a Other lacks vision_model\.encoder\.layers or .*; expected"
    ):
        blocks_above(Other())
