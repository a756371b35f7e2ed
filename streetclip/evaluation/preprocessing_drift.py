"""Measure how fast preprocessing differs: S images of a sample, D embedding."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from streetclip.data.image_batches import iterate_batches
from streetclip.evaluation.predictor import (
    PlaceClassifier,
    city_logits,
    country_logits,
    exact_features,
)
from streetclip.models.encoder import DualEncoder
from streetclip.models.preprocessing import Preprocess

_LOG = logging.getLogger(__name__)

# One image in two hundred is compared.
_SHARE = 200
_FEWEST, _MOST = 2, 64
_BATCH = 32


class Drift(NamedTuple):
    """Differences between two preprocessings of the same images."""

    num_images: int  # S, those that can be read
    least_cosine: float  # least cosine of an image's two features
    same_country: int  # images whose best country is the same
    same_city: int  # images whose best city of all is the same


def report_drift(
    paths: Sequence[str], encoder: DualEncoder, preprocess: Preprocess, classifier: PlaceClassifier
) -> Drift | None:
    """Measure and log how a preprocessing differs from the encoder's exact one.

    Compares a sample, evenly spread; None if both are the same or no image is readable.
    """
    if repr(preprocess) == repr(encoder.preprocess) or not len(paths):
        return None
    size = min(len(paths), max(_FEWEST, min(len(paths) // _SHARE, _MOST)))
    sample = np.linspace(0, len(paths) - 1, size).round().astype(int).tolist()
    files = [Path(paths[i]) for i in sample]
    (fast,), (exact,) = (
        iterate_batches(files, each, batch_size=size, num_workers=0)
        for each in (preprocess, encoder.preprocess)
    )
    _, in_fast, in_exact = np.intersect1d(fast.indices_B, exact.indices_B, return_indices=True)
    if not len(in_fast):
        return None
    both = torch.cat([fast.pixels_BCHW[in_fast], exact.pixels_BCHW[in_exact]])
    features = exact_features(
        torch.cat([encoder.encode_images(p) for p in torch.split(both, _BATCH)])
    )
    fast_SD, exact_SD = features[: len(in_fast)], features[len(in_fast) :]
    lengths_S = np.linalg.norm(fast_SD, axis=1) * np.linalg.norm(exact_SD, axis=1)
    same_country, same_city = (
        int((scores(fast_SD, classifier).argmax(1) == scores(exact_SD, classifier).argmax(1)).sum())
        for scores in (country_logits, city_logits)
    )
    least_cosine = float(((fast_SD * exact_SD).sum(axis=1) / lengths_S).min())
    drift = Drift(len(fast_SD), least_cosine, same_country, same_city)
    _LOG.info(
        "fast preprocessing against --exact_preprocessing: on %d images the country is the same "
        "for %d, the city for %d; cosine of the features at least %.5f",
        *(drift.num_images, drift.same_country, drift.same_city, drift.least_cosine),
    )
    return drift
