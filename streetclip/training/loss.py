"""The contrastive loss in which images that share a caption are positives of one another.

Shape suffixes: N images of a batch, U its distinct captions, D embedding.
"""

import torch
from torch import Tensor
from torch.nn import functional


def contrastive_loss(
    image_features_ND: Tensor,
    text_features_UD: Tensor,
    caption_ids_N: Tensor,
    logit_scale: Tensor | float,
) -> Tensor:
    """Mean of the image-to-text and the text-to-image cross-entropy, with soft targets.

    It is the loss over all N × N pairs of images and captions in which row i's target is uniform
    over the pairs that share image i's caption (UniCL, Yang et al. 2022, arXiv 2204.03610, eq. 3
    and 4). With N distinct captions it is CLIP's InfoNCE. Equal captions have equal features, so
    that their columns are counted instead of computed: a column stands for c captions as log c
    inside the softmax, and c times in the mean.

    Soft targets have an entropy, so the loss cannot fall below the mean of log(number of images
    of the batch that share one's caption).

    Args:
        image_features_ND: Features of the images, of length 1.
        text_features_UD: Features of the distinct captions, of length 1, each used at least once.
        caption_ids_N: Row of `text_features_UD` that is the caption of each image, int64.
        logit_scale: Factor on the cosines, exp of the model's parameter. A constant bias on the
            logits (SigLIP's) cancels in the softmax, and so has no place here.

    Returns:
        The loss, a scalar of at least 0, in the precision of the features, float32 at least.

    Examples:
        Two images of one caption and one of another, all at right angles to all texts:

        >>> images, texts = torch.tensor([[1.0, 0, 0, 0]] * 3), torch.eye(4)[1:3]
        >>> contrastive_loss(images, texts, torch.tensor([0, 0, 1]), 10.0).exp().round()
        tensor(3.)
    """
    if image_features_ND.dtype in (torch.float16, torch.bfloat16):
        image_features_ND, text_features_UD = image_features_ND.float(), text_features_UD.float()
    logits_NU = logit_scale * image_features_ND @ text_features_UD.T
    positive_NU = functional.one_hot(caption_ids_N, len(text_features_UD)).to(logits_NU.dtype)
    count_U = positive_NU.sum(dim=0)
    own_logit_N = (logits_NU * positive_NU).sum(dim=1)
    to_text_N = torch.logsumexp(logits_NU + count_U.log(), dim=1)
    to_image_U = torch.logsumexp(logits_NU, dim=0)
    total = to_text_N.sum() + (count_U * to_image_U).sum() - 2 * own_logit_N.sum()
    return total / (2 * len(image_features_ND))
