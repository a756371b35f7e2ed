"""Run a training: steps, validations, checkpoints and resumes."""

import contextlib
import logging
import math
import time
from functools import partial

import torch

from streetclip import store
from streetclip.config import TrainConfig
from streetclip.config.recipes import CONFIG_FILE, save_config
from streetclip.data.manifest import Manifest
from streetclip.errors import ManifestError
from streetclip.models.encoder import DualEncoder
from streetclip.models.identity import identify
from streetclip.progress import Stages, no_progress, no_stages
from streetclip.runtime.distributed import Group, check_agreement
from streetclip.training.checkpoints import (
    BEST_MODEL,
    LAST_CHECKPOINT,
    Origin,
    TrainingState,
    check_output_dir,
    load_state,
    save_state,
)
from streetclip.training.curves import MAX_WINDOWS, Point, Recorder, peak_memory_mib
from streetclip.training.freezing import choose_parts
from streetclip.training.image_source import Feed, Images
from streetclip.training.interrupts import Interrupt, interrupts_deferred
from streetclip.training.losses import Objective
from streetclip.training.optimizer import (
    WeightAverage,
    build_optimizer,
    learning_rate_factor,
    logit_scale_bound,
)
from streetclip.training.results import TrainingResult, why_stopped
from streetclip.training.step import FEWEST_IMAGES, StepImages, Stepper
from streetclip.training.training_data import describe_files, load_training_data
from streetclip.training.validation import Validator

