"""Encode images faster with the same bits: B images, T tokens, D width."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn


@contextlib.contextmanager
def pooled_token_alone(model: Any) -> Iterator[None]:
    """Compute only the pooled token in CLIP's last vision layer.

    Keys and values of all tokens are kept; `last_hidden_state` is meaningless meanwhile. Other
    architectures are unchanged.
    """
    handles = []
    if model.config.model_type == "clip":
        layer = model.vision_model.encoder.layers[-1]
        # The residual of all tokens is added to the class token's: only the first sum is used.
        handles = [
            module.register_forward_pre_hook(_class_token)
            for module in (layer.self_attn.out_proj, layer.layer_norm2)
        ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class ImageTower(nn.Module):
    """Encode images, with weights cast once inside `fixed_weights`.

    Autocast casts all weights at each call. Nothing may change the weights inside `fixed_weights`.
    """

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self.model = model
        self.dtype = dtype
        self._is_fixed = False
        self._cast: dict[str, torch.Tensor] | None = None

    def forward(self, **inputs: Any) -> Any:
        """Compute as `get_image_features` does."""
        return self.model.get_image_features(**inputs)

    @contextlib.contextmanager
    def fixed_weights(self) -> Iterator[None]:
        """Cast the weights at most once until the outermost block ends."""
        was_fixed, self._is_fixed = self._is_fixed, True
        try:
            yield
        finally:
            self._is_fixed = was_fixed
            if not was_fixed:
                self._cast = None

    def under_autocast(self, **inputs: Any) -> Any:
        """Compute under autocast, with weights cast once where they are fixed."""
        if not self._is_fixed:
            return self(**inputs)
        if self._cast is None:
            self._cast = {
                f"{name}.{part}": weight.detach().to(self.dtype)
                for name, module in self.named_modules()
                if isinstance(module, (nn.Linear, nn.Conv2d)) and "text_model" not in name
                for part, weight in module.named_parameters(recurse=False)
            }
        return torch.func.functional_call(self, self._cast, (), inputs)


def _class_token(_module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    (hidden_BTD,) = inputs
    # Of strided rows, the product's kernel, and so its bits, depend on whether weights are trained.
    return (hidden_BTD[:, :1].contiguous(),)
