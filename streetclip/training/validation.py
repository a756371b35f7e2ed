"""Score the model after each epoch by loss and country accuracy, and keep the best.

Shape suffixes: N images, B images of a batch, U distinct captions, D embedding, C countries.
"""

import contextlib
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streetclip.captions.prompts import country_prompts
from streetclip.errors import ConfigError, ManifestError, SelfCheckError
from streetclip.models.encoder import DualEncoder
from streetclip.models.prompt_texts import class_features
from streetclip.progress import Stages
from streetclip.training.captioned_images import CaptionedImages
from streetclip.training.checkpoints import Origin, TrainingState, save_best
from streetclip.training.freezing import plain_model
from streetclip.training.image_source import Images, ImageSource, validation_groups
from streetclip.training.results import EpochRecord
from streetclip.training.step import Stepper

_BLOCK_ROWS = 8  # features of multiples of 8 images do not depend on the batch
_MOST_COMPARED = 16
_LARGEST_DIFFERENCE = {"fp32": 1e-5, "bf16": 5e-3, "fp16": 2e-3}


class Validator:
    """Scores the model on the validation images, and writes the best one.

    Scores averaged weights, if any, with adapters merged. The loss is the mean over groups, drawn
    once, of as many images as a training step. Countries are predicted zero-shot among those of
    both manifests. An unreadable image counts as wrong, and is left out of the loss.
    """

    def __init__(self, origin: Origin, stepper: Stepper, images: Images, stages: Stages) -> None:
        self._origin, self._stepper, self._images, self._stages = origin, stepper, images, stages
        self._config, self._data, self._group = origin.config, origin.data, stepper.group
        self._prompts = [country_prompts(origin.data.prompts, n) for n in origin.data.country_names]
        self._is_verified = False

    def __call__(self, epoch: int, state: TrainingState) -> tuple[EpochRecord, str | None]:
        """Score the model after an epoch; write it and return its hash if it is the best.

        Raises ConfigError if the loss is not finite, SelfCheckError if the features are not of the
        present weights, ManifestError if no image is readable, and ResourceError if the disk is
        full, which leaves the earlier best model untouched.
        """
        encoder, average = self._stepper.encoder, self._stepper.average
        averaged = contextlib.nullcontext() if average is None else average.applied()
        with averaged, plain_model(encoder.model):
            record = self.measure(epoch, state)
            if epoch == 0 or not record.is_better_than(state.best, self._config.select_by):
                return record, None
            is_writer = self._group is None or self._group.ranks.is_first
            before = state.epochs[0]
            return record, save_best(encoder, self._origin, record, before) if is_writer else ""

    def measure(self, epoch: int, state: TrainingState) -> EpochRecord:
        """Score the present weights."""
        record = self._score(epoch, state)
        if record is not None and not math.isfinite(record.val_loss):
            msg = (
                f"step {record.step}: the validation loss is {record.val_loss}; expected a finite "
                f"number. Lower --learning_rate (now {self._config.learning_rate:g}), or take "
                "--precision fp32. Existing checkpoints are from before it."
            )
            raise ConfigError(msg)
        if self._group is not None:
            # The first validation may have calibrated the objective.
            objective = self._stepper.objective
            record, calibrated = self._group.broadcast((record, objective.state_dict()))
            objective.load_state_dict(calibrated)
        assert record is not None
        return record

    def _score(self, epoch: int, state: TrainingState) -> EpochRecord | None:
        data, images = self._data, self._images
        verify = epoch > 0 and not self._is_verified
        features_ND, indices_N = self._encode(images.val, data.val, verify=verify)
        self._is_verified |= verify
        held_out = None
        if images.holdout is not None and data.holdout is not None:
            held_out = data.holdout, *self._encode(images.holdout, data.holdout)
        if self._group is not None and not self._group.ranks.is_first:
            return None
        if not len(indices_N):
            reason = next(iter(images.val.unreadable.values()), "")
            msg = (
                f"none of the {len(data.val)} validation images can be read; the first: "
                f"{reason} Is --image_dir the correct folder?"
            )
            raise ManifestError(msg)
        class_CD = class_features(self._stepper.encoder, self._prompts)
        return EpochRecord(
            epoch=epoch,
            step=state.step,
            train_loss=state.curves.epoch_mean(),
            val_loss=self._loss(features_ND, indices_N),
            num_correct=self._num_correct(data.val, features_ND, indices_N, class_CD),
            num_images=len(data.val),
            holdout_num_correct=None
            if held_out is None
            else self._num_correct(*held_out, class_CD),
            holdout_num_images=None if held_out is None else len(held_out[0]),
        )

    def _encode(
        self, source: ImageSource, images: CaptionedImages, *, verify: bool = False
    ) -> tuple[Tensor, NDArray[np.int64]]:
        """Return features and numbers of readable images; of all in the first process."""
        rank, size = (0, 1) if self._group is None else self._group.place
        num_images, encoder = len(images), self._stepper.encoder
        features, indices, num_done = [], [np.empty(0, np.int64)], 0
        with self._stages("validate", "image") as progress, encoder.fixed_weights():
            own = np.arange(rank, num_images, size)
            for batch in source.batches(own, self._config.batch_size):
                if len(batch.indices_B):
                    features.append(encoder.encode_images(batch.pixels_BCHW))
                    indices.append(batch.indices_B)
                    if verify and len(features) == 1:
                        check_features(encoder, batch.pixels_BCHW, features[0])
                num_done += len(batch.indices_B) + len(batch.errors)
                progress(min(num_done * size, num_images), num_images)
        features_ND = torch.cat(features) if features else torch.zeros(0, encoder.embedding_dim)
        indices_N = np.concatenate(indices)
        shares = []
        if self._group is not None:
            shares = self._group.gather((features_ND.cpu().numpy(), indices_N))
        if shares:
            indices_N = np.concatenate([indices for _, indices in shares])
            order = np.argsort(indices_N)  # as one process would have them
            joined_ND = np.concatenate([features for features, _ in shares])[order]
            features_ND, indices_N = torch.from_numpy(joined_ND), indices_N[order]
        return features_ND.to(encoder.device), indices_N

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
    def _loss(self, features_ND: Tensor, indices_N: NDArray[np.int64]) -> float:
        config, val = self._config, self._data.val
        is_global = config.negatives == "global"
        size = self._origin.effective_batch_size if is_global else config.batch_size
        text_features_UD = self._stepper.encoder.encode_texts(list(val.captions))
        losses = []
        for group in validation_groups(len(indices_N), group_size=size, seed=config.seed):
            distinct, ids = np.unique(val.caption_ids_N[indices_N[group]], return_inverse=True)
            contrast = (
                features_ND[torch.from_numpy(group)],
                text_features_UD[torch.from_numpy(distinct)],
                torch.from_numpy(ids).to(features_ND.device),
            )
            self._stepper.objective.calibrate(*contrast)
            losses.append(self._stepper.objective(*contrast))
        return float(torch.stack(losses).mean())


def check_features(encoder: DualEncoder, pixels_BCHW: Tensor, features_BD: Tensor) -> None:
    """Raise SelfCheckError if features differ from a plain forward pass without cast weights."""
    whole_blocks = len(pixels_BCHW) // _BLOCK_ROWS * _BLOCK_ROWS
    num_compared = min(whole_blocks or len(pixels_BCHW), _MOST_COMPARED)
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
            "program, please report it. --precision fp32 may avoid it; do not trust the "
            "checkpoints of earlier epochs."
        )
        raise SelfCheckError(msg)
