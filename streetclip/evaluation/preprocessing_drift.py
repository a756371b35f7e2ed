"""How far the fast preprocessing leads from the exact one: measured on some images of each run.

Shapes: S images of the sample, D embedding.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from streetclip.data.image_batches import ImageBatch, iterate_batches
from streetclip.evaluation.class_weights import (
    Float64,
    PlaceClassifier,
    city_logits,
    country_logits,
    exact_features,
)
from streetclip.models import DualEncoder
from streetclip.models.preprocessing import Preprocess

_LOG = logging.getLogger(__name__)

# One image in two hundred, each encoded twice, so that the measuring costs little.
_SHARE = 200
_FEWEST, _MOST = 2, 64
_BATCH = 32


@dataclass(frozen=True)
class Drift:
    """What differs between two ways of preprocessing the same images.

    Attributes:
        num_images: S, those that can be read.
        least_cosine: Between the two features of an image, of the image where it is least.
        same_country: Images whose best country is the same.
        same_city: Images whose best city of all is the same.
    """

    num_images: int
    least_cosine: float
    same_country: int
    same_city: int

    def __str__(self) -> str:
        """One line for the log."""
        return (
            f"on {self.num_images} images the country is the same for {self.same_country}, the "
            f"city for {self.same_city}; cosine of the features at least {self.least_cosine:.5f}"
        )


def report_drift(
    paths: Sequence[str], encoder: DualEncoder, preprocess: Preprocess, classifier: PlaceClassifier
) -> Drift | None:
    """Measure what a preprocessing changes against the encoder's exact one, and log it.

    Args:
        paths: The images of a run; some of them, evenly spread, are looked at.
        encoder: The model.
        preprocess: What the run uses.
        classifier: Class weights of the run.

    Returns:
        The drift; None where both are the same or no image of the sample can be read.
    """
    if repr(preprocess) == repr(encoder.preprocess) or not len(paths):
        return None
    size = min(len(paths), max(_FEWEST, min(len(paths) // _SHARE, _MOST)))
    sample = [
        Path(paths[i]) for i in np.linspace(0, len(paths) - 1, size).round().astype(int).tolist()
    ]
    fast, exact = _pixels(sample, preprocess), _pixels(sample, encoder.preprocess)
    _, in_fast, in_exact = np.intersect1d(fast.indices_B, exact.indices_B, return_indices=True)
    if not len(in_fast):
        return None
    # Together, as small batches cost more.
    both = torch.cat([fast.pixels_BCHW[in_fast], exact.pixels_BCHW[in_exact]])
    starts = range(0, len(both), _BATCH)
    encoded = [encoder.encode_images(both[start : start + _BATCH]) for start in starts]
    features = exact_features(torch.cat(encoded))
    fast_SD, exact_SD = features[: len(in_fast)], features[len(in_fast) :]
    drift = _compare(fast_SD, exact_SD, classifier)
    _LOG.info("fast preprocessing against --exact_preprocessing: %s", drift)
    return drift


def _pixels(paths: Sequence[Path], preprocess: Preprocess) -> ImageBatch:
    (images,) = iterate_batches(paths, preprocess, batch_size=len(paths), num_workers=0)
    return images


def _compare(one_SD: Float64, other_SD: Float64, classifier: PlaceClassifier) -> Drift:
    lengths_S = np.linalg.norm(one_SD, axis=1) * np.linalg.norm(other_SD, axis=1)
    countries, cities = (
        [scores(features_SD, classifier).argmax(axis=1) for features_SD in (one_SD, other_SD)]
        for scores in (country_logits, city_logits)
    )
    return Drift(
        num_images=len(one_SD),
        least_cosine=float(((one_SD * other_SD).sum(axis=1) / lengths_S).min()),
        same_country=int((countries[0] == countries[1]).sum()),
        same_city=int((cities[0] == cities[1]).sum()),
    )
