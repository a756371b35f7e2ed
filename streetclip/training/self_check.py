"""Check that a validation measured the weights that the model has now.

Shape suffixes: B images of a batch, C channels, H height, W width, D embedding.
"""

import torch
from torch import Tensor

from streetclip.errors import SelfCheckError
from streetclip.models import DualEncoder

# Both ways compute the same products of the same numbers. Bits are equal where the batch has a
# multiple of 8 images; other shapes move a feature vector by 1e-7 in float32, and by up to some
# thousandths in 16 bits.
_BLOCK_ROWS = 8
_MOST_IMAGES = 16
_LARGEST_DIFFERENCE = {"fp32": 1e-5, "bf16": 5e-3, "fp16": 2e-3}


def check_features(encoder: DualEncoder, pixels_BCHW: Tensor, features_BD: Tensor) -> None:
    """Compare features of a validation with a fresh forward of the same images.

    The fresh forward uses no cast weights, no shortened layer and no portions, so that it cannot
    see weights of an earlier step.

    At most 16 images are compared.

    Args:
        encoder: The model, with the weights that were validated.
        pixels_BCHW: uint8, from the encoder's preprocessing.
        features_BD: What the validation computed of them, of length 1.

    Raises:
        SelfCheckError: An image's feature vectors lie further apart than rounding explains.
    """
    whole_blocks = len(pixels_BCHW) // _BLOCK_ROWS * _BLOCK_ROWS
    num_compared = min(whole_blocks or len(pixels_BCHW), _MOST_IMAGES)
    was_training = encoder.model.training
    encoder.model.eval()
    try:
        with torch.no_grad():
            fresh_BD = encoder.image_features(pixels_BCHW[:num_compared])
    finally:
        encoder.model.train(was_training)
    difference = float((fresh_BD - features_BD[:num_compared]).norm(dim=1).max())
    allowed = _LARGEST_DIFFERENCE[encoder.precision.name]
    if not difference <= allowed:
        msg = (
            f"the validation did not measure the model's present weights: features of "
            f"{num_compared} images differ from a fresh computation by {difference:.2g}; "
            f"expected at most {allowed:g} in {encoder.precision.name}. This is a fault of the "
            "program, please report it. --precision fp32 may avoid it; the checkpoints of earlier "
            "epochs are not to be trusted."
        )
        raise SelfCheckError(msg)
