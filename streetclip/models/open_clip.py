"""Read weights and configurations as open_clip and OpenAI's own code name them.

Names and shapes are those of open_clip's `CLIP` (mlfoundations/open_clip, src/open_clip/model.py),
which follows openai/CLIP; the counterparts are those of transformers' `CLIPModel`.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from streetclip.errors import ModelError, shown

if TYPE_CHECKING:
    import torch

CONFIG_FILE = "open_clip_config.json"
WEIGHT_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")

_MARK = "visual.conv1.weight"
_TIMM_MARK = "visual.trunk."
# Numbers that OpenAI's archives keep beside the weights, and a buffer that is computed.
_NO_WEIGHTS = frozenset({"input_resolution", "context_length", "vocab_size", "attn_mask"})
# SigLIP's bias; CLIPModel has none, and a softmax cancels it.
_BIAS = "logit_bias"

_NAMES = {
    "logit_scale": "logit_scale",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "text_projection.weight": "text_projection.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
}
_TRANSPOSED = {"text_projection": "text_projection", "visual.proj": "visual_projection"}
_LAYER = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+)\.(weight|bias)")
_IN_PROJECTION = re.compile(
    r"(visual\.)?transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)"
)
_LAYER_NAMES = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def is_open_clip_state(names: "dict[str, Any]") -> bool:
    """Whether a state dict is named as by open_clip or OpenAI, and not as by transformers."""
    return any(name == _MARK or name.startswith(_TIMM_MARK) for name in names)


def to_transformers(state: "dict[str, torch.Tensor]", name: str) -> "dict[str, torch.Tensor]":
    """Name and shape the weights of open_clip's `CLIP` as those of transformers' `CLIPModel`.

    Args:
        state: With a vision transformer; the text tower's names with or without `text.`.
        name: Of the file, for messages.

    Raises:
        ModelError: A tower of another architecture, or weights that `CLIPModel` has no place for.
    """
    if any(each.startswith(_TIMM_MARK) for each in state):
        msg = (
            f"{name}: is an open_clip checkpoint whose image tower is one of timm's (SigLIP, "
            "ConvNeXt, EVA …); expected a CLIP vision transformer. Take the same model from the "
            "hub in transformers' format, such as google/siglip2-base-patch16-224."
        )
        raise ModelError(msg)
    converted: dict[str, torch.Tensor] = {}
    for key, tensor in state.items():
        key = key.removeprefix("text.")  # noqa: PLW2901 -- as open_clip's CustomTextCLIP has it
        if key in _NO_WEIGHTS or key == _BIAS:
            continue
        found = dict(_converted(key, tensor))
        if not found:
            msg = (
                f"{name}: is an open_clip checkpoint with {shown(key)}, which CLIPModel of "
                "transformers has no place for; expected a CLIP with plain transformers as towers. "
                "Take a model in transformers' format."
            )
            raise ModelError(msg)
        converted |= found
    return converted


def _converted(key: str, tensor: "torch.Tensor") -> "Iterator[tuple[str, torch.Tensor]]":
    """The tensors of CLIPModel that a tensor holds; none if it has no place there."""
    if key in _NAMES:
        yield _NAMES[key], tensor
    elif key in _TRANSPOSED:  # open_clip multiplies from the right
        yield f"{_TRANSPOSED[key]}.weight", tensor.T.contiguous()
    elif match := _IN_PROJECTION.fullmatch(key):
        # Queries, keys and values below one another.
        for part, each in zip("qkv", tensor.chunk(3), strict=True):
            yield f"{_layer(match)}.self_attn.{part}_proj.{match[3]}", each.contiguous()
    elif (match := _LAYER.fullmatch(key)) and match[3] in _LAYER_NAMES:
        yield f"{_layer(match)}.{_LAYER_NAMES[match[3]]}.{match[4]}", tensor


def _layer(match: re.Match[str]) -> str:
    tower = "vision_model" if match[1] else "text_model"
    return f"{tower}.encoder.layers.{match[2]}"
