"""Find the transformer blocks of a dual encoder's towers."""

from typing import Any

from streetclip.errors import ConfigError

TOWERS = {"vision_model": "image", "text_model": "text"}  # by attribute of dual encoders
_BLOCKS = "encoder.layers"
_BELOW_THE_BLOCKS = ("embeddings.", "pre_layrnorm.")  # transformers' own spelling


def count_blocks(model: Any) -> dict[str, int]:
    """Count the transformer blocks of each tower; ConfigError if they are elsewhere."""
    try:
        return {tower: len(model.get_submodule(f"{tower}.{_BLOCKS}")) for tower in TOWERS}
    except AttributeError:
        msg = (
            f"a {type(model).__name__} lacks {' or '.join(f'{t}.{_BLOCKS}' for t in TOWERS)}; "
            "expected the transformer blocks of CLIP, SigLIP or SigLIP 2. Leave --train_parts "
            "last_blocks and --layer_decay out, or choose such a model."
        )
        raise ConfigError(msg) from None


def blocks_above(model: Any) -> dict[str, int]:
    """Count for every parameter the blocks of its tower that are above it.

    In a tower of L blocks the top block and everything above has 0, the bottom block L − 1,
    embeddings and CLIP's first norm L. Parameters outside towers have 0. Ordered as
    `model.named_parameters()`.
    """
    num_blocks = count_blocks(model)
    above = {}
    for name, _ in model.named_parameters():
        tower, _, rest = name.partition(".")
        above[name] = 0
        if tower in num_blocks and rest.startswith(f"{_BLOCKS}."):
            above[name] = num_blocks[tower] - 1 - int(rest.split(".")[2])
        elif tower in num_blocks and rest.startswith(_BELOW_THE_BLOCKS):
            above[name] = num_blocks[tower]
    return above
