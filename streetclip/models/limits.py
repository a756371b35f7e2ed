"""Bound what the files of a model may ask for, before anything is built from them.

Memory is bounded by the weights: a model of more values than the files hold is not built.
"""

import json
import math
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules import module as torch_module

from streetclip.errors import ModelError, shown

MOST_BYTES = 4 * 2**20  # of a JSON file with settings; real ones have a few kB
MOST_PER_WORD = 256  # bytes of a tokenizer's file for each word of the model; Gemma's has 133
MOST_TENSORS = 20_000  # parameters and buffers; a CLIP of 96 layers has 1,600
MOST_PER_WEIGHT = 2  # values of a model for each value of its file; tied weights are stored once

_SIDE = (1, 4096)  # pixels
_COUNT = (1, 1000)
# Least and most of the numbers of a setting, by its whole name.
_ANY = (-1e300, 1e300)
_LIMITS = {
    r"(\w+_)?(layers|depths?|heads|groups|experts)": _COUNT,
    r"image_size|crop_size|size|patch_size|height|width|(shortest|longest)_edge": _SIDE,
    r"hidden_size|intermediate_size|projection_dim|embed_dim|num_channels": (1, 100_000),
    r"vocab_size|num_labels|max_position_embeddings|(max_)?num_patches": (1, 5_000_000),
    r"model_max_length": (1, math.inf),
    r"resample": (0, 5),  # filters of PIL
    r"rescale_factor": (1e-6, 1000.0),
    r"image_mean": (-1000.0, 1000.0),
    r"image_std": (0.001, 1000.0),
}


def read_settings(path: Path, name: str) -> dict[str, Any]:
    """Read a model's JSON file whose numbers are all in bounds.

    `name` is the model's, for messages. Raises ModelError for a file that is too large, no JSON
    object, or asks for too much.
    """
    check_size(path, name, MOST_BYTES)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        problem = None if isinstance(values, dict) else "expected a JSON object"
    except (OSError, ValueError, RecursionError) as error:
        problem = shown(error)
    if problem:
        msg = f"{name}: its {path.name} cannot be read ({problem}). Download the model again."
        raise ModelError(msg)
    for key, value in _scalars(values):
        least, most = _limits_of(key) or _ANY
        if isinstance(value, str) or not least <= value <= most:
            found = shown(value) if isinstance(value, str) else shown(value).strip("'")
            msg = f"{name}: its {path.name} has {found} as {shown(key)}; expected a number from "
            raise ModelError(msg + f"{least:,} to {most:,}.")
    return dict(values)


def check_size(path: Path, name: str, most_bytes: int = 4 * MOST_BYTES) -> None:
    """Raise ModelError for a file larger than any real model's."""
    if path.stat().st_size > most_bytes:
        msg = (
            f"{name}: its {path.name} has {path.stat().st_size / 2**20:,.0f} MiB; expected at most "
            f"{most_bytes / 2**20:,.0f}. Download the model again."
        )
        raise ModelError(msg)


@contextmanager
def bounded_modules(state: dict[str, torch.Tensor], name: str) -> Iterator[None]:
    """Stop building modules that hold more than the weights can fill.

    Raises ModelError from within the constructor, whatever the architecture.
    """
    num_values = num_tensors = 0
    most_values = MOST_PER_WEIGHT * _num_stored(state, name)

    def count(_module: object, _name: str, tensor: torch.Tensor | None) -> None:
        nonlocal num_values, num_tensors
        num_tensors += 1
        num_values += 0 if tensor is None else tensor.numel()
        if num_values > most_values or num_tensors > MOST_TENSORS:
            msg = (
                f"{name}: config.json asks for more than {most_values:,} parameters or "
                f"{MOST_TENSORS:,} tensors, but the weights have {most_values // MOST_PER_WEIGHT:,}"
                " values. Are these weights of another architecture?"
            )
            raise ModelError(msg)

    with ExitStack() as stack:
        for register in (
            torch_module.register_module_parameter_registration_hook,
            torch_module.register_module_buffer_registration_hook,
        ):
            stack.enter_context(register(count))
        yield


def _num_stored(state: dict[str, torch.Tensor], name: str) -> int:
    """Count the values that tensors hold in memory, shared ones once."""
    stored = {}
    for key, tensor in state.items():
        if tensor.layout != torch.strided or tensor.device.type != "cpu":
            kind = f"{tensor.layout} on {tensor.device}".removeprefix("torch.")
            msg = f"{name}: its tensor {shown(key)} is {kind}; expected plain numbers."
            raise ModelError(msg)
        storage = tensor.untyped_storage()
        stored[storage.data_ptr()] = storage.nbytes() // tensor.element_size()
    return sum(stored.values())


def _scalars(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield numbers and limited texts, each with the key it is under."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _scalars(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _scalars(each, key)
    elif type(value) in (int, float) or (type(value) is str and _limits_of(key)):
        yield key, value


def _limits_of(key: str) -> tuple[float, float] | None:
    return next((each for name, each in _LIMITS.items() if re.fullmatch(name, key)), None)
