"""Where the transformer blocks of a dual encoder's towers are."""

from typing import Any

from streetclip.errors import ConfigError

TOWERS = {"vision_model": "image", "text_model": "text"}
"""Attributes of transformers' dual encoders that hold a tower, and which tower."""

_BLOCKS = "encoder.layers"
_BELOW_THE_BLOCKS = ("embeddings.", "pre_layrnorm.")  # transformers' own spelling


def count_blocks(model: Any) -> dict[str, int]:
    """Count the transformer blocks of each tower.

    Args:
        model: A dual encoder of transformers: CLIP, SigLIP or SigLIP 2.

    Returns:
        Number of blocks by attribute, `vision_model` and `text_model`.

    Raises:
        ConfigError: The model keeps its blocks elsewhere.
    """
    return {attribute: len(_blocks(model, attribute)) for attribute in TOWERS}


def blocks_above(model: Any) -> dict[str, int]:
    """Count, for every parameter, the blocks of its tower that lie above it.

    Of a tower with L blocks, what lies above all of them has 0 and so has the top block; the block
    at the bottom has L − 1; the embeddings, and the norm that CLIP puts before the first block,
    have L. What belongs to no tower (projections, logit scale and bias) has 0.

    Args:
        model: A dual encoder of transformers: CLIP, SigLIP or SigLIP 2.

    Returns:
        Number of blocks by parameter name, in the order of `model.named_parameters()`.

    Raises:
        ConfigError: The model keeps its blocks elsewhere.
    """
    num_blocks = count_blocks(model)
    return {name: _above(name, num_blocks) for name, _ in model.named_parameters()}


def _blocks(model: Any, attribute: str) -> Any:
    try:
        return model.get_submodule(f"{attribute}.{_BLOCKS}")
    except AttributeError:
        msg = (
            f"a {type(model).__name__} has no {attribute}.{_BLOCKS}; expected the transformer "
            "blocks of CLIP, SigLIP or SigLIP 2. Leave --train_parts last_blocks and "
            "--layer_decay out, or take such a model."
        )
        raise ConfigError(msg) from None


def _above(name: str, num_blocks: dict[str, int]) -> int:
    attribute, _, rest = name.partition(".")
    if attribute not in num_blocks:
        return 0
    if rest.startswith(f"{_BLOCKS}."):
        return num_blocks[attribute] - 1 - int(rest.split(".")[2])
    return num_blocks[attribute] if rest.startswith(_BELOW_THE_BLOCKS) else 0
