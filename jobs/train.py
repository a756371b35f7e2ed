"""Train a model on images and their captions: checkpoints into --output_dir, curves into --db."""

import logging
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs.cli import OneLineParser, build_config_parser, run_job, warn_of_skipped_rows
from jobs.record import Job
from streetclip.config import TrainConfig

if TYPE_CHECKING:
    from streetclip.training.results import EpochRecord, TrainingResult

_LOG = logging.getLogger(__name__)


def build_parser() -> OneLineParser:
    """Make the parser; its flags are the fields of `TrainConfig`."""
    return build_config_parser(TrainConfig, __doc__ or "")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(build_parser(), TrainConfig, argv, _train)


def _train(config: TrainConfig, job: Job) -> None:
    # Torch takes seconds to import; --help and wrong flags should not wait for it.
    from streetclip.datasets.images import check_image_dir
    from streetclip.datasets.manifest import read_manifest
    from streetclip.demo import is_drawn
    from streetclip.models import load_encoder
    from streetclip.store import open_store
    from streetclip.training.checkpoints import check_output_dir
    from streetclip.training.loop import train

    check_output_dir(config)
    train_manifest = read_manifest(config.train_csv, on_bad_rows=config.on_bad_rows)
    val_manifest = read_manifest(config.val_csv, on_bad_rows=config.on_bad_rows)
    for manifest in (train_manifest, val_manifest):
        warn_of_skipped_rows(manifest.problems)
        check_image_dir(config.image_dir, manifest.frame["image_filename"].tolist())
    drawn = is_drawn(config.image_dir)
    encoder = load_encoder(config.model_name, device=config.device, precision=config.precision)
    _LOG.info("model %s on %s, %s", config.model_name, encoder.device, encoder.precision.reason)
    with open_store(config.db) as database:
        result = train(
            config,
            train_manifest,
            val_manifest,
            encoder,
            database,
            job.progress,
            drawn=drawn,
            job_id=job.id,
        )
    job.add_output(result.checkpoint_path)
    _print_result(config, result)


def _print_result(config: TrainConfig, result: "TrainingResult") -> None:
    best = result.best
    state = "was finished already" if result.was_finished else f"done in {result.seconds:,.0f} s"
    print(f"training {result.training_id} · {result.num_train_images:,} images · {state}\n")
    print("epoch    step  train loss  val loss  val country accuracy")
    for record in result.epochs:
        print(_row(record, is_best=record == best))
    for problem in _problems(result):
        print(f"\n{problem}")
    print(f"\nbest   epoch {best.epoch}: {result.checkpoint_path}\nstore  {config.db}")
    print(f"\nnext   {_next_command(config, result)}")


def _row(record: "EpochRecord", *, is_best: bool) -> str:
    train_loss = "–" if record.train_loss is None else f"{record.train_loss:.4f}"
    accuracy = f"{record.val_country_accuracy:7.1%} ({record.num_correct} of {record.num_images})"
    mark = "  best" if is_best else ""
    return (
        f"{record.epoch:5}  {record.step:6}  {train_loss:>10}  {record.val_loss:8.4f}  "
        f"{accuracy}{mark}"
    )


def _problems(result: "TrainingResult") -> list[str]:
    problems = []
    if result.num_unreadable_train or result.num_unreadable_val:
        problems.append(
            f"unreadable images: {result.num_unreadable_train:,} for training (skipped), "
            f"{result.num_unreadable_val:,} for validation (counted as wrong)"
        )
    if result.num_skipped_batches:
        problems.append(f"batches skipped for want of images: {result.num_skipped_batches:,}")
    if not result.best.is_better_than(result.epochs[0]):
        problems.append(
            "No epoch is better than the model before training. More epochs, or another "
            "--learning_rate?"
        )
    return problems


def _next_command(config: TrainConfig, result: "TrainingResult") -> str:
    folder, checkpoint = str(config.image_dir), str(result.checkpoint_path)
    return (
        "python main.py --mode evaluate --test_csv TEST.csv "
        f"--image_dir {shlex.quote(folder)} --checkpoint_path {shlex.quote(checkpoint)}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
