"""A moving average of the weights over the steps of a training."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from streetclip.training.interrupts import interrupts_deferred


class WeightAverage:
    """The exponential moving average of a model's trainable parameters.

    After step t, counted from 1, average ← d · average + (1 − d) · weight with
    d = min(decay, (1 + t) / (10 + t)). Averaging a training's weights is Polyak and Juditsky's
    (1992); the decay that rises, so that the weights of the beginning are soon forgotten, is that
    of TensorFlow's `ExponentialMovingAverage` with `num_updates`.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """Begin with the weights as they are.

        Args:
            model: On its device, in float32. Which of its parameters are trainable must not change
                any more.
            decay: In [0, 1); the average goes back over about 1 / (1 − decay) steps.
        """
        self._decay = decay
        self._num_updates = 0
        self._parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self._averages = {n: p.detach().clone() for n, p in self._parameters.items()}
        self._is_applied = False

    def update(self) -> None:
        """Take in the weights after a step."""
        assert not self._is_applied
        self._num_updates += 1
        decay = min(self._decay, (1 + self._num_updates) / (10 + self._num_updates))
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]  # torch leaves it so
        average(list(self._averages.values()), list(self._parameters.values()), None)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Have the model's weights be the averages; afterwards they are what they were, exactly.

        Nothing is copied: the parameters take the averages' memory, and give it back.
        """
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
        """What a checkpoint keeps: a number, and tensors by the parameters' names."""
        assert not self._is_applied
        return {"num_updates": self._num_updates, "averages": dict(self._averages)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave, of the same model with the same parts."""
        assert not self._is_applied
        assert state["averages"].keys() == self._averages.keys()
        self._num_updates = state["num_updates"]
        for name, average in self._averages.items():
            average.copy_(state["averages"][name])

    def _swap(self) -> None:
        for name, parameter in self._parameters.items():
            parameter.data, self._averages[name] = self._averages[name], parameter.data
        self._is_applied = not self._is_applied
