"""Compute contrastive losses over distinct captions, or one process's share.

Each distinct caption is one column, weighted by its images: logits are N × U, not N × N. Pairs of
an image and another image's equal caption (`duplicates`) are "positive", left out ("mask") or wrong
("ignore").

Shape suffixes: N images, n of one process; U distinct captions, u of one process; M images with
one of these u; D embedding.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from streetclip.config.train_options import DUPLICATES, LossOptions
from streetclip.models.encoder import DualEncoder

_BISECTIONS = 64  # halve an interval of hundreds to less than float64 resolves


class Share(NamedTuple):
    """Rows and columns of the logits of one process; shares that tile N and U add up."""

    images: slice
    texts: slice


_ALL = Share(slice(None), slice(None))


def contrastive_loss(
    image_features_ND: Tensor,
    text_features_UD: Tensor,
    caption_ids_N: Tensor,
    logit_scale: Tensor | float,
    *,
    duplicates: str = "positive",
    own: Share | None = None,
) -> Tensor:
    """Compute the mean of image-to-text and text-to-image cross-entropy over all N × N pairs.

    CLIP's InfoNCE (Radford et al. 2021, arXiv 2103.00020, figure 3); with equal captions
    "ignore" and "positive" (uniform targets: UniCL, Yang et al. 2022, arXiv 2204.03610, eq. 3 and
    4) have the same value, and "mask" leaves their pairs out of all denominators.

    Features are unit vectors, `caption_ids_N` (int64) the row of each image's caption; each caption
    is used at least once. `own` is the part to compute, by default the whole. The loss is at least
    0, in float32 or float64.

    Examples:
        Two images of one caption and one of another, all orthogonal to all texts:

        >>> images, texts = torch.tensor([[1.0, 0, 0, 0]] * 3), torch.eye(4)[1:3]
        >>> captions = torch.tensor([0, 0, 1])
        >>> contrastive_loss(images, texts, captions, 10.0).exp().round()
        tensor(3.)
    """
    assert duplicates in DUPLICATES
    image_features_ND, text_features_UD = _precise(image_features_ND), _precise(text_features_UD)
    own_images, own_texts = own or _ALL
    is_masked = duplicates == "mask"
    logits_nU = logit_scale * image_features_ND[own_images] @ text_features_UD.T
    logits_Nu = (
        logits_nU
        if own is None
        else logit_scale * image_features_ND @ text_features_UD[own_texts].T
    )

    # Image to text: log c weights a column by its c copies inside the softmax.
    ids_n1 = caption_ids_N[own_images, None]
    own_n1 = logits_nU.gather(1, ids_n1)
    counted_nU = logits_nU + _counts(caption_ids_N, text_features_UD).log()
    if is_masked:  # of its caption, keep the image's own copy only
        counted_nU = counted_nU.scatter(1, ids_n1, own_n1)
    to_text = (counted_nU.logsumexp(dim=1) - own_n1.squeeze(1)).sum()

    # Text to image: each caption of this process, once per image.
    column_N = caption_ids_N - own_texts.indices(len(text_features_UD))[0]
    row_M = ((column_N >= 0) & (column_N < logits_Nu.shape[1])).nonzero().squeeze(1)
    column_M = column_N[row_M]
    own_M = logits_Nu[row_M, column_M]
    if is_masked:
        negatives_Nu = logits_Nu.index_put((row_M, column_M), own_M.new_full((), -torch.inf))
        # log(e^own + Σ e^negative) − own, which is 0 without a negative
        to_image = -functional.logsigmoid(own_M - negatives_Nu.logsumexp(dim=0)[column_M]).sum()
    else:
        to_image = (logits_Nu.logsumexp(dim=0)[column_M] - own_M).sum()
    return (to_text + to_image) / (2 * len(image_features_ND))


def sigmoid_loss(
    image_features_ND: Tensor,
    text_features_UD: Tensor,
    caption_ids_N: Tensor,
    logit_scale: Tensor | float,
    logit_bias: Tensor | float,
    *,
    duplicates: str = "positive",
    own: Share | None = None,
) -> Tensor:
    """Compute SigLIP's loss over all N × N pairs: −log σ(z · (scale · cosine + bias)).

    Summed over captions, averaged over images (Zhai et al. 2023, arXiv 2303.15343, algorithm 1).
    z is 1 for correct pairs and −1 for wrong ones. Arguments as in `contrastive_loss`; only the
    images of `own` matter.

    Examples:
        >>> sigmoid_loss(torch.eye(2), torch.eye(2), torch.arange(2), 0.0, 0.0) / 2
        tensor(0.6931)
    """
    assert duplicates in DUPLICATES
    image_features_ND, text_features_UD = _precise(image_features_ND), _precise(text_features_UD)
    own_images = (own or _ALL).images
    count_U = _counts(caption_ids_N, text_features_UD)
    ids_n1 = caption_ids_N[own_images, None]
    logits_nU = logit_scale * image_features_ND[own_images] @ text_features_UD.T + logit_bias
    own_n, copies_n = logits_nU.gather(1, ids_n1).squeeze(1), count_U[ids_n1.squeeze(1)] - 1
    negatives_nU = logits_nU.scatter(1, ids_n1, -torch.inf)
    total = -(functional.logsigmoid(-negatives_nU) @ count_U).sum()
    total = total - functional.logsigmoid(own_n).sum()
    if duplicates != "mask":
        sign = 1 if duplicates == "positive" else -1
        total = total - (copies_n * functional.logsigmoid(sign * own_n)).sum()
    return total / len(image_features_ND)


def calibrated_bias(
    image_features_ND: Tensor,
    text_features_UD: Tensor,
    caption_ids_N: Tensor,
    logit_scale: Tensor | float,
    *,
    duplicates: str = "positive",
) -> float:
    """Find the logit bias that minimises the sigmoid loss, by bisection of its slope.

    Computes in float64 on the CPU. If all pairs are correct, the bias is finite: less than half a
    wrong pair is expected.
    """
    images_ND, texts_UD = (
        each.detach().cpu().double() for each in (image_features_ND, text_features_UD)
    )
    ids_N, scale = caption_ids_N.cpu(), torch.as_tensor(logit_scale).item()
    logits_NU = scale * images_ND @ texts_UD.T
    margin = torch.tensor(2.0 * len(ids_N) ** 2).log().item()
    low, high = -logits_NU.max().item() - margin, -logits_NU.min().item() + margin
    for _ in range(_BISECTIONS):
        middle = torch.tensor((low + high) / 2, dtype=torch.float64, requires_grad=True)
        with torch.enable_grad():
            loss = sigmoid_loss(images_ND, texts_UD, ids_N, scale, middle, duplicates=duplicates)
        (slope,) = torch.autograd.grad(loss, middle)
        low, high = (middle.item(), high) if slope < 0 else (low, middle.item())
    return (low + high) / 2


class Objective:
    """The configured loss, with the logit bias of a sigmoid loss if the model has none."""

    def __init__(self, encoder: DualEncoder, config: LossOptions) -> None:
        self._model = encoder.model
        self._is_sigmoid = config.loss == "sigmoid"
        self._duplicates = config.duplicates
        self._added_bias: nn.Parameter | None = None
        if self._is_sigmoid and getattr(encoder.model, "logit_bias", None) is None:
            self._added_bias = nn.Parameter(torch.full((), float("nan"), device=encoder.device))

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield the trainable parameters outside of the model."""
        if self._added_bias is not None:
            yield self._added_bias

    def __call__(
        self, images_ND: Tensor, texts_UD: Tensor, caption_ids_N: Tensor, share: Share | None = None
    ) -> Tensor:
        """Compute the loss or the part of a share."""
        features = (images_ND, texts_UD, caption_ids_N, self._model.logit_scale.exp())
        options: dict[str, Any] = {"duplicates": self._duplicates, "own": share}
        if not self._is_sigmoid:
            return contrastive_loss(*features, **options)
        bias = self._model.logit_bias if self._added_bias is None else self._added_bias
        return sigmoid_loss(*features, bias, **options)

    def calibrate(self, images_ND: Tensor, texts_UD: Tensor, caption_ids_N: Tensor) -> None:
        """Fit an added bias to the initial model, once."""
        if self._added_bias is None or not self._added_bias.isnan():
            return
        scale = self._model.logit_scale.detach().exp()
        features = (images_ND, texts_UD, caption_ids_N, scale)
        with torch.no_grad():
            self._added_bias.fill_(calibrated_bias(*features, duplicates=self._duplicates))

    def state_dict(self) -> dict[str, float]:
        """Return plain values for a checkpoint."""
        return {} if self._added_bias is None else {"logit_bias": float(self._added_bias.detach())}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Restore what `state_dict` returned."""
        if self._added_bias is not None:
            with torch.no_grad():
                self._added_bias.fill_(state["logit_bias"])


def _counts(caption_ids_N: Tensor, text_features_UD: Tensor) -> Tensor:
    """Count the images of each caption without waiting for a GPU, unlike `bincount`."""
    count_U = text_features_UD.new_zeros(len(text_features_UD))
    return count_U.index_add(0, caption_ids_N, count_U.new_ones(len(caption_ids_N)))


def _precise(features: Tensor) -> Tensor:
    return features.float() if features.dtype in (torch.float16, torch.bfloat16) else features
