"""AdamW as CLIP is trained with it, and the bounds of the logit scale."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from streetclip.config import TrainConfig
from streetclip.models.blocks import blocks_above

ADAM_BETA1 = 0.9
ADAM_EPSILON = 1e-6
MAX_LOGIT_SCALE = 100.0


def build_optimizer(
    model: nn.Module, config: TrainConfig, extra: Sequence[nn.Parameter] = ()
) -> torch.optim.AdamW:
    """Make AdamW with weight decay on matrices only, and learning rates that fall with depth.

    Biases, norms and the class token (1-D parameters), the logit scale and the logit bias are not
    decayed: their size says nothing about overfitting, and a decayed logit scale would drift to 1.

    Every group has an `lr_scale`, by which whoever sets the learning rate multiplies it. It is
    `config.layer_decay` to the power of the number of blocks of the same tower that lie above the
    parameter (`models.blocks_above`): of a tower with L blocks, 1 for all that lies above them and
    for the top block, decay^(L−l) for the l-th block, decay^L for the embeddings; 1 for
    projections, logit scale and bias. So do ELECTRA (Clark et al. 2020, arXiv 2003.10555) and BEiT
    (Bao et al. 2021, arXiv 2106.08254), but that their top block stands one power of the decay
    below a head that is new; here all that lies above the blocks was pre-trained with them.

    Args:
        model: Its trainable parameters are taken; it must be on its device already.
        config: Gives `learning_rate`, `weight_decay`, `beta2` and `layer_decay`.
        extra: Parameters that learn but are not the model's, such as a logit bias; not decayed.

    Returns:
        Its groups are, by `lr_scale` from the largest, those with weight decay and those without;
        the two of `lr_scale` 1 stand there even if empty.

    Raises:
        ConfigError: `layer_decay` is not 1 and the model's blocks are not to be found.
    """
    return torch.optim.AdamW(
        _groups(model, config, extra),
        lr=config.learning_rate,
        betas=(ADAM_BETA1, config.beta2),
        eps=ADAM_EPSILON,
        # One kernel for all parameters: 5 times faster than the loop on a CPU for small models.
        fused=_can_fuse(model),
    )


def logit_scale_bound(model: nn.Module) -> float:
    """The largest logit scale to allow: 100 as CLIP (section 2.5), or what the model came with.

    SigLIP comes with about 117. To be read before a checkpoint of the training is loaded.
    """
    return max(MAX_LOGIT_SCALE, math.exp(float(_logit_scale(model).detach())))


def clamp_logit_scale(model: nn.Module, most: float = MAX_LOGIT_SCALE) -> None:
    """Bound the logit scale, which is kept as a logarithm, to [1, `most`] (`logit_scale_bound`)."""
    with torch.no_grad():
        _logit_scale(model).clamp_(0.0, math.log(most))


def _groups(
    model: nn.Module, config: TrainConfig, extra: Sequence[nn.Parameter]
) -> list[dict[str, Any]]:
    above = blocks_above(model) if config.layer_decay < 1 else {}
    # By depth and whether kept from decay. Those of depth 0 stand there even if empty.
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {(0, False): [], (0, True): []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            key = above.get(name, 0), not _is_decayed(name, parameter)
            groups.setdefault(key, []).append(parameter)
    groups[0, True].extend(extra)
    return [
        {
            "params": groups[depth, is_kept],
            "weight_decay": 0.0 if is_kept else config.weight_decay,
            "lr": config.learning_rate * config.layer_decay**depth,
            "lr_scale": config.layer_decay**depth,
        }
        for depth, is_kept in sorted(groups)
    ]


def _logit_scale(model: nn.Module) -> torch.Tensor:
    parameter = model.logit_scale
    assert isinstance(parameter, torch.Tensor)
    return parameter


def _is_decayed(name: str, parameter: torch.Tensor) -> bool:
    return parameter.ndim >= 2 and not name.endswith(("logit_scale", "logit_bias"))  # noqa: PLR2004


def _can_fuse(model: nn.Module) -> bool:
    return all(p.device.type in ("cpu", "cuda") for p in model.parameters())
