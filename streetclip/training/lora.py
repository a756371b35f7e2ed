"""Low-rank adapters: what they are put into, and the plain model that they amount to."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from streetclip.config.train_options import PartsOptions
from streetclip.errors import ConfigError, shown
from streetclip.training.interrupts import interrupts_deferred

ADAPTER_MARK = ".lora_"
"""What the names of the adapters' parameters have in them, and no others."""

_ADAPTER = "default"  # peft's own name for the only one


def add_adapters(model: nn.Module, config: PartsOptions) -> None:
    """Put low-rank adapters into linear layers, in place; only they learn afterwards.

    A layer's product W x becomes W x + (alpha / rank) B A dropout(x), with A of `rank` rows drawn
    at random and B zero, so that the model's features are what they were (LoRA, Hu et al. 2022,
    arXiv 2106.09685; made by peft). A depends on torch's random numbers: seed them before.

    Args:
        model: Stays the same object; its layers' names in a state dict become
            `NAME.base_layer`, `NAME.lora_A.default` and `NAME.lora_B.default`.
        config: Gives `lora_modules`, `lora_rank`, `lora_alpha` and `lora_dropout`.

    Raises:
        ConfigError: A name of `lora_modules` matches no linear layer.
    """
    from peft import LoraConfig, inject_adapter_in_model

    settings = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=_matching_layers(model, config.lora_modules),
    )
    inject_adapter_in_model(settings, model, _ADAPTER)
    model.train(model.training)  # new modules are in training mode, whatever the model is in


@contextlib.contextmanager
def plain_model(model: Any) -> Iterator[None]:
    """Have plain linear layers in place of those with adapters, with the weights that they make.

    Inside, names of modules and tensors are the base model's, and so is all that is saved;
    afterwards the adapters are back and every weight is what it was, bit for bit. (peft's own
    `unmerge` subtracts what `merge` had added, which is inexact.) Nothing is changed in a model
    without adapters. Needs memory for a second copy of the adapted layers' weights.

    Args:
        model: As `add_adapters` left it, or any other.
    """
    adapted = {n: each for n, each in model.named_modules() if hasattr(each, "lora_A")}
    weights: dict[str, torch.Tensor] = {}
    try:
        with interrupts_deferred():
            for name, layer in adapted.items():
                weights[name] = layer.base_layer.weight.detach().clone()
                _merge(layer)
                model.set_submodule(name, layer.base_layer)
        yield
    finally:
        with interrupts_deferred():
            for name, weight in weights.items():
                layer = adapted[name]
                layer.base_layer.weight.copy_(weight)
                model.set_submodule(name, layer.train(layer.base_layer.training))


@torch.no_grad()
def _merge(layer: Any) -> None:
    layer.base_layer.weight.add_(layer.get_delta_weight(_ADAPTER))


def _matching_layers(model: nn.Module, ends: tuple[str, ...]) -> list[str]:
    """Names of the linear layers whose names end so.

    Raises:
        ConfigError: One of the ends matches none.
    """
    # Not their subclasses: torch's own attention reads its `out_proj.weight` past any adapter.
    linear = [name for name, module in model.named_modules() if type(module) is nn.Linear]
    for end in ends:
        if not any(_ends_with(name, end) for name in linear):
            there = ", ".join(sorted({name.rpartition(".")[2] for name in linear}))
            msg = (
                f"--lora_modules: {shown(end)} is the name of no linear layer of this "
                f"{type(model).__name__}; expected some of {there}."
            )
            raise ConfigError(msg)
    return [name for name in linear if any(_ends_with(name, end) for end in ends)]


def _ends_with(name: str, end: str) -> bool:
    return f".{name}".endswith(f".{end}")
