"""Build AdamW, schedule its learning rate, and average weights."""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from streetclip.config import TrainConfig
from streetclip.models.blocks import blocks_above
from streetclip.training.interrupts import interrupts_deferred

ADAM_BETA1 = 0.9
ADAM_EPSILON = 1e-6
MAX_LOGIT_SCALE = 100.0


def build_optimizer(
    model: nn.Module, config: TrainConfig, extra: Sequence[nn.Parameter] = ()
) -> torch.optim.AdamW:
    """Build AdamW with weight decay on matrices only and layer-wise learning rates.

    A group's `lr_scale` is `layer_decay` to the power of the number of blocks above (ELECTRA, Clark
    et al. 2020, arXiv 2003.10555; BEiT, Bao et al. 2021, arXiv 2106.08254), but 1 for the top block
    too. `extra` parameters are not decayed. The model must be on its device already. Raises
    ConfigError if `layer_decay` is not 1 and the model's blocks are not found.
    """
    above = blocks_above(model) if config.layer_decay < 1 else {}
    # By number of blocks above, and whether exempt from decay
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {(0, False): [], (0, True): []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            is_logit = name.endswith(("logit_scale", "logit_bias"))
            key = above.get(name, 0), is_logit or parameter.ndim < 2  # noqa: PLR2004
            groups.setdefault(key, []).append(parameter)
    groups[0, True].extend(extra)
    return torch.optim.AdamW(
        [
            {
                "params": groups[depth, is_exempt],
                "weight_decay": 0.0 if is_exempt else config.weight_decay,
                "lr": config.learning_rate * config.layer_decay**depth,
                "lr_scale": config.layer_decay**depth,
            }
            for depth, is_exempt in sorted(groups)
        ],
        lr=config.learning_rate,
        betas=(ADAM_BETA1, config.beta2),
        eps=ADAM_EPSILON,
        # One kernel for all parameters, faster on a CPU too
        fused=all(p.device.type in ("cpu", "cuda") for p in model.parameters()),
    )


def learning_rate_factor(
    step: int, num_steps: int, *, warmup_fraction: float, schedule: str = "cosine"
) -> float:
    """Compute the share of the peak learning rate at a step, counted from 0.

    Linear warm-up, then "cosine" or "linear" decay, to 0 after the last step.

    Examples:
        >>> [learning_rate_factor(s, num_steps=8, warmup_fraction=0.25) for s in (0, 1, 2, 5)]
        [0.5, 1.0, 1.0, 0.5]
    """
    warmup_steps = math.ceil(warmup_fraction * num_steps)
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    passed = (step - warmup_steps) / max(1, num_steps - warmup_steps)
    return 1 - passed if schedule == "linear" else 0.5 * (1 + math.cos(math.pi * passed))


def logit_scale_bound(model: Any) -> float:
    """Return the largest logit scale to allow: CLIP's 100 (section 2.5) or the initial one."""
    return max(MAX_LOGIT_SCALE, math.exp(float(model.logit_scale.detach())))


def clamp_logit_scale(model: Any, most: float = MAX_LOGIT_SCALE) -> None:
    """Clamp the logit scale, stored as a logarithm, to [1, `most`]."""
    with torch.no_grad():
        model.logit_scale.clamp_(0.0, math.log(most))


class WeightAverage:
    """Exponential moving average (EMA) of a model's trainable parameters over steps.

    After step t, counted from 1, average ← d · average + (1 − d) · weight with d = min(decay,
    (1 + t) / (10 + t)), as TensorFlow's `ExponentialMovingAverage` with `num_updates`.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._num_updates = 0
        self._parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self._averages = {n: p.detach().clone() for n, p in self._parameters.items()}
        self._is_applied = False

    def update(self) -> None:
        """Average in the weights after a step."""
        assert not self._is_applied
        self._num_updates += 1
        decay = min(self._decay, (1 + self._num_updates) / (10 + self._num_updates))
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average(list(self._averages.values()), list(self._parameters.values()), None)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Swap averages and weights inside the block, without a copy."""
        assert not self._is_applied
        try:
            with interrupts_deferred():
                self._swap()
            yield
        finally:
            with interrupts_deferred():
                if self._is_applied:
                    self._swap()

    def state_dict(self) -> dict[str, Any]:
        """Return values for a checkpoint."""
        assert not self._is_applied
        return {"num_updates": self._num_updates, "averages": dict(self._averages)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned for the same trainable parameters."""
        assert not self._is_applied
        assert state["averages"].keys() == self._averages.keys()
        self._num_updates = state["num_updates"]
        for name, average in self._averages.items():
            average.copy_(state["averages"][name])

    def _swap(self) -> None:
        for name, parameter in self._parameters.items():
            parameter.data, self._averages[name] = self._averages[name], parameter.data
        self._is_applied = not self._is_applied
