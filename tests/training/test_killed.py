"""A training ended at random moments, resumed each time, as a user would in a shell."""

import signal

import pytest

from tests.killing import run_job, run_killed, training_differences

# Each is sent to all processes of the job: KILL as a machine that goes down, TERM as a cancel.
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)


def flags(world, folder, precision):
    """A training of 60 steps, with a checkpoint after every third and at each epoch's end."""
    return (
        f"--train_csv={world / 'train.csv'}",
        f"--val_csv={world / 'val.csv'}",
        f"--image_dir={world / 'images'}",
        f"--model_name={world / 'model'}",
        f"--output_dir={folder / 'training'}",
        f"--db={folder / 'streetclip.db'}",
        "--batch_size=8",
        "--num_epochs=6",
        "--learning_rate=1e-3",
        "--checkpoint_every=3",
        "--num_workers=1",
        "--device=cpu",
        f"--precision={precision}",
    )


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "num_processes"), [("fp32", 1)])
def test_a_training_killed_at_random_moments_ends_as_an_undisturbed_one(
    small_world, tmp_path, precision, num_processes
):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    work_s = run_job("train", flags(small_world, whole, precision), num_processes=num_processes)
    num_kills = run_killed(
        "train",
        flags(small_world, killed, precision),
        num_kills=len(SIGNALS),
        longest_s=work_s / (2 * len(SIGNALS)),
        seed=2,  # one of the moments is in the start
        numbers=SIGNALS,
        num_processes=num_processes,
    )
    assert num_kills  # a busy machine may leave less to the later ones
    differences = training_differences(
        killed / "training", killed / "streetclip.db", whole / "training", whole / "streetclip.db"
    )
    assert differences == []
    names = {path.name for path in (killed / "training").iterdir()}
    # Nothing half-written.
    assert names == {"best_model", "best_model.pt", "config.json", "last_checkpoint.pt"}
