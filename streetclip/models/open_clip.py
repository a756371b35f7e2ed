"""Convert open_clip's and OpenAI's weights and configurations to `CLIPModel`.

Source of names and shapes: open_clip's `CLIP` (mlfoundations/open_clip, src/open_clip/model.py).
"""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from streetclip.errors import ModelError, shown
from streetclip.files import scratch_folder
from streetclip.models.limits import check_size, read_settings

CONFIG_FILE = "open_clip_config.json"
WEIGHT_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")

_MARK = "visual.conv1.weight"
_TIMM_MARK = "visual.trunk."
# Metadata of OpenAI's archives, and a bias that a softmax cancels.
_NO_WEIGHTS = {"input_resolution", "context_length", "vocab_size", "attn_mask", "logit_bias"}

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

# Options of a plain transformer; any other makes another architecture.
_MODEL_KEYS = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu"}
_VISION_KEYS = {"image_size", "layers", "width", "head_width", "mlp_ratio", "patch_size"}
_TEXT_KEYS = {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"}
_INTERPOLATION = {"bilinear": 2, "bicubic": 3}


def is_open_clip_state(names: "dict[str, Any]") -> bool:
    """Return whether a state dict is named as by open_clip or OpenAI."""
    return any(name == _MARK or name.startswith(_TIMM_MARK) for name in names)


def to_transformers(state: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    """Convert the weights of open_clip's `CLIP` to `CLIPModel`, or raise ModelError."""
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
        if key in _NO_WEIGHTS:
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


def is_open_clip_folder(folder: Path) -> bool:
    """Return whether a folder has open_clip's configuration only, not transformers'."""
    return (folder / CONFIG_FILE).is_file() and not (folder / "config.json").is_file()


@contextmanager
def as_transformers_folder(folder: Path, name: str) -> Iterator[Path]:
    """Write an open_clip folder's configuration for transformers, temporarily.

    The folder has `config.json`, `preprocessor_config.json` and the tokenizer's files. Raises
    ModelError unless it is a CLIP with plain transformers.
    """
    try:
        record = read_settings(folder / CONFIG_FILE, name)
        config, processor = _model_config(record["model_cfg"]), _processor(record)
    except _UnknownOptionError as error:
        msg = (
            f"{name}: is an open_clip folder whose {CONFIG_FILE} has {error}; expected a CLIP with "
            "plain transformers as towers. Take the same model from the hub in transformers' "
            "format (with a config.json)."
        )
        raise ModelError(msg) from error
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        msg = f"{name}: its {CONFIG_FILE} cannot be read ({shown(error)})."
        raise ModelError(msg) from error
    with scratch_folder() as copy:
        for file in folder.iterdir():
            if file.suffix in {".json", ".txt"} and file.name != CONFIG_FILE and file.is_file():
                check_size(file, name)
                shutil.copy(file, copy)
        (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
        (copy / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
        yield copy


class _UnknownOptionError(Exception):
    """An option of open_clip that makes another architecture than CLIPModel's."""


def _model_config(record: dict[str, Any]) -> dict[str, Any]:
    vision, text = record["vision_cfg"], record["text_cfg"]
    for part, known in ((record, _MODEL_KEYS), (vision, _VISION_KEYS), (text, _TEXT_KEYS)):
        unknown = sorted(key for key in part if key not in known)
        if unknown:
            raise _UnknownOptionError(shown(unknown[0]))
    if not isinstance(vision["layers"], int):
        what = "a ResNet as image tower"
        raise _UnknownOptionError(what)
    activation = {"hidden_act": "quick_gelu" if record.get("quick_gelu") else "gelu"}
    vision_config = activation | {
        "image_size": vision.get("image_size", 224),
        "patch_size": vision.get("patch_size", 16),
        "num_attention_heads": vision.get("width", 768) // vision.get("head_width", 64),
    }
    text_config = activation | {
        "vocab_size": text.get("vocab_size", 49408),
        "max_position_embeddings": text.get("context_length", 77),
        "num_attention_heads": text.get("heads", 8),
        "eos_token_id": 2,  # by which CLIPModel pools at the highest id, as open_clip does
    }
    for config, part, width in ((vision_config, vision, 768), (text_config, text, 512)):
        config |= {
            "hidden_size": part.get("width", width),
            "intermediate_size": int(part.get("width", width) * part.get("mlp_ratio", 4.0)),
            "num_hidden_layers": part.get("layers", 12),
        }
    return {
        "model_type": "clip",
        "projection_dim": record["embed_dim"],
        "vision_config": vision_config,
        "text_config": text_config,
    }


def _processor(record: dict[str, Any]) -> dict[str, Any]:
    options = record.get("preprocess_cfg") or {}
    size = options.get("size", record["model_cfg"]["vision_cfg"].get("image_size", 224))
    if options.get("resize_mode", "shortest") != "shortest" or not isinstance(size, int):
        raise _UnknownOptionError(shown(f"resize_mode {options.get('resize_mode')}, size {size}"))
    return {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"shortest_edge": size},
        "crop_size": {"height": size, "width": size},
        "resample": _INTERPOLATION[options.get("interpolation") or "bicubic"],
        "image_mean": options["mean"],
        "image_std": options["std"],
    }


def _converted(key: str, tensor: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors of CLIPModel that a tensor holds, if any."""
    if key in _NAMES:
        yield _NAMES[key], tensor
    elif key in _TRANSPOSED:  # open_clip multiplies from the right
        yield f"{_TRANSPOSED[key]}.weight", tensor.T.contiguous()
    elif match := _IN_PROJECTION.fullmatch(key):
        for part, each in zip("qkv", tensor.chunk(3), strict=True):
            yield f"{_layer(match)}.self_attn.{part}_proj.{match[3]}", each.contiguous()
    elif (match := _LAYER.fullmatch(key)) and match[3] in _LAYER_NAMES:
        yield f"{_layer(match)}.{_LAYER_NAMES[match[3]]}.{match[4]}", tensor


def _layer(match: re.Match[str]) -> str:
    tower = "vision_model" if match[1] else "text_model"
    return f"{tower}.encoder.layers.{match[2]}"
