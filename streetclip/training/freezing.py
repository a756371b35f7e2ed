"""Choose the trainable parameters: all, some parts, or low-rank adapters (LoRA)."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from streetclip.config.train_options import PartsOptions
from streetclip.errors import ConfigError, shown
from streetclip.models.blocks import TOWERS, blocks_above, count_blocks
from streetclip.training.interrupts import interrupts_deferred

ADAPTER_MARK = ".lora_"  # in the names of adapters' parameters only
_ADAPTER = "default"  # peft's own name for the only one
_ALWAYS = ("logit_scale", "logit_bias")
_PROJECTIONS = ("visual_projection.", "text_projection.")


def choose_parts(model: Any, config: PartsOptions) -> str:
    """Make `config.train_parts` trainable, freeze the others, and describe the choice.

    Logit scale and bias always learn. `gradient_checkpointing` computes activations inside a block
    again in the backward pass (Chen et al. 2016, arXiv 1604.06174). Raises ConfigError if the model
    lacks these parts or blocks, or gradient checkpointing.
    """
    learns, description = _trainable(model, config)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in _ALWAYS or learns(name))
    if config.gradient_checkpointing:
        if not getattr(model, "supports_gradient_checkpointing", False):
            msg = (
                f"--gradient_checkpointing: a {type(model).__name__} cannot compute its "
                "activations again. Leave it out, and lower --batch_size if memory is short."
            )
            raise ConfigError(msg)
        model.activation_checkpointing_enable({"use_reentrant": False})
        # Embeddings would require gradients, and activations of frozen parts be kept.
        model.disable_input_require_grads()
    sizes = [(each.numel(), each.requires_grad) for each in model.parameters()]
    num_trainable = sum(size for size, is_trainable in sizes if is_trainable)
    num_total = sum(size for size, _ in sizes)
    return f"{description}: {num_trainable:,} of {num_total:,} parameters learn"


def _trainable(model: Any, config: PartsOptions) -> tuple[Callable[[str], bool], str]:
    """Return a test of parameter names, and a description."""
    parts, kind = config.train_parts, type(model).__name__
    if parts == "image":
        if not hasattr(model, "vision_model"):
            msg = (
                f"--train_parts image: a {kind} has no vision_model; expected a CLIP or SigLIP. "
                "Take --train_parts full."
            )
            raise ConfigError(msg)
        image = ("vision_model.", "visual_projection.")
        return lambda name: name.startswith(image), "the image tower with its projection"
    if parts == "projections":
        if not all(hasattr(model, name.rstrip(".")) for name in _PROJECTIONS):
            msg = (
                f"--train_parts projections: a {kind} has no visual_projection and "
                "text_projection; expected a CLIP. Take --train_parts last_blocks, or lora."
            )
            raise ConfigError(msg)
        return lambda name: name.startswith(_PROJECTIONS), "the projections"
    if parts == "last_blocks":
        return _last_blocks(model, config.last_blocks)
    if parts == "lora":
        add_adapters(model, config)
        where = ", ".join(config.lora_modules)
        description = f"low-rank adapters (rank {config.lora_rank}) in {where}"
        return lambda name: ADAPTER_MARK in name, description
    return lambda _name: True, "the whole model"


def _last_blocks(model: Any, wanted: int) -> tuple[Callable[[str], bool], str]:
    above, counts = blocks_above(model), count_blocks(model)
    if wanted > min(counts.values()):
        found = " and ".join(f"{n} in the {TOWERS[tower]} tower" for tower, n in counts.items())
        msg = (
            f"--last_blocks is {wanted}, but the model has {found} only; expected at most "
            f"{min(counts.values())}. Lower it, or take --train_parts full."
        )
        raise ConfigError(msg)
    blocks = "last block" if wanted == 1 else f"last {wanted} blocks"
    return lambda name: above[name] < wanted, f"the {blocks} of each tower and all above"


def add_adapters(model: nn.Module, config: PartsOptions) -> None:
    """Add low-rank adapters to linear layers, in place; only they learn afterwards.

    W x becomes W x + (alpha / rank) B A dropout(x), with A random and B zero (LoRA, Hu et al. 2022,
    arXiv 2106.09685). Raises ConfigError if a name of `lora_modules` matches no linear layer.
    """
    from peft import LoraConfig, inject_adapter_in_model

    # Not their subclasses: torch's own attention reads its `out_proj.weight` past any adapter.
    linear = [name for name, module in model.named_modules() if type(module) is nn.Linear]
    ends = [f".{end}" for end in config.lora_modules]
    for end in ends:
        if not any(f".{name}".endswith(end) for name in linear):
            known = ", ".join(sorted({name.rpartition(".")[2] for name in linear}))
            msg = (
                f"--lora_modules: {shown(end[1:])} is the name of no linear layer of this "
                f"{type(model).__name__}; expected some of {known}."
            )
            raise ConfigError(msg)
    settings = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=[name for name in linear if f".{name}".endswith(tuple(ends))],
    )
    inject_adapter_in_model(settings, model, _ADAPTER)
    model.train(model.training)  # new modules are in training mode, whatever the model is in


@contextlib.contextmanager
def plain_model(model: Any) -> Iterator[None]:
    """Merge adapters into plain linear layers inside the block; restore exact weights after it.

    Base weights are copied, as peft's `unmerge` is inexact.
    """
    adapted = {n: each for n, each in model.named_modules() if hasattr(each, "lora_A")}
    weights: dict[str, torch.Tensor] = {}
    try:
        with interrupts_deferred(), torch.no_grad():
            for name, layer in adapted.items():
                weights[name] = layer.base_layer.weight.detach().clone()
                layer.base_layer.weight.add_(layer.get_delta_weight(_ADAPTER))
                model.set_submodule(name, layer.base_layer)
        yield
    finally:
        with interrupts_deferred(), torch.no_grad():
            for name, weight in weights.items():
                layer = adapted[name]
                layer.base_layer.weight.copy_(weight)
                model.set_submodule(name, layer.train(layer.base_layer.training))
