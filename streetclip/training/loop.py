"""The training itself: steps, validations, checkpoints, and going on where it stopped."""

import contextlib
import logging
import time
from functools import partial

import torch

from streetclip import store
from streetclip.config import TrainConfig
from streetclip.config.recipes import CONFIG_FILE, save_config
from streetclip.data.manifest import Manifest
from streetclip.errors import ManifestError
from streetclip.models import DualEncoder
from streetclip.models.identity import identify
from streetclip.progress import Stages, no_progress, no_stages
from streetclip.runtime.distributed import Group, check_agreement
from streetclip.training.best_model import Origin
from streetclip.training.checkpoints import (
    BEST_MODEL,
    LAST_CHECKPOINT,
    TrainingState,
    check_output_dir,
)
from streetclip.training.curves import Point, window_length
from streetclip.training.early_stopping import should_stop, why_stopped
from streetclip.training.ema import WeightAverage
from streetclip.training.freezing import choose_parts
from streetclip.training.image_files import describe_files
from streetclip.training.interrupts import Interrupt, interrupts_deferred
from streetclip.training.objective import Objective
from streetclip.training.optimizer import build_optimizer, logit_scale_bound
from streetclip.training.peak_memory import peak_memory_mib
from streetclip.training.recorder import NoRecorder, Recorder
from streetclip.training.results import TrainingResult
from streetclip.training.resume import load_state, save_state
from streetclip.training.schedule import learning_rate_factor
from streetclip.training.scoring import Scorer
from streetclip.training.step import FEWEST_IMAGES, StepImages, Stepper
from streetclip.training.step_batches import Feed, Images
from streetclip.training.training_data import load_training_data

_LOG = logging.getLogger(__name__)
# Curves of the validations, and the fields of an epoch's record that they show.
_VALIDATED = (
    ("val_loss", "val_loss"),
    ("val_country_accuracy", "val_country_accuracy"),
    ("val_num_correct", "num_correct"),
    ("val_num_images", "num_images"),
    ("holdout_country_accuracy", "holdout_country_accuracy"),
    ("holdout_num_correct", "holdout_num_correct"),
    ("holdout_num_images", "holdout_num_images"),
)


def train(  # noqa: PLR0913 -- two manifests, a model and a store are what it takes
    config: TrainConfig,
    train: Manifest,
    val: Manifest,
    encoder: DualEncoder,
    database: store.Store | None,
    stages: Stages = no_stages,
    *,
    drawn: bool = False,
    job_id: int | None = None,
    group: Group | None = None,
) -> TrainingResult:
    """Train a dual encoder on images and their captions, or go on with a training that stopped.

    With the same seed on the same machine, CPU and float32, the result is the same bit for bit,
    stops and resumes included. Other numbers of processes and of accumulated passes, with as many
    images a step, compute the same but for rounding.

    Args:
        config: Settings; `output_dir` receives the checkpoints.
        train: Manifest of the training images.
        val: Manifest of the validation images.
        encoder: The model to begin with; it is trained in place. Also to be given to a resume,
            with the weights that the training began with.
        database: Store that receives the curves, opened for writing; of the first process alone.
        stages: Told of images decoded, steps done and images validated.
        drawn: Whether the images are drawn, not photographed; the model card says so.
        job_id: The job that trains, if it has a record in the store.
        group: The processes that share the training; the first one writes.

    Returns:
        The records of all epochs, and where the best model is.

    Raises:
        OutputError: The output folder holds a training, and `--resume` is not given.
        ConfigError: A resume under other conditions; a training that diverges; processes that were
            started otherwise.
        ManifestError: Nothing to learn, or no image can be read.
        ResourceError: The disk is full; the checkpoints before it are whole. Or another process
            has ended.
        KeyboardInterrupt: Ctrl-C, or a TERM that the job takes for one, after the state was saved
            for a resume.
    """
    if group is None or group.ranks.is_first:
        check_output_dir(config)
    origin = Origin(
        config=config,
        train=train,
        val=val,
        data=load_training_data(config, train, val, encoder.text_reader),
        base_model=encoder.source,
        base_identity=identify(encoder),
        precision=encoder.precision.name,
        drawn=drawn,
        num_processes=1 if group is None else group.ranks.world_size,
    )
    _warn_of_large_batch(origin)
    # What dropout draws is the training's own affair, not the caller's.
    cuda = [encoder.device] if encoder.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(config.seed)  # adapters begin at random
        training = _Training(origin, encoder, stages, group)
        if not training.is_finished:
            training.run(database, job_id)
            return training.result()
    _LOG.info("%s: the training is finished; nothing to do.", config.output_dir)
    return training.result(was_finished=True)


