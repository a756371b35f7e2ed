"""Zero-shot classifiers: one vector a class from the texts that name it.

Axes: C classes, U unique texts, D embedding.
"""

from collections.abc import Sequence

import torch

from streetclip.models.encoder import DualEncoder
from streetclip.progress import Progress, no_progress


def class_features(
    encoder: DualEncoder,
    texts_per_class: Sequence[Sequence[str]],
    *,
    batch_size: int = 256,
    progress: Progress = no_progress,
) -> torch.Tensor:
    """Average each class's prompts into one unit vector.

    The mean of the normalised text features, normalised again: prompt ensembling as in Radford et
    al. 2021, section 3.1.4. A text that several classes share is encoded once.

    Args:
        encoder: Model to encode with.
        texts_per_class: C non-empty lists of texts.
        batch_size: Most texts at a time.
        progress: Told of distinct texts done.

    Returns:
        Class features CD, float32, of length 1, on the encoder's device.

    Raises:
        ValueError: A class without texts.
    """
    for index, texts in enumerate(texts_per_class):
        if not texts:
            msg = f"class {index} of {len(texts_per_class)} has no texts"
            raise ValueError(msg)
    unique = list(dict.fromkeys(text for texts in texts_per_class for text in texts))
    row = {text: index for index, text in enumerate(unique)}
    features_UD = encoder.encode_texts(unique, batch_size=batch_size, progress=progress)
    means = [features_UD[[row[text] for text in texts]].mean(dim=0) for texts in texts_per_class]
    if not means:
        return features_UD
    return torch.nn.functional.normalize(torch.stack(means), dim=-1)
