"""One loss over more images than fit into memory, exact to the last gradient (GradCache).

A contrastive loss is no sum over portions of a batch: each image is contrasted with all others. But
it needs of each image no more than its feature. So the features are computed portion by portion
without what a backward pass needs, the loss and its gradients with respect to the features from
all of them, and then each portion is encoded once more, to pass its features' gradients on to the
weights. Source: Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory
Limited Setup", arXiv 2101.06983, section 3.2. Features are gathered over processes on the way, so
that several compute what one would; each computes only its own rows and columns of the logits.

Shape suffixes: N images, U distinct captions, D embedding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streetclip.runtime.distributed import Group
from streetclip.training.losses import Share

Encode = Callable[[], Tensor]
"""Encodes a portion of rows, the same each time that it is called."""


class PortionedFeatures:
    """Features that are computed portion by portion, and passed back in the same way.

    The last portion's forward pass is kept, so that it is not computed twice; one that is alone
    costs nothing more than without portions. What learns nothing is not passed back.

    Attributes:
        features_ND: Features of all portions, without gradient.
    """

    def __init__(self, portions: Sequence[Encode], num_columns: int, device: torch.device) -> None:
        """Encode all portions.

        Args:
            portions: How each is encoded, with gradients where they are enabled.
            num_columns: D, for the case that there is no portion.
            device: Where the features lie, for the same case.
        """
        self._portions = portions
        self._last: Tensor | None = None
        features = []
        for encode in portions[:-1]:
            with torch.no_grad():
                features.append(encode())
        if portions:
            self._last = portions[-1]()
            features.append(self._last.detach())
        self._sizes = [len(each) for each in features]
        self.features_ND = (
            torch.cat(features) if features else torch.zeros(0, num_columns, device=device)
        )

    def backward(self, gradient_ND: Tensor) -> None:
        """Add to the weights' gradients what the features' gradients make of them; only once."""
        if self._last is None or not self._last.requires_grad:
            return
        *others, last = torch.split(gradient_ND, self._sizes)
        self._last.backward(last)  # type: ignore[no-untyped-call]
        self._last = None
        for encode, gradient in zip(self._portions, others, strict=False):
            encode().backward(gradient)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Contrast:
    """Images and captions that are contrasted with one another, over all processes.

    Attributes:
        images: Those of this process.
        texts: The distinct captions that this process encodes.
        image_counts: Images of each process.
        text_counts: Distinct captions of each process.
        caption_ids_N: Caption of each image of all processes, as a row of all captions.
    """

    images: PortionedFeatures
    texts: PortionedFeatures
    image_counts: Sequence[int]
    text_counts: Sequence[int]
    caption_ids_N: NDArray[np.int64]


Loss = Callable[[Tensor, Tensor, Tensor, Share], Tensor]
"""From image features ND, text features UD, caption ids N to what a share adds to the loss."""


def backward(
    contrast: Contrast,
    loss_of: Loss,
    group: Group | None = None,
    scaled: Callable[[Tensor], Tensor] = lambda loss: loss,
) -> Tensor:
    """Compute the loss of a contrast and add to the gradients of all that learns.

    The gradients of the weights are those of this process's images and captions alone: their sum
    over the processes is the whole. So is the sum of the losses.

    Args:
        contrast: What is contrasted.
        loss_of: The loss; it may have parameters itself.
        group: The processes that share the contrast; None for this one alone.
        scaled: Scales the loss before its gradients are computed, as float16 needs it.

    Returns:
        This process's part of the loss, a scalar without gradient.

    Raises:
        ResourceError: Another process has ended.
    """
    images_ND = _gathered(contrast.images.features_ND, contrast.image_counts, group)
    texts_UD = _gathered(contrast.texts.features_ND, contrast.text_counts, group)
    rank = 0 if group is None else group.ranks.rank
    share = Share(_own(contrast.image_counts, rank), _own(contrast.text_counts, rank))
    caption_ids_N = torch.from_numpy(contrast.caption_ids_N).to(images_ND.device)
    with torch.enable_grad():
        loss = loss_of(images_ND, texts_UD, caption_ids_N, share)
    scaled(loss).backward()  # type: ignore[no-untyped-call]
    gradients = [_gradient(images_ND), _gradient(texts_UD)]
    if group is not None:
        group.sum_in_place(gradients)
    contrast.images.backward(gradients[0][share.images])
    contrast.texts.backward(gradients[1][share.texts])
    return loss.detach()


def deal(num_rows: int, num_processes: int) -> list[int]:
    """Share rows out, in order: how many each process gets, the first ones one more.

    Examples:
        >>> deal(7, 3)
        [3, 2, 2]
    """
    each, over = divmod(num_rows, num_processes)
    return [each + (rank < over) for rank in range(num_processes)]


def _gathered(rows_BD: Tensor, counts: Sequence[int], group: Group | None) -> Tensor:
    rows_ND = rows_BD if group is None else group.gather_rows(rows_BD, counts)
    return rows_ND.requires_grad_()


def _own(counts: Sequence[int], rank: int) -> slice:
    start = sum(counts[:rank])
    return slice(start, start + counts[rank])


def _gradient(features: Tensor) -> Tensor:
    return torch.zeros_like(features) if features.grad is None else features.grad
