"""The training itself: steps, validations, checkpoints, and going on where it stopped."""

import logging
import math
import time

import numpy as np
import torch
from torch import Tensor

from streetclip import store
from streetclip.config import TrainConfig
from streetclip.datasets.batches import ImageBatch
from streetclip.datasets.manifest import Manifest
from streetclip.errors import ConfigError, ManifestError
from streetclip.models import DualEncoder
from streetclip.models.checkpoints import build_payload, write_payload
from streetclip.progress import Stages, no_progress, no_stages
from streetclip.training.best import Origin, save_best
from streetclip.training.checkpoints import (
    BEST_MODEL,
    LAST_CHECKPOINT,
    RESUME,
    TrainingState,
    check_output_dir,
    check_same_training,
    load_last,
)
from streetclip.training.curves import Point, StepNumbers, window_length
from streetclip.training.data import load_training_data
from streetclip.training.images import ImageSource, fits_in_memory
from streetclip.training.interrupts import interrupts_deferred
from streetclip.training.loss import contrastive_loss
from streetclip.training.memory import peak_memory_mib
from streetclip.training.optimizer import build_optimizer, clamp_logit_scale
from streetclip.training.recorder import Recorder
from streetclip.training.results import EpochRecord, TrainingResult
from streetclip.training.schedule import epoch_order, learning_rate_factor, steps_per_epoch
from streetclip.training.validation import Validator

_LOG = logging.getLogger(__name__)
_SMALLEST_BATCH = 2  # one image has nothing to be contrasted with
# Curves of the validations, and the fields of an epoch's record that they show.
_VALIDATED = (
    ("val_loss", "val_loss"),
    ("val_country_accuracy", "val_country_accuracy"),
    ("val_num_correct", "num_correct"),
    ("val_num_images", "num_images"),
)


def train(  # noqa: PLR0913 -- two manifests, a model and a store are what it takes
    config: TrainConfig,
    train: Manifest,
    val: Manifest,
    encoder: DualEncoder,
    database: store.Store,
    stages: Stages = no_stages,
    *,
    drawn: bool = False,
    job_id: int | None = None,
) -> TrainingResult:
    """Train a dual encoder on images and their captions, or go on with a training that stopped.

    With the same seed on the same machine, CPU and float32, the result is the same bit for bit,
    stops and resumes included.

    Args:
        config: Settings; `output_dir` receives the checkpoints.
        train: Manifest of the training images.
        val: Manifest of the validation images.
        encoder: The model to begin with; it is trained in place. Also to be given to a resume,
            with the weights that the training began with.
        database: Store that receives the curves, opened for writing.
        stages: Told of images decoded, steps done and images validated.
        drawn: Whether the images are drawn, not photographed; the model card says so.
        job_id: The job that trains, if it has a record in the store.

    Returns:
        The records of all epochs, and where the best model is.

    Raises:
        OutputError: The output folder holds a training, and `--resume` is not given.
        ConfigError: A resume under other conditions; a loss that is not finite.
        ManifestError: Nothing to learn, or no image can be read.
        ResourceError: The disk is full; the checkpoints before it are whole.
        KeyboardInterrupt: Ctrl-C, or a TERM that the job takes for one, after the state was saved
            for a resume.
    """
    check_output_dir(config)
    data = load_training_data(config, train, val)
    origin = Origin(
        config=config,
        train=train,
        val=val,
        data=data,
        base_model=encoder.source,
        base_sha256=encoder.sha256,
        precision=encoder.precision.name,
        drawn=drawn,
    )
    # What dropout draws is the training's own affair, not the caller's.
    cuda = [encoder.device] if encoder.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        training = _Training(origin, encoder, stages)
        if not training.is_finished:
            training.run(database, job_id)
            return training.result()
    _LOG.info("%s: the training is finished; nothing to do.", config.output_dir)
    return training.result(was_finished=True)


