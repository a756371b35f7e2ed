"""Contrastive losses over distinct captions; the whole, or the share of one of several processes.

Equal captions have equal features. So each distinct caption is a single column that counts as often
as images have it, and what is computed is N × U, not N × N.

Three answers to a pair of an image with the caption of another, where the two captions are equal:
"positive", it is a right pair too; "mask", it is left out; "ignore", it is a wrong pair like any
other, as in a loss that does not look at captions.

Shape suffixes: N images of the whole, n of one process; U distinct captions of the whole, u of one
process; M images whose caption is one of these u; D embedding.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from streetclip.config.train_options import DUPLICATES

_MOST_BISECTIONS = 64  # as many halve an interval of hundreds to less than float64 can tell


class Share(NamedTuple):
    """What one process computes of a loss; the values of shares that tile N and U add up to it.

    Attributes:
        images: Its images; it compares each with all captions.
        texts: Its distinct captions; it compares each with all images.
    """

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
    """Mean of the image-to-text and the text-to-image cross-entropy over all N × N pairs.

    It is CLIP's InfoNCE (Radford et al. 2021, arXiv 2103.00020, figure 3) where all captions
    differ. Where some are equal:

    - "ignore": InfoNCE all the same; only the pair of an image with its own caption is right.
    - "positive": targets are uniform over the pairs of the same caption (UniCL, Yang et al. 2022,
      arXiv 2204.03610, eq. 3 and 4). This has the value and the gradients of "ignore": an image
      has one logit for all c copies of its caption, so that the target's weights on them do not
      matter; and the c equal columns of a caption have c right images between them, one each or
      all of them by 1/c each, which adds up to the same. So even InfoNCE does not push right
      answers apart, as long as equal captions are encoded alike.
    - "mask": pairs of the same caption, but for an image and its own, are in no denominator.

    With c images to a caption the first two cannot fall below the mean of log c over the images,
    the third falls to 0. A column stands for its c copies as log c inside the softmax over
    captions, and c times in the mean.

    Args:
        image_features_ND: Features of all images, of length 1.
        text_features_UD: Features of all distinct captions, of length 1, each used at least once.
        caption_ids_N: Row of `text_features_UD` that is the caption of each image, int64.
        logit_scale: Factor on the cosines, exp of the model's parameter. A constant bias on the
            logits (SigLIP's) cancels in the softmax, and so has no place here.
        duplicates: "positive", "mask" or "ignore".
        own: The part to compute; default: the whole. Gradients reach all features.

    Returns:
        The loss or its part, a scalar of at least 0, in the precision of the features, float32 at
        least.

    Examples:
        Two images of one caption and one of another, all at right angles to all texts:

        >>> images, texts = torch.tensor([[1.0, 0, 0, 0]] * 3), torch.eye(4)[1:3]
        >>> captions = torch.tensor([0, 0, 1])
        >>> contrastive_loss(images, texts, captions, 10.0).exp().round()
        tensor(3.)

        Two processes, of which the second has all texts:

        >>> shares = Share(slice(0, 2), slice(0, 0)), Share(slice(2, 3), slice(0, 2))
        >>> parts = [contrastive_loss(images, texts, captions, 10.0, own=own) for own in shares]
        >>> sum(parts).exp().round()
        tensor(3.)
    """
    assert duplicates in DUPLICATES
    image_features_ND, text_features_UD = _precise(image_features_ND), _precise(text_features_UD)
    own_images, own_texts = own or _ALL
    count_U = _counts(caption_ids_N, text_features_UD)
    logits_nU = logit_scale * image_features_ND[own_images] @ text_features_UD.T
    logits_Nu = (
        logits_nU
        if own is None
        else logit_scale * image_features_ND @ text_features_UD[own_texts].T
    )
    column_N = caption_ids_N - own_texts.indices(len(text_features_UD))[0]
    is_masked = duplicates == "mask"
    to_text = _to_text(logits_nU, caption_ids_N[own_images], count_U, is_masked=is_masked)
    to_image = _to_image(logits_Nu, column_N, is_masked=is_masked)
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
    """Each of the N × N pairs judged by itself: −log σ(z · (scale · cosine + bias)), z = ±1.

    SigLIP's loss (Zhai et al. 2023, arXiv 2303.15343, algorithm 1): the sum over the captions,
    averaged over the images. z is 1 for an image and its own caption, −1 for others. Pairs of the
    same caption otherwise have z = 1 ("positive"), are left out ("mask"), or have z = −1
    ("ignore"); unlike in the softmax, all three differ.

    Args:
        image_features_ND: Features of all images, of length 1.
        text_features_UD: Features of all distinct captions, of length 1.
        caption_ids_N: Row of `text_features_UD` that is the caption of each image, int64.
        logit_scale: Factor on the cosines, exp of the model's parameter.
        logit_bias: Added to the logits; see `calibrated_bias`.
        duplicates: "positive", "mask" or "ignore".
        own: The part to compute; default: the whole. Every pair is judged once, so that the share
            of the images decides. Gradients reach all features.

    Returns:
        The loss or its part, a scalar of at least 0, in the precision of the features, float32 at
        least.

    Examples:
        One right pair and one wrong one an image, each as likely as not:

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
    """The bias at which the sigmoid loss of these features is least.

    There the mean probability of the pairs that are judged is the share of the right ones among
    them. A CLIP model has no bias; begun here, its first steps need not spend themselves on it.
    The loss is convex in the bias, so that the zero of its slope is found by bisection, in float64
    on the CPU.

    Args:
        image_features_ND: Features of the images of a step, of length 1.
        text_features_UD: Features of their distinct captions, of length 1.
        caption_ids_N: Row of `text_features_UD` that is the caption of each image, int64.
        logit_scale: Factor on the cosines.
        duplicates: As in `sigmoid_loss`.

    Returns:
        The bias. Where all pairs that are judged are right, one at which less than half a pair in
        all is expected to be wrong.

    Examples:
        One pair of two is right, and cosines say nothing:

        >>> features = torch.ones(2, 1)
        >>> abs(round(calibrated_bias(features, features, torch.arange(2), 5.0) + 5.0, 9))
        0.0
    """
    images_ND, texts_UD = (
        each.detach().cpu().double() for each in (image_features_ND, text_features_UD)
    )
    ids_N, scale = caption_ids_N.cpu(), torch.as_tensor(logit_scale).item()
    logits_NU = scale * images_ND @ texts_UD.T
    margin = torch.tensor(2.0 * len(ids_N) ** 2).log().item()
    low, high = -logits_NU.max().item() - margin, -logits_NU.min().item() + margin
    for _ in range(_MOST_BISECTIONS):
        middle = torch.tensor((low + high) / 2, dtype=torch.float64, requires_grad=True)
        with torch.enable_grad():
            loss = sigmoid_loss(images_ND, texts_UD, ids_N, scale, middle, duplicates=duplicates)
        (slope,) = torch.autograd.grad(loss, middle)
        low, high = (middle.item(), high) if slope < 0 else (low, middle.item())
    return (low + high) / 2


def _to_text(
    logits_nU: Tensor, caption_ids_n: Tensor, count_U: Tensor, *, is_masked: bool
) -> Tensor:
    """Sum over images of the cross-entropy of their captions among all."""
    ids_n1 = caption_ids_n[:, None]
    own_n1 = logits_nU.gather(1, ids_n1)
    counted_nU = logits_nU + count_U.log()
    if is_masked:  # the image's own copy alone is left of its caption
        counted_nU = counted_nU.scatter(1, ids_n1, own_n1)
    return (counted_nU.logsumexp(dim=1) - own_n1.squeeze(1)).sum()


def _to_image(logits_Nu: Tensor, column_N: Tensor, *, is_masked: bool) -> Tensor:
    """Sum over captions, each as often as it is used, of the cross-entropy of its images among all.

    `column_N` is the column of each image's caption, out of range where it is not among these.
    """
    row_M = ((column_N >= 0) & (column_N < logits_Nu.shape[1])).nonzero().squeeze(1)
    column_M = column_N[row_M]
    own_M = logits_Nu[row_M, column_M]
    if not is_masked:
        return (logits_Nu.logsumexp(dim=0)[column_M] - own_M).sum()
    negatives_Nu = logits_Nu.index_put((row_M, column_M), own_M.new_full((), -torch.inf))
    # log(e^own + Σ e^negative) − own, which is 0 where there is no negative.
    return -functional.logsigmoid(own_M - negatives_Nu.logsumexp(dim=0)[column_M]).sum()


def _counts(caption_ids_N: Tensor, text_features_UD: Tensor) -> Tensor:
    """How many images have each caption; unlike `bincount`, a GPU is not waited for."""
    count_U = text_features_UD.new_zeros(len(text_features_UD))
    return count_U.index_add(0, caption_ids_N, count_U.new_ones(len(caption_ids_N)))


def _precise(features: Tensor) -> Tensor:
    return features.float() if features.dtype in (torch.float16, torch.bfloat16) else features
