"""What a training minimises: the loss that was asked for, with the parameters that are its own.

Shape suffixes: N images, U distinct captions, D embedding.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from streetclip.config.train_options import LossOptions
from streetclip.models import DualEncoder
from streetclip.training.losses import Share, calibrated_bias, contrastive_loss, sigmoid_loss


class Objective:
    """The loss between image features and the features of their captions.

    The sigmoid loss needs a bias on the logits. A SigLIP model has one; for others the training
    keeps it beside the model, as a softmax over places cancels it.
    """

    def __init__(self, encoder: DualEncoder, config: LossOptions) -> None:
        """Choose the loss.

        Args:
            encoder: Gives the logit scale, and the bias where it has one.
            config: Gives `loss` and `duplicates`.
        """
        self._model = encoder.model
        self._is_sigmoid = config.loss == "sigmoid"
        self._duplicates = config.duplicates
        self._added_bias: nn.Parameter | None = None
        if self._is_sigmoid and getattr(encoder.model, "logit_bias", None) is None:
            self._added_bias = nn.Parameter(torch.full((), float("nan"), device=encoder.device))

    def parameters(self) -> Iterator[nn.Parameter]:
        """What learns, and is no part of the model."""
        if self._added_bias is not None:
            yield self._added_bias

    def __call__(
        self, images_ND: Tensor, texts_UD: Tensor, caption_ids_N: Tensor, share: Share | None = None
    ) -> Tensor:
        """Compute the loss, or what a share of rows and columns adds to it.

        Args:
            images_ND: Features of the images, of length 1.
            texts_UD: Features of their distinct captions, of length 1.
            caption_ids_N: Row of each image's caption.
            share: What to compute; None for the whole.
        """
        scale = self._model.logit_scale.exp()
        features = (images_ND, texts_UD, caption_ids_N, scale)
        options: dict[str, Any] = {"duplicates": self._duplicates, "own": share}
        if self._is_sigmoid:
            return sigmoid_loss(*features, self._bias, **options)
        return contrastive_loss(*features, **options)

    def calibrate(self, images_ND: Tensor, texts_UD: Tensor, caption_ids_N: Tensor) -> None:
        """Begin with a bias that fits the model as it is, if the loss has one to begin with.

        Else the first steps would only move the bias, at the cost of the features.
        """
        if self._added_bias is not None and self._added_bias.isnan():
            scale = self._model.logit_scale.detach().exp()
            features = (images_ND, texts_UD, caption_ids_N, scale)
            bias = calibrated_bias(*features, duplicates=self._duplicates)
            with torch.no_grad():
                self._added_bias.fill_(bias)

    def state_dict(self) -> dict[str, float]:
        """Plain values, as a checkpoint keeps them."""
        return {} if self._added_bias is None else {"logit_bias": float(self._added_bias.detach())}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Read what `state_dict` made."""
        if self._added_bias is not None:
            with torch.no_grad():
                self._added_bias.fill_(state["logit_bias"])

    @property
    def _bias(self) -> Tensor:
        bias: Tensor = self._model.logit_bias if self._added_bias is None else self._added_bias
        return bias
