"""What of a model learns."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streetclip.config.train_options import PartsOptions
from streetclip.errors import ConfigError
from streetclip.models.blocks import TOWERS, blocks_above, count_blocks
from streetclip.training.lora import ADAPTER_MARK, add_adapters

_ALWAYS = ("logit_scale", "logit_bias")
_PROJECTIONS = ("visual_projection.", "text_projection.")
_IMAGE = ("vision_model.", "visual_projection.")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What learns.

    Attributes:
        num_trainable: Numbers that learn, in all trainable parameters together.
        num_total: Numbers in all parameters, adapters included.
        description: What learns, in words, for a log line.
    """

    num_trainable: int
    num_total: int
    description: str


def choose_parts(model: Any, config: PartsOptions) -> Parts:
    """Have some parameters of a dual encoder learn, and freeze the others, in place.

    The logit scale and a logit bias of the model always learn. For what is frozen, and lies below
    all that learns, no activations are kept.

    Args:
        model: A dual encoder of transformers. With `lora`, adapters are put into it (see
            `add_adapters`; seed torch before).
        config: `train_parts` is one of

            - `full`: everything;
            - `image`: the image tower with its projection;
            - `last_blocks`: the last `last_blocks` transformer blocks of each tower, the norms and
              heads above them, and the projections;
            - `projections`: CLIP's two linear maps into the common space;
            - `lora`: low-rank adapters.

            With `gradient_checkpointing`, activations inside a block are computed again in the
            backward pass (Chen et al. 2016, arXiv 1604.06174) while the model is in training mode.
            Hooks on its modules, as of `models.inference.pooled_token_alone`, must then stay until
            the backward pass is done.

    Raises:
        ConfigError: The model lacks what shall learn, has fewer blocks, or cannot compute
            activations again.
    """
    learns, description = _CHOICES[config.train_parts](model, config)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in _ALWAYS or learns(name))
    if config.gradient_checkpointing:
        _checkpoint_activations(model)
    sizes = [(each.numel(), each.requires_grad) for each in model.parameters()]
    num_trainable = sum(size for size, is_trainable in sizes if is_trainable)
    num_total = sum(size for size, _ in sizes)
    return Parts(
        num_trainable=num_trainable,
        num_total=num_total,
        description=f"{description}: {num_trainable:,} of {num_total:,} parameters learn",
    )


_Choice = tuple[Callable[[str], bool], str]


def _full(_model: Any, _config: PartsOptions) -> _Choice:
    return lambda _name: True, "the whole model"


def _image(model: Any, _config: PartsOptions) -> _Choice:
    if not hasattr(model, "vision_model"):
        msg = (
            f"--train_parts image: a {type(model).__name__} has no vision_model; expected a CLIP "
            "or SigLIP. Take --train_parts full."
        )
        raise ConfigError(msg)
    return lambda name: name.startswith(_IMAGE), "the image tower with its projection"


def _last_blocks(model: Any, config: PartsOptions) -> _Choice:
    wanted, above = config.last_blocks, blocks_above(model)
    counts = count_blocks(model)
    if wanted > min(counts.values()):
        found = " and ".join(f"{n} in the {TOWERS[tower]} tower" for tower, n in counts.items())
        msg = (
            f"--last_blocks is {wanted}, but the model has {found} only; expected at most "
            f"{min(counts.values())}. Lower it, or take --train_parts full."
        )
        raise ConfigError(msg)
    blocks = "last block" if wanted == 1 else f"last {wanted} blocks"
    return lambda name: above[name] < wanted, f"the {blocks} of each tower and all above"


def _projections(model: Any, _config: PartsOptions) -> _Choice:
    if not all(hasattr(model, name.rstrip(".")) for name in _PROJECTIONS):
        msg = (
            f"--train_parts projections: a {type(model).__name__} has no visual_projection and "
            "text_projection; expected a CLIP. Take --train_parts last_blocks, or lora."
        )
        raise ConfigError(msg)
    return lambda name: name.startswith(_PROJECTIONS), "the projections"


def _lora(model: Any, config: PartsOptions) -> _Choice:
    add_adapters(model, config)
    where = ", ".join(config.lora_modules)
    description = f"low-rank adapters (rank {config.lora_rank}) in {where}"
    return lambda name: ADAPTER_MARK in name, description


_CHOICES: dict[str, Callable[[Any, PartsOptions], _Choice]] = {
    "full": _full,
    "image": _image,
    "last_blocks": _last_blocks,
    "projections": _projections,
    "lora": _lora,
}


def _checkpoint_activations(model: Any) -> None:
    if not getattr(model, "supports_gradient_checkpointing", False):
        msg = (
            f"--gradient_checkpointing: a {type(model).__name__} cannot compute its activations "
            "again. Leave it out, and lower --batch_size if memory is short."
        )
        raise ConfigError(msg)
    model.activation_checkpointing_enable({"use_reentrant": False})
    # That makes embeddings learn, as re-entrant checkpointing needs: in vain here, and activations
    # of frozen parts would be kept.
    model.disable_input_require_grads()
