"""How good the model is on the validation images: its loss, and the countries it finds.

Shape suffixes: N images, U distinct captions, D embedding, C countries.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streetclip.captions import country_prompts
from streetclip.errors import ManifestError
from streetclip.models import DualEncoder, class_features
from streetclip.progress import Stages, no_stages
from streetclip.runtime.distributed import Group
from streetclip.training.captioned_images import CaptionedImages
from streetclip.training.image_source import ImageSource
from streetclip.training.objective import Objective
from streetclip.training.schedule import validation_groups
from streetclip.training.self_check import check_features
from streetclip.training.training_data import TrainingData


class ValidationScore(NamedTuple):
    """Loss, and the images whose country was the best of all, of so many images.

    The last two are those of the countries held out of training; None where there are none.
    """

    loss: float
    num_correct: int
    num_images: int
    holdout_num_correct: int | None = None
    holdout_num_images: int | None = None


class Validator:
    """Scores the model on the validation images.

    The loss is the mean over groups of as many images as a training step contrasts, so that it can
    be laid beside the training loss; a contrast with more images is harder. The groups are drawn
    once, by a shuffle from the seed: they are the same in every epoch, a file sorted by country is
    no harder than a mixed one, and how images are batched for encoding plays no part.

    The country is chosen zero-shot among those of both manifests, by prompts in the words of the
    captions. An unreadable image counts as wrong, and is left out of the loss.

    Several processes encode an equal share of the images each; the first one scores.
    """

    def __init__(  # noqa: PLR0913 -- what is scored, by what, and how
        self,
        data: TrainingData,
        images: ImageSource,
        holdout_images: ImageSource | None = None,
        *,
        objective: Objective,
        batch_size: int,
        group_size: int,
        seed: int,
        stages: Stages = no_stages,
        group: Group | None = None,
    ) -> None:
        """Take the images and the classes.

        Args:
            data: Captions, countries and prompts.
            images: The pixels of `data.val`.
            holdout_images: Those of `data.holdout`, if there are any.
            objective: The loss.
            batch_size: Images of a forward pass.
            group_size: Images that are contrasted.
            seed: Seed of the groups.
            stages: Told of the images encoded.
            group: The processes that share the work; None for this one alone.
        """
        self._data = data
        self._images, self._holdout_images = images, holdout_images
        self._objective = objective
        self._batch_size, self._group_size = batch_size, group_size
        self._seed = seed
        self._stages = stages
        self._group = group
        self._texts_per_country = [
            country_prompts(data.prompts, name) for name in data.country_names
        ]

    def __call__(self, encoder: DualEncoder, *, verify: bool = False) -> ValidationScore | None:
        """Score the model as it is now.

        Args:
            encoder: The model; nothing changes its weights meanwhile.
            verify: Compare the features of some images with a fresh computation.

        Returns:
            The score; None in other processes than the first.

        Raises:
            ManifestError: No validation image can be read.
            ResourceError: Another process has ended.
            SelfCheckError: The features are not those of the present weights.
        """
        features_ND, indices_N = self._encode(
            encoder, self._images, len(self._data.val), verify=verify
        )
        held_out = None
        if self._data.holdout is not None and self._holdout_images is not None:
            held_out = self._encode(encoder, self._holdout_images, len(self._data.holdout))
        if self._group is not None and not self._group.ranks.is_first:
            return None
        if not len(indices_N):
            raise ManifestError(self._unreadable_message())
        class_CD = class_features(encoder, self._texts_per_country)
        num_correct = self._num_correct(self._data.val, features_ND, indices_N, class_CD)
        loss = self._loss(encoder, features_ND, indices_N)
        if held_out is None or self._data.holdout is None:
            return ValidationScore(loss, num_correct, len(self._data.val))
        holdout_correct = self._num_correct(self._data.holdout, *held_out, class_CD)
        return ValidationScore(
            loss, num_correct, len(self._data.val), holdout_correct, len(self._data.holdout)
        )

    def _encode(
        self, encoder: DualEncoder, images: ImageSource, num_images: int, *, verify: bool = False
    ) -> tuple[Tensor, NDArray[np.int64]]:
        """Features and numbers of the images that can be read; of all of them in the first."""
        rank, size = (0, 1) if self._group is None else self._group.place
        own = np.arange(rank, num_images, size)
        features, indices = [], [np.empty(0, np.int64)]
        num_done = 0
        with self._stages("validate", "image") as progress, encoder.fixed_weights():
            for batch in images.batches(own, self._batch_size):
                if len(batch.indices_B):
                    features.append(encoder.encode_images(batch.pixels_BCHW))
                    indices.append(batch.indices_B)
                    if verify and len(features) == 1:
                        check_features(encoder, batch.pixels_BCHW, features[0])
                num_done += len(batch.indices_B) + len(batch.errors)
                progress(min(num_done * size, num_images), num_images)
        features_ND = torch.cat(features) if features else torch.zeros(0, encoder.embedding_dim)
        indices_N = np.concatenate(indices)
        if self._group is not None:
            features_ND, indices_N = self._collect(self._group, features_ND, indices_N)
        return features_ND.to(encoder.device), indices_N

    def _collect(
        self, group: Group, features_ND: Tensor, indices_N: NDArray[np.int64]
    ) -> tuple[Tensor, NDArray[np.int64]]:
        shares = group.gather((features_ND.cpu().numpy(), indices_N))
        if not shares:
            return features_ND, indices_N
        indices_N = np.concatenate([indices for _, indices in shares])
        order = np.argsort(indices_N)  # as one process would have them
        features = np.concatenate([features for features, _ in shares])[order]
        return torch.from_numpy(features), indices_N[order]

    def _num_correct(
        self,
        images: CaptionedImages,
        features_ND: Tensor,
        indices_N: NDArray[np.int64],
        class_CD: Tensor,
    ) -> int:
        codes = {code: index for index, code in enumerate(self._data.country_codes)}
        country_N = np.array([codes[code] for code in images.country_codes])
        predicted_N = (features_ND @ class_CD.T).argmax(dim=1).cpu().numpy()
        return int((predicted_N == country_N[indices_N]).sum())

    @torch.no_grad()
    def _loss(
        self, encoder: DualEncoder, features_ND: Tensor, indices_N: NDArray[np.int64]
    ) -> float:
        text_features_UD = encoder.encode_texts(list(self._data.val.captions))
        losses = []
        for group in validation_groups(
            len(indices_N), group_size=self._group_size, seed=self._seed
        ):
            caption_ids = self._data.val.caption_ids_N[indices_N[group]]
            distinct, ids = np.unique(caption_ids, return_inverse=True)
            contrast = (
                features_ND[torch.from_numpy(group)],
                text_features_UD[torch.from_numpy(distinct)],
                torch.from_numpy(ids).to(features_ND.device),
            )
            self._objective.calibrate(*contrast)
            losses.append(self._objective(*contrast))
        return float(torch.stack(losses).mean())

    def _unreadable_message(self) -> str:
        reason = next(iter(self._images.unreadable.values()), "")
        return (
            f"none of the {len(self._data.val)} validation images can be read; the first: "
            f"{reason} Is --image_dir the right folder?"
        )