def _warn_of_large_batch(origin: Origin) -> None:
    wanted, num_images = origin.effective_batch_size, len(origin.data.train)
    if wanted > num_images:
        _LOG.warning(
            "a step takes %d images (--batch_size %d × --gradient_accumulation_steps %d × %d "
            "processes), but %s has %d; each step takes them all",
            wanted,
            origin.config.batch_size,
            origin.config.gradient_accumulation_steps,
            origin.num_processes,
            origin.train.path,
            num_images,
        )


class _Training:
    """One training under way."""

    def __init__(
        self, origin: Origin, encoder: DualEncoder, stages: Stages, group: Group | None
    ) -> None:
        self._origin, self._encoder, self._stages = origin, encoder, stages
        self._group, self._progress = group, no_progress
        self._config, self._data = origin.config, origin.data
        self._is_first = group is None or group.ranks.is_first
        self._stepper = self._build_stepper()
        self._images = Images.open(self._config, self._data, encoder, stages, group)
        self._feed = Feed(self._config, self._data, self._images.train, group)
        self._steps_per_epoch = self._feed.steps_per_epoch
        self._num_steps = self._steps_per_epoch * self._config.num_epochs
        self._window = window_length(self._num_steps)
        self._last_path = self._config.output_dir / LAST_CHECKPOINT
        self._state = self._restore()
        self._state.curves.checks_grad_norm = not self._stepper.scaler.is_enabled()
        self._state.curves.max_logit_scale = self._stepper.max_logit_scale
        self._began = time.monotonic()
        self._in_step = False
        self._interrupt = Interrupt()

    @property
    def is_finished(self) -> bool:
        """Whether the last epoch was validated, or the training ended before it."""
        return len(self._state.epochs) > self._config.num_epochs or self._stop_reason is not None

    @property
    def _stop_reason(self) -> str | None:
        epochs, config = self._state.epochs, self._config
        if not should_stop(epochs, config.early_stopping, config.select_by):
            return None
        return why_stopped(epochs, config.select_by)

    def run(self, database: store.Store | None, job_id: int | None) -> None:
        """Do what is left to do, and leave the outcome in the store and the folder."""
        recorder: Recorder | NoRecorder = NoRecorder()
        if database is not None:
            save_config(self._config, self._config.output_dir / CONFIG_FILE)
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
            num_unreadable_train=len(self._images.train.unreadable),
            num_unreadable_val=len(self._images.val.unreadable),
            num_skipped_batches=state.num_skipped_batches,
            seconds=state.seconds,
            was_finished=was_finished,
            stop_reason=self._stop_reason,
        )

    def _build_stepper(self) -> Stepper:
        encoder, config = self._encoder, self._config
        max_logit_scale = logit_scale_bound(encoder.model)
        parts = choose_parts(encoder.model, config)
        _LOG.info("%s", parts.description)
        objective = Objective(encoder, config)
        return Stepper(
            encoder=encoder,
            objective=objective,
            optimizer=build_optimizer(encoder.model, config, tuple(objective.parameters())),
            scaler=torch.amp.GradScaler(
                encoder.device.type, enabled=encoder.precision.name == "fp16"
            ),
            config=config,
            max_logit_scale=max_logit_scale,
            group=self._group,
            average=WeightAverage(encoder.model, config.ema_decay) if config.ema_decay else None,
        )

    def _restore(self) -> TrainingState:
        decisive = self._origin.decisive()
        state = TrainingState()
        if self._config.resume and self._last_path.exists():
            state = load_state(self._last_path, self._stepper, decisive)
        if self._is_first:
            state.image_files = describe_files(self._last_path, self._data, state.image_files)
        if self._group is not None:
            check_agreement(self._group, decisive | {"the step to go on from": state.step})
        return state

    def _run_or_save(self, recorder: Recorder | NoRecorder) -> None:
        # Processes that share a training stop at the same step; until then interrupts are noted.
        alone = contextlib.nullcontext(self._interrupt)
        try:
            with alone if self._group is None else interrupts_deferred() as self._interrupt:
                self._run(recorder)
        except KeyboardInterrupt:
            if self._in_step:
                _LOG.warning("stopped within a step; --resume goes on from the last checkpoint")
            else:
                self._save(recorder)
                _LOG.info("saved at step %d; --resume goes on there", self._state.step)
                if self._group is not None:
                    self._group.broadcast(None)  # a launcher ends all when the first one ends
            raise

    def _run(self, recorder: Recorder | NoRecorder) -> None:
        scorer = Scorer(self._origin, self._stepper, self._images, self._stages)
        with self._stages("train", "step") as self._progress:
            self._progress(self._state.step, self._num_steps)
            for epoch in range(len(self._state.epochs), self._config.num_epochs + 1):
                if epoch:
                    self._train_epoch(epoch, recorder)
                self._score(epoch, scorer)
                self._save(recorder)
                if self._stop_reason is not None:
                    _LOG.info("%s", self._stop_reason)
                    return

    def _train_epoch(self, epoch: int, recorder: Recorder | NoRecorder) -> None:
        length = self._steps_per_epoch
        done = self._state.step - (epoch - 1) * length
        self._feed.load()  # not a part of the first step's time
        self._state.curves.restart_clock()
        self._encoder.model.train()
        steps = self._feed.steps(epoch, done=done, interrupt=self._interrupt)
        with contextlib.closing(steps):
            for images in steps:
                with interrupts_deferred():
                    self._in_step = True
                    self._step(images, epoch)
                    if self._state.step % self._window == 0 or self._state.step == epoch * length:
                        self._close_window()
                    self._in_step = False
                self._report(recorder)
        self._encoder.model.eval()
        if not (self._state.curves.epoch_losses or self._state.curves.window):
            raise ManifestError(self._no_step_message())

    def _step(self, images: StepImages, epoch: int) -> None:
        step, captions = self._state.step, partial(self._data.train.distinct_captions, epoch=epoch)
        self._state.step += 1
        for group in self._stepper.optimizer.param_groups:
            group["lr"] = self._learning_rate(step) * group["lr_scale"]
        numbers = self._stepper(step, images, captions)
        if numbers is None:
            self._state.num_skipped_batches += 1
        else:
            num_images = sum(len(each) for process in images.indices for each in process)
            self._state.curves.add_step(numbers, num_images)

    def _learning_rate(self, step: int) -> float:
        factor = learning_rate_factor(
            step,
            num_steps=self._num_steps,
            warmup_fraction=self._config.warmup_fraction,
            schedule=self._config.schedule,
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

    def _report(self, recorder: Recorder | NoRecorder) -> None:
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

    def _score(self, epoch: int, scorer: Scorer) -> None:
        state = self._state
        record, best_sha256 = scorer(epoch, state)
        with interrupts_deferred():
            state.epochs.append(record)
            if best_sha256 is not None:
                state.best, state.best_sha256 = record, best_sha256
            state.curves.epoch_losses.clear()
            values = record.to_dict()
            state.curves.points += [
                Point(state.step, epoch, name, float(values[of]))
                for name, of in _VALIDATED
                if values.get(of) is not None
            ]

    def _save(self, recorder: Recorder | NoRecorder) -> None:
        """Write the resume checkpoint and the points; no step is under way."""
        state = self._state
        with interrupts_deferred():
            state.curves.read()
        now = time.monotonic()
        state.seconds, self._began = state.seconds + now - self._began, now
        if self._is_first:
            save_state(self._last_path, self._stepper, state, self._origin)
        recorder.write(state.curves.points, now=True)
        recorder.write_best(state, self._stop_reason)

    def _no_step_message(self) -> str:
        unreadable = self._images.train.unreadable
        reason = next(iter(unreadable.values()), "")
        return (
            f"{self._origin.train.path}: no step of an epoch has {FEWEST_IMAGES} images that "
            f"can be read and contrasted; {len(unreadable)} of {len(self._data.train)} cannot; the "
            f"first: {reason} Is --image_dir the right folder?"
        )
