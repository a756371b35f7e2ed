"""How good the model is on the validation images: its loss, and the countries it finds.

Shape suffixes: N images, D embedding, C countries.
"""

import logging
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from streetclip.captions import country_prompts
from streetclip.errors import ManifestError
from streetclip.models import DualEncoder, class_features
from streetclip.progress import Stages, no_stages
from streetclip.training.data import TrainingData
from streetclip.training.images import ImageSource
from streetclip.training.loss import contrastive_loss
from streetclip.training.schedule import validation_groups

_LOG = logging.getLogger(__name__)


class ValidationScore(NamedTuple):
    """Loss, and the images whose country was the best of all, of so many images."""

    loss: float
    num_correct: int
    num_images: int


class Validator:
    """Scores the model on the validation images.

    The loss is the mean over groups of as many images as a training batch has, so that it can be
    laid beside the training loss; a contrast with more images is harder. The groups are drawn
    once, by a shuffle from the seed: they are the same in every epoch, a file sorted by country is
    no harder than a mixed one, and how images are batched for encoding plays no part.

    The country is chosen zero-shot among those of both manifests, by prompts in the words of the
    captions. An unreadable image counts as wrong, and is left out of the loss.
    """

    def __init__(
        self,
        data: TrainingData,
        images: ImageSource,
        *,
        batch_size: int,
        seed: int,
        stages: Stages = no_stages,
    ) -> None:
        """Take the images and the classes.

        Args:
            data: Captions, countries and prompts.
            images: The pixels of `data.val`.
            batch_size: Images of a forward pass and of a group.
            seed: Seed of the groups.
            stages: Told of the images encoded.
        """
        self._data = data
        self._images = images
        self._batch_size = batch_size
        self._seed = seed
        self._stages = stages
        self._texts_per_country = [
            country_prompts(data.prompts, name) for name in data.country_names
        ]
        codes = {code: index for index, code in enumerate(data.country_codes)}
        self._country_N = np.array([codes[code] for code in data.val.country_codes])

    def __call__(self, encoder: DualEncoder) -> ValidationScore:
        """Score the model as it is now.

        Raises:
            ManifestError: No validation image can be read.
        """
        features_ND, indices_N = self._encode(encoder)
        class_CD = class_features(encoder, self._texts_per_country)
        predicted_N = (features_ND @ class_CD.T).argmax(dim=1).cpu().numpy()
        num_correct = int((predicted_N == self._country_N[indices_N]).sum())
        loss = self._loss(encoder, features_ND, indices_N)
        return ValidationScore(loss, num_correct, len(self._data.val))

    def _encode(self, encoder: DualEncoder) -> tuple[Tensor, np.ndarray]:
        features, indices = [], []
        num_done, num_images = 0, len(self._data.val)
        with self._stages("validate", "image") as progress:
            for batch in self._images.batches(np.arange(num_images), self._batch_size):
                if len(batch.indices_B):
                    features.append(encoder.encode_images(batch.pixels_BCHW))
                    indices.append(batch.indices_B)
                num_done += len(batch.indices_B) + len(batch.errors)
                progress(num_done, num_images)
        if not indices:
            reason = next(iter(self._images.unreadable.values()))
            msg = (
                f"none of the {len(self._data.val)} validation images can be read; the first: "
                f"{reason} Is --image_dir the right folder?"
            )
            raise ManifestError(msg)
        return torch.cat(features), np.concatenate(indices)

    def _loss(self, encoder: DualEncoder, features_ND: Tensor, indices_N: np.ndarray) -> float:
        captions = self._data.val.captions
        text_features_UD = encoder.encode_texts(list(captions))
        scale = encoder.logit_scale
        losses = []
        for group in validation_groups(
            len(indices_N), group_size=self._batch_size, seed=self._seed
        ):
            caption_ids = self._data.val.caption_ids_N[indices_N[group]]
            distinct, ids = np.unique(caption_ids, return_inverse=True)
            losses.append(
                contrastive_loss(
                    features_ND[torch.from_numpy(group)],
                    text_features_UD[torch.from_numpy(distinct)],
                    torch.from_numpy(ids).to(features_ND.device),
                    scale,
                )
            )
        return float(torch.stack(losses).mean())