class _Training:
    """One training under way."""

    def __init__(self, origin: Origin, encoder: DualEncoder, stages: Stages) -> None:
        self._origin, self._encoder, self._stages = origin, encoder, stages
        self._progress = no_progress
        self._config, self._data = origin.config, origin.data
        self._optimizer = build_optimizer(encoder.model, self._config)
        self._scaler = torch.amp.GradScaler(
            encoder.device.type, enabled=encoder.precision.name == "fp16"
        )
        num_images = len(self._data.train)
        self._steps_per_epoch = steps_per_epoch(num_images, self._config.batch_size)
        self._num_steps = self._steps_per_epoch * self._config.num_epochs
        self._window = window_length(self._num_steps)
        self._last_path = self._config.output_dir / LAST_CHECKPOINT
        self._state = self._restore() or TrainingState()
        self._state.curves.checks_grad_norm = not self._scaler.is_enabled()
        self._began = time.monotonic()
        self._in_step = False
        self._open_images()

    @property
    def is_finished(self) -> bool:
        """Whether the last epoch was validated."""
        return len(self._state.epochs) > self._config.num_epochs

    def run(self, database: store.Store, job_id: int | None) -> None:
        """Do what is left to do, and leave the outcome in the store and the folder."""
        recorder = Recorder(database, self._origin, self._state.training_id, job_id)
        self._state.training_id = recorder.training_id
        recorder.set_state("running")
        try:
            recorder.write_best(self._state)
            self._run_or_save(recorder)
        except KeyboardInterrupt:
            recorder.set_stopped("interrupted")
            raise
        except Exception as error:
            recorder.set_stopped("failed", str(error) or type(error).__name__)
            raise
        recorder.set_state("done")

    def result(self, *, was_finished: bool = False) -> TrainingResult:
        """What stands now."""
        state = self._state
        assert state.best is not None
        return TrainingResult(
            training_id=state.training_id,
            epochs=tuple(state.epochs),
            best=state.best,
            checkpoint_path=self._config.output_dir / BEST_MODEL,
            num_train_images=len(self._data.train),
            num_unreadable_train=len(self._train_images.unreadable),
            num_unreadable_val=len(self._val_images.unreadable),
            num_skipped_batches=state.num_skipped_batches,
            seconds=state.seconds,
            was_finished=was_finished,
        )

    def _restore(self) -> TrainingState | None:
        if not (self._config.resume and self._last_path.exists()):
            return None
        weights, resume = load_last(self._last_path)
        check_same_training(self._last_path, resume["decisive"], self._origin.decisive())
        self._encoder.model.load_state_dict(weights)
        self._optimizer.load_state_dict(resume["optimizer"])
        self._scaler.load_state_dict(resume["scaler"])
        return TrainingState.from_dict(resume)

    def _open_images(self) -> None:
        train, val = self._data.train.paths, self._data.val.paths
        preprocess, num_workers = self._encoder.preprocess, self._config.num_workers
        keep = fits_in_memory(len(train) + len(val), preprocess)
        self._train_images, self._val_images = (
            ImageSource(paths, preprocess, num_workers=num_workers, keep=keep, stages=self._stages)
            for paths in (train, val)
        )

    def _run_or_save(self, recorder: Recorder) -> None:
        try:
            self._run(recorder)
        except KeyboardInterrupt:
            if self._in_step:
                _LOG.warning("stopped within a step; --resume goes on from the last checkpoint")
            else:
                self._save(recorder)
                _LOG.info("saved at step %d; --resume goes on there", self._state.step)
            raise

    def _run(self, recorder: Recorder) -> None:
        validator = Validator(
            self._data,
            self._val_images,
            batch_size=self._config.batch_size,
            seed=self._config.seed,
            stages=self._stages,
        )
        with self._stages("train", "step") as self._progress:
            self._progress(self._state.step, self._num_steps)
            for epoch in range(len(self._state.epochs), self._config.num_epochs + 1):
                if epoch:
                    self._train_epoch(epoch, recorder)
                self._validate(epoch, validator)
                self._save(recorder)

    def _train_epoch(self, epoch: int, recorder: Recorder) -> None:
        batch_size, length = self._config.batch_size, self._steps_per_epoch
        done = self._state.step - (epoch - 1) * length
        order = epoch_order(len(self._data.train), seed=self._config.seed, epoch=epoch)
        order = order[done * batch_size : length * batch_size]
        self._train_images.load()  # not a part of the first step's time
        self._state.curves.restart_clock()
        self._encoder.model.train()
        for batch in self._train_images.batches(order, batch_size):
            with interrupts_deferred():
                self._in_step = True
                self._step(batch)
                if self._state.step % self._window == 0 or self._state.step == epoch * length:
                    self._close_window()
                self._in_step = False
            self._report(recorder)
        self._encoder.model.eval()
        if not (self._state.curves.epoch_losses or self._state.curves.window):
            raise ManifestError(self._no_step_message())

    def _step(self, batch: ImageBatch) -> None:
        step = self._state.step
        self._state.step += 1
        if len(batch.indices_B) < _SMALLEST_BATCH:
            self._state.num_skipped_batches += 1
            return
        self._set_up_step(step)
        loss = self._loss(batch)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self._scaler.scale(loss))
        self._scaler.unscale_(self._optimizer)
        norm = torch.nn.utils.clip_grad_norm_(
            self._encoder.model.parameters(), self._config.max_grad_norm
        )
        self._scaler.step(self._optimizer)
        self._scaler.update()
        clamp_logit_scale(self._encoder.model)
        numbers = StepNumbers(step + 1, loss.detach(), norm)
        self._state.curves.add_step(numbers, len(batch.indices_B))

    def _set_up_step(self, step: int) -> None:
        # Random numbers depend on seed and step only, so that none need to be saved.
        seed = np.random.SeedSequence([self._config.seed, step]).generate_state(1, np.uint64)
        torch.manual_seed(int(seed[0]))
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate(step)

    def _loss(self, batch: ImageBatch) -> Tensor:
        # Images of one place share a caption: the text tower reads each caption once.
        caption_ids = self._data.train.caption_ids_N[batch.indices_B]
        distinct, ids_N = np.unique(caption_ids, return_inverse=True)
        texts = [self._data.train.captions[index] for index in distinct]
        return contrastive_loss(
            self._encoder.image_features(batch.pixels_BCHW),
            self._encoder.text_features(texts),
            torch.from_numpy(ids_N).to(self._encoder.device),
            self._encoder.model.logit_scale.exp(),
        )

    def _learning_rate(self, step: int) -> float:
        factor = learning_rate_factor(
            step, num_steps=self._num_steps, warmup_fraction=self._config.warmup_fraction
        )
        return self._config.learning_rate * factor

    def _close_window(self) -> None:
        step, memory_mib = self._state.step, peak_memory_mib(self._encoder.device)
        self._state.curves.close_window(
            step,
            step / self._steps_per_epoch,
            lr=self._learning_rate(step - 1),
            logit_scale=self._encoder.logit_scale,
            **({} if memory_mib is None else {"memory_mib": memory_mib}),
        )

    def _report(self, recorder: Recorder) -> None:
        step, state = self._state.step, self._state
        if step % self._steps_per_epoch and self._is_save_due():
            self._save(recorder)
            state.curves.restart_clock()
        numbers = {}
        if step % self._window == 0:
            recorder.write(state.curves.points)
            numbers = self._numbers_to_show()
        self._progress(step, self._num_steps, **numbers)

    def _is_save_due(self) -> bool:
        every, minutes = self._config.checkpoint_every, self._config.checkpoint_minutes
        if every and self._state.step % every == 0:
            return True
        return minutes > 0 and time.monotonic() - self._began >= 60 * minutes

    def _numbers_to_show(self) -> dict[str, float]:
        numbers = {"val_accuracy": self._state.epochs[-1].val_country_accuracy}
        if self._state.curves.epoch_losses:
            numbers["loss"] = self._state.curves.epoch_losses[-1]
        return numbers

    def _validate(self, epoch: int, validator: Validator) -> None:
        state, curves = self._state, self._state.curves
        score = validator(self._encoder)
        record = EpochRecord(
            epoch=epoch,
            step=state.step,
            train_loss=curves.epoch_mean(),
            val_loss=score.loss,
            num_correct=score.num_correct,
            num_images=score.num_images,
        )
        if not math.isfinite(record.val_loss):
            raise ConfigError(self._diverged_message(record))
        is_best = epoch > 0 and record.is_better_than(state.best)
        if is_best:
            save_best(self._encoder, self._origin, record)
        with interrupts_deferred():
            state.epochs.append(record)
            state.best = record if is_best else state.best
            curves.epoch_losses.clear()
            values = record.to_dict()
            curves.points += [
                Point(state.step, epoch, name, float(values[of])) for name, of in _VALIDATED
            ]

    def _save(self, recorder: Recorder) -> None:
        """Write the resume checkpoint and the points; no step is under way."""
        state = self._state
        with interrupts_deferred():
            state.curves.read()
        now = time.monotonic()
        state.seconds, self._began = state.seconds + now - self._began, now
        training = self._origin.to_dict() | {"step": state.step}
        payload = build_payload(self._encoder, prompts=self._data.prompts, training=training)
        if state.best is not None and state.best.step == state.step:
            state.best_sha256 = payload["sha256"]  # these are its weights
        payload[RESUME] = state.to_dict() | {
            "decisive": self._origin.decisive(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
        }
        write_payload(self._last_path, payload)
        recorder.write(state.curves.points, now=True)
        recorder.write_best(state)

    def _diverged_message(self, record: EpochRecord) -> str:
        return (
            f"step {record.step}: the validation loss is {record.val_loss}; expected a finite "
            f"number. Lower --learning_rate (now {self._config.learning_rate:g}), or take "
            "--precision fp32. Checkpoints that stand are from before it."
        )

    def _no_step_message(self) -> str:
        unreadable = self._train_images.unreadable
        reason = next(iter(unreadable.values()), "")
        return (
            f"{self._origin.train.path}: no batch of an epoch has {_SMALLEST_BATCH} images that "
            f"can be read; {len(unreadable)} of {len(self._data.train)} cannot; the first: "
            f"{reason} Is --image_dir the right folder?"
        )