_LOG = logging.getLogger(__name__)
# Curves of the validations, of all images and of held-out countries
_VALIDATED = ("loss", "country_accuracy", "num_correct", "num_images")


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
    """Train a dual encoder on images and their captions, or resume a training.

    On a CPU in float32, the same seed gives the same bits, resumes included. Other numbers of
    processes and passes, with as many images a step, differ by rounding.

    The initial `encoder`, also of a resume, is trained in place. Only the first process of a
    `group` has a `database`.

    Raises OutputError if the output folder holds a training and `--resume` is not given;
    ConfigError for a resume under other conditions, a diverged training, or processes with
    different settings; ManifestError if there is nothing to learn or no image is readable;
    ResourceError if the disk is full or another process has ended; KeyboardInterrupt after the
    state was saved for a resume.
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
    wanted, num_images = origin.effective_batch_size, len(origin.data.train)
    if wanted > num_images:
        passes = f"--gradient_accumulation_steps {config.gradient_accumulation_steps}"
        cut = f"--batch_size {config.batch_size} × {passes} × {origin.num_processes} processes"
        message = "a step takes %d images (%s), but %s has %d; each step takes them all"
        _LOG.warning(message, wanted, cut, train.path, num_images)
    # Leave the caller's random numbers alone.
    cuda = [encoder.device] if encoder.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(config.seed)  # adapters begin at random
        training = _Training(origin, encoder, stages, group)
        was_finished = training.is_finished
        if was_finished:
            _LOG.info("%s: the training is finished; nothing to train.", config.output_dir)
        training.run(database, job_id)  # also a finished one: the store may lack its end
        return training.result(was_finished=was_finished)


class _Training:
    """One training in progress."""

    def __init__(
        self, origin: Origin, encoder: DualEncoder, stages: Stages, group: Group | None
    ) -> None:
        self._origin, self._encoder, self._stages, self._group = origin, encoder, stages, group
        self._config, self._data, self._progress = origin.config, origin.data, no_progress
        self._is_first = group is None or group.ranks.is_first
        self._stepper = self._build_stepper()
        self._images = Images.open(self._config, self._data, encoder, stages, group)
        self._feed = Feed(self._config, self._data, self._images.train, group)
        self._num_steps = self._feed.steps_per_epoch * self._config.num_epochs
        self._window = max(1, math.ceil(self._num_steps / MAX_WINDOWS))  # steps of a point
        self._last_path = self._config.output_dir / LAST_CHECKPOINT
        self._state = self._restore()
        self._state.curves.checks_grad_norm = not self._stepper.scaler.is_enabled()
        self._state.curves.max_logit_scale = self._stepper.max_logit_scale
        self._began = time.monotonic()
        self._in_step = False
        self._interrupt = Interrupt()

    def _build_stepper(self) -> Stepper:
        encoder, config = self._encoder, self._config
        max_logit_scale = logit_scale_bound(encoder.model)
        _LOG.info("%s", choose_parts(encoder.model, config))
        objective = Objective(encoder, config)
        is_half = encoder.precision.name == "fp16"
        optimizer = build_optimizer(encoder.model, config, tuple(objective.parameters()))
        scaler = torch.amp.GradScaler(encoder.device.type, enabled=is_half)
        average = WeightAverage(encoder.model, config.ema_decay) if config.ema_decay else None
        return Stepper(
            encoder, objective, optimizer, scaler, config, max_logit_scale, self._group, average
        )

    def _restore(self) -> TrainingState:
        decisive = self._origin.decisive()
        state = TrainingState()
        if self._config.resume and self._last_path.exists():
            state = load_state(self._last_path, self._stepper, decisive)
        if self._is_first:
            state.image_files = describe_files(self._last_path, self._data, state.image_files)
        if self._group is not None:
            check_agreement(self._group, decisive | {"the step to continue from": state.step})
        return state

    @property
    def is_finished(self) -> bool:
        """Whether the last epoch was validated, or the training stopped early."""
        return len(self._state.epochs) > self._config.num_epochs or self._stop_reason is not None

    @property
    def _stop_reason(self) -> str | None:
        config = self._config
        return why_stopped(self._state.epochs, config.early_stopping, config.select_by)

    def result(self, *, was_finished: bool = False) -> TrainingResult:
        """Summarise the training."""
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

    def run(self, database: store.Store | None, job_id: int | None) -> None:
        """Train the remaining epochs, and record the outcome."""
        if database is not None:
            save_config(self._config, self._config.output_dir / CONFIG_FILE)
        spec, training_id = self._origin.to_spec(), self._state.training_id
        is_resume = self._config.resume
        recorder = Recorder(database, spec, training_id, is_resume=is_resume, job_id=job_id)
        self._state.training_id = recorder.training_id
        recorder.set_state("running")
        try:
            recorder.write_best(self._state.describe_best(self._config, self._stop_reason))
            if self.is_finished:  # but not recorded in this store
                recorder.write(self._state.curves.points, now=True)
            else:
                self._run_or_save(recorder)
        except KeyboardInterrupt:
            recorder.set_stopped("interrupted")
            raise
        except Exception as error:
            recorder.set_stopped("failed", str(error) or type(error).__name__)
            raise
        recorder.set_state("done")

    def _run_or_save(self, recorder: Recorder) -> None:
        # Several processes stop at the same step.
        alone = contextlib.nullcontext(self._interrupt)
        try:
            with alone if self._group is None else interrupts_deferred() as self._interrupt:
                self._run(recorder)
        except KeyboardInterrupt:
            if self._in_step:
                _LOG.warning("stopped within a step; --resume continues from the last checkpoint")
            else:
                self._save(recorder)
                _LOG.info("saved at step %d; --resume continues there", self._state.step)
                if self._group is not None:
                    self._group.broadcast(None)  # a launcher ends all when the first one ends
            raise

    def _run(self, recorder: Recorder) -> None:
        if self.is_finished:
            self._record(recorder)
            return
        validator = Validator(self._origin, self._stepper, self._images, self._stages)
        with self._stages("train", "step") as self._progress:
            self._progress(self._state.step, self._num_steps)
            for epoch in range(len(self._state.epochs), self._config.num_epochs + 1):
                if epoch:
                    self._train_epoch(epoch, recorder)
                self._validate(epoch, validator)
                self._save(recorder)
                if self._stop_reason is not None:
                    _LOG.info("%s", self._stop_reason)
                    return

    def _train_epoch(self, epoch: int, recorder: Recorder) -> None:
        length, state = self._feed.steps_per_epoch, self._state
        self._images.train.load()  # not part of the first step's time
        state.curves.restart_clock()
        self._encoder.model.train()
        done = state.step - (epoch - 1) * length
        steps = self._feed.steps(epoch, done=done, interrupt=self._interrupt)
        with contextlib.closing(steps):
            for images in steps:
                with interrupts_deferred():
                    self._in_step = True
                    self._step(images, epoch)
                    if state.step % self._window == 0 or state.step == epoch * length:
                        self._close_window()
                    self._in_step = False
                self._report(recorder)
        self._encoder.model.eval()
        if not (state.curves.epoch_losses or state.curves.window):
            unreadable = self._images.train.unreadable
            msg = (
                f"{self._origin.train.path}: no step of an epoch has {FEWEST_IMAGES} images that "
                f"can be read and contrasted; {len(unreadable)} of {len(self._data.train)} cannot; "
                f"the first: {next(iter(unreadable.values()), '')} Is --image_dir the correct "
                "folder?"
            )
            raise ManifestError(msg)

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
        config, num_steps = self._config, self._num_steps
        return config.learning_rate * learning_rate_factor(
            step, num_steps, warmup_fraction=config.warmup_fraction, schedule=config.schedule
        )

    def _close_window(self) -> None:
        step = self._state.step
        now = {
            "lr": self._learning_rate(step - 1),
            "logit_scale": self._encoder.logit_scale,
            "memory_mib": peak_memory_mib(self._encoder.device),
        }
        self._state.curves.close_window(step, step / self._feed.steps_per_epoch, **now)

    def _report(self, recorder: Recorder) -> None:
        """Save inside an epoch if it is due, and show progress."""
        state, config = self._state, self._config
        every, limit_s = config.checkpoint_every, 60 * config.checkpoint_minutes
        is_late = limit_s > 0 and time.monotonic() - self._began >= limit_s
        is_due = is_late or (every > 0 and state.step % every == 0)
        if is_due and state.step % self._feed.steps_per_epoch:
            self._save(recorder)
            state.curves.restart_clock()
        numbers = {}
        if state.step % self._window == 0:
            recorder.write(state.curves.points)
            numbers["val_accuracy"] = state.epochs[-1].val_country_accuracy
            if state.curves.epoch_losses:
                numbers["loss"] = state.curves.epoch_losses[-1]
        self._progress(state.step, self._num_steps, **numbers)

    def _validate(self, epoch: int, validator: Validator) -> None:
        state = self._state
        record, best_sha256 = validator(epoch, state)
        with interrupts_deferred():
            state.epochs.append(record)
            if best_sha256 is not None:
                state.best, state.best_sha256 = record, best_sha256
            state.curves.epoch_losses.clear()
            values = record.to_dict()
            values |= {"val_num_correct": record.num_correct, "val_num_images": record.num_images}
            names = [f"{images}_{each}" for images in ("val", "holdout") for each in _VALIDATED]
            state.curves.points += [
                Point(state.step, epoch, name, float(values[name]))
                for name in names
                if values.get(name) is not None
            ]

    def _save(self, recorder: Recorder) -> None:
        """Write the resume checkpoint and the points, between steps."""
        state = self._state
        with interrupts_deferred():
            state.curves.read()
        now = time.monotonic()
        state.seconds, self._began = state.seconds + now - self._began, now
        if self._is_first:
            save_state(self._last_path, self._stepper, state, self._origin)
        self._record(recorder)

    def _record(self, recorder: Recorder) -> None:
        recorder.write(self._state.curves.points, now=True)
        recorder.write_best(self._state.describe_best(self._config, self._stop_reason))
