"""Train a model on images and their captions: checkpoints into --output_dir, curves into --db.

Several processes that launch.py starts share the images of each step; the first one writes.
"""

import contextlib
import logging
import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs.support.cli import log_row_problems, run_job
from jobs.support.record import Job
from streetclip.config import TrainConfig
from streetclip.config.recipes import reproduce_command
from streetclip.launch_env import Ranks

if TYPE_CHECKING:
    from streetclip.training.results import TrainingResult

_LOG = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(TrainConfig, __doc__, argv, _train)


def _train(config: TrainConfig, job: Job) -> None:
    # Torch takes seconds to import; --help and wrong flags must not wait for it.
    from streetclip.data.dataset_check import shared_images
    from streetclip.data.decoding import check_image_dir
    from streetclip.data.manifest import read_manifest
    from streetclip.demo import is_drawn
    from streetclip.models.loading import load_encoder
    from streetclip.progress import no_stages
    from streetclip.runtime.distributed import meet, own_device
    from streetclip.store import open_store
    from streetclip.training.checkpoints import check_output_dir
    from streetclip.training.loop import train

    ranks = Ranks.from_environment(os.environ)
    if ranks.is_first:
        check_output_dir(config)
    train_manifest = read_manifest(config.train_csv, on_bad_rows=config.on_bad_rows)
    val_manifest = read_manifest(config.val_csv, on_bad_rows=config.on_bad_rows)
    for manifest in (train_manifest, val_manifest):
        if ranks.is_first:
            log_row_problems(manifest.problems, manifest.warnings)
        check_image_dir(config.image_dir, manifest.frame["image_filename"].tolist())
    if ranks.is_first:
        shared = shared_images((train_manifest, val_manifest))
        log_row_problems([], [each.message for each in shared])
    device = own_device(config.device, ranks)
    encoder = load_encoder(config.model_name, device=device, precision=config.precision)
    _LOG.info("model %s on %s, %s", config.model_name, encoder.device, encoder.precision.reason)
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(meet(ranks, encoder.device))
        result = train(
            config,
            train_manifest,
            val_manifest,
            encoder,
            stack.enter_context(open_store(config.db)) if ranks.is_first else None,
            job.progress if ranks.is_first else no_stages,
            drawn=is_drawn(config.image_dir),
            job_id=job.id,
            group=group,
        )
    if ranks.is_first:
        job.add_output(result.checkpoint_path)
        _print_result(config, result, ranks.world_size)


def _print_result(config: TrainConfig, result: "TrainingResult", num_processes: int) -> None:
    from streetclip.training.results import holdout_report

    best = result.best
    state = "was finished already" if result.was_finished else f"done in {result.seconds:,.0f} s"
    print(f"training {result.training_id} · {result.num_train_images:,} images · {state}\n")
    print("epoch    step  train loss  val loss  val country accuracy")
    for record in result.epochs:
        train_loss = "–" if record.train_loss is None else f"{record.train_loss:.4f}"
        print(
            f"{record.epoch:5}  {record.step:6}  {train_loss:>10}  {record.val_loss:8.4f}  "
            f"{record.val_country_accuracy:7.1%} ({record.num_correct} of {record.num_images})"
            f"{'  best' if record == best else ''}"
        )
    if result.stop_reason is not None:
        print(f"\nended early: {result.stop_reason}")
    if lines := holdout_report(result.epochs, best):
        print("\n" + "\n".join(lines))
    if result.num_unreadable_train or result.num_unreadable_val:
        print(
            f"\nunreadable images: {result.num_unreadable_train:,} for training (skipped), "
            f"{result.num_unreadable_val:,} for validation (counted as wrong)"
        )
    if result.num_skipped_batches:
        print(f"\nsteps skipped for lack of images: {result.num_skipped_batches:,}")
    if not best.is_better_than(result.epochs[0], config.select_by):
        print(
            "\nNo epoch is better than the model before training. Try more epochs or another "
            "--learning_rate."
        )
    print(f"\nbest   epoch {best.epoch}: {result.checkpoint_path}\nstore  {config.db}")
    print(
        "\nnext   python main.py --mode evaluate --test_csv TEST.csv "
        f"--image_dir {shlex.quote(str(config.image_dir))} "
        f"--checkpoint_path {shlex.quote(str(result.checkpoint_path))}"
    )
    print(f"again  {reproduce_command(config, num_processes=num_processes)}")


if __name__ == "__main__":
    raise SystemExit(main())
