"""After each epoch: the model scored as it would be kept, and kept if it is the best."""

import contextlib
import math
from collections.abc import Iterator

from streetclip.errors import ConfigError
from streetclip.progress import Stages
from streetclip.training.best_model import Origin, save_best
from streetclip.training.checkpoints import TrainingState
from streetclip.training.lora import plain_model
from streetclip.training.results import EpochRecord
from streetclip.training.step import Stepper
from streetclip.training.step_batches import Images
from streetclip.training.validation import Validator


class Scorer:
    """Scores a model under way, and writes the best one.

    What is scored and kept are the averaged weights where there are such, and the weights with
    their adapters merged where there are adapters.
    """

    def __init__(self, origin: Origin, stepper: Stepper, images: Images, stages: Stages) -> None:
        """Take what there is to score.

        Args:
            origin: What the training is made of.
            stepper: Its model, objective, average and processes.
            images: The validation images among them.
            stages: Told of the images encoded.
        """
        self._is_verified = False
        config, effective = origin.config, origin.effective_batch_size
        self._origin, self._stepper, self._group = origin, stepper, stepper.group
        self._validator = Validator(
            origin.data,
            images.val,
            images.holdout,
            objective=stepper.objective,
            batch_size=config.batch_size,
            group_size=effective if config.negatives == "global" else config.batch_size,
            seed=config.seed,
            stages=stages,
            group=stepper.group,
        )

    def __call__(self, epoch: int, state: TrainingState) -> tuple[EpochRecord, str | None]:
        """Score the model after an epoch, or before the first.

        Args:
            epoch: Epochs done.
            state: Where the training stands.

        Returns:
            The score; and the hash of the weights if it is the best that was trained, which is
            written then.

        Raises:
            ConfigError: The loss is not finite.
            SelfCheckError: The first validation after training steps, in this process, did not
                measure the present weights.
            ManifestError: No validation image can be read.
            ResourceError: The disk is full; the best model before it is untouched.
        """
        with self._weights_to_keep():
            record = self._agree_on(self._measure(epoch, state))
            select_by = self._origin.config.select_by
            if epoch == 0 or not record.is_better_than(state.best, select_by):
                return record, None
            return record, self._keep(record, before=state.epochs[0])

    @contextlib.contextmanager
    def _weights_to_keep(self) -> Iterator[None]:
        """Let the model be what would be saved: averaged, and its adapters merged."""
        average = self._stepper.average
        averaged = contextlib.nullcontext() if average is None else average.applied()
        with averaged, plain_model(self._stepper.encoder.model):
            yield

    def _measure(self, epoch: int, state: TrainingState) -> EpochRecord | None:
        verify = epoch > 0 and not self._is_verified
        score = self._validator(self._stepper.encoder, verify=verify)
        self._is_verified |= verify
        if score is None:
            return None
        record = EpochRecord(
            epoch=epoch,
            step=state.step,
            train_loss=state.curves.epoch_mean(),
            val_loss=score.loss,
            num_correct=score.num_correct,
            num_images=score.num_images,
            holdout_num_correct=score.holdout_num_correct,
            holdout_num_images=score.holdout_num_images,
        )
        if not math.isfinite(record.val_loss):
            raise ConfigError(self._diverged_message(record))
        return record

    def _agree_on(self, record: EpochRecord | None) -> EpochRecord:
        """The record of the first process, and its objective where it was calibrated."""
        if self._group is not None:
            objective = self._stepper.objective
            record, calibrated = self._group.broadcast((record, objective.state_dict()))
            objective.load_state_dict(calibrated)
        assert record is not None
        return record

    def _keep(self, record: EpochRecord, before: EpochRecord) -> str:
        sha256 = ""
        if self._group is None or self._group.ranks.is_first:
            sha256 = save_best(self._stepper.encoder, self._origin, record, before)
        return sha256

    def _diverged_message(self, record: EpochRecord) -> str:
        return (
            f"step {record.step}: the validation loss is {record.val_loss}; expected a finite "
            f"number. Lower --learning_rate (now {self._origin.config.learning_rate:g}), or take "
            "--precision fp32. Checkpoints that stand are from before it."
        )
