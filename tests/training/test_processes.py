"""Several processes that torchrun starts learn what one does, and go on where others stopped."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from streetclip import runtime, store
from streetclip.models.loading import load_encoder
from tests import warm

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def torchrun(arguments, num_processes):
    """Run the job as its users do, cold."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, f"--nproc_per_node={num_processes}", "jobs/train.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def run_group(arguments, num_processes):
    """Run the job in as many processes, warm."""
    return warm.joined(warm.run_group(["jobs/train.py", *arguments], num_processes))


def run(arguments):
    return warm.run(["jobs/train.py", *arguments])


def flags(world, out, *more, passes=1, model=None):
    return [
        f"--train_csv={world.folder / 'train.csv'}",
        f"--val_csv={world.folder / 'val.csv'}",
        f"--image_dir={world.folder / 'images'}",
        f"--output_dir={world.folder / out}",
        f"--db={world.folder / out}.db",
        f"--model_name={model or world.model}",
        "--batch_size=3",
        f"--gradient_accumulation_steps={passes}",
        "--num_epochs=2",
        "--learning_rate=3e-3",
        "--num_workers=0",
        "--device=cpu",
        f"--precision={world.precision}",
        *more,
    ]


@pytest.fixture
def steady(world, tmp_path):
    """The tiny model without dropout, so that all differences are rounding."""
    encoder = load_encoder(str(world.model), device="cpu")
    for tower in (encoder.model.config.text_config, encoder.model.config.vision_config):
        tower.attention_dropout = 0.0
    folder = tmp_path / "steady"
    encoder.model.save_pretrained(folder)
    encoder.tokenizer.save_pretrained(folder)
    encoder.image_processor.save_pretrained(folder)
    return folder


def last_checkpoint(world, out):
    path = world.folder / out / "last_checkpoint.pt"
    return torch.load(path, weights_only=True)


def assert_close(ours, theirs, precision, rounding=1):
    """Compare two checkpoints; 16-bit products of other batches round otherwise."""
    tolerance = (
        {"rtol": 2e-3, "atol": rounding * 2e-4}
        if precision == "fp32"
        else {"rtol": 0, "atol": 2e-2}
    )
    assert ours["model"].keys() == theirs["model"].keys()
    for name, each in theirs["model"].items():
        torch.testing.assert_close(ours["model"][name], each, **tolerance)
    # A rounded feature may tip an image over, in long trainings and in 16 bits.
    tipped = 0 if precision == "fp32" and rounding == 1 else 2
    counted = ("epoch", "step", "num_images")
    for our, their in zip(ours["resume"]["epochs"], theirs["resume"]["epochs"], strict=True):
        assert [our[name] for name in counted] == [their[name] for name in counted]
        assert abs(our["num_correct"] - their["num_correct"]) <= tipped
        assert our["val_loss"] == pytest.approx(
            their["val_loss"], rel=rounding * 1e-3 if precision == "fp32" else 2e-2
        )


def test_three_processes_learn_what_one_does_and_write_once(world, steady):
    (world.folder / "images" / "train4.png").write_bytes(b"no image")
    (world.folder / "images" / "val7.png").unlink()
    launch = torchrun if world.precision == "fp32" else run_group
    shared = launch(flags(world, "three", model=steady), 3)
    assert shared.returncode == 0, shared.stderr
    alone = run(flags(world, "one", passes=3, model=steady))
    assert alone.returncode == 0, alone.stderr
    assert_close(last_checkpoint(world, "three"), last_checkpoint(world, "one"), world.precision)
    assert shared.stdout.count("training 1 ·") == 1
    assert "torchrun --nproc_per_node 3 jobs/train.py --recipe=" in shared.stdout
    with store.open_store(world.folder / "three.db", read_only=True) as opened:
        assert runtime.list_jobs(opened)["state"].tolist() == ["done"]
        assert store.list_trainings(opened)["state"].tolist() == ["done"]
    assert load_encoder(str(world.folder / "three" / "best_model"), device="cpu").prompts


@pytest.mark.parametrize("precision", ["fp32"], indirect=True)
def test_a_training_goes_on_with_another_number_of_processes(world, steady):
    long = ("--num_epochs=16", "--learning_rate=3e-4")
    begun = run(flags(world, "moved", *long, passes=4, model=steady))
    assert begun.returncode == 0, begun.stderr
    whole = last_checkpoint(world, "moved")
    _stop_after_a_step(world, "parts", flags(world, "parts", *long, passes=2, model=steady))
    stopped = last_checkpoint(world, "parts")["resume"]["step"]
    assert 0 < stopped < whole["resume"]["step"]
    other = flags(world, "parts", *long, "--resume", passes=4, model=steady)
    refused = run([*other, "--gradient_accumulation_steps=3"])
    assert refused.returncode == 2
    assert "the images of a step" in refused.stderr
    assert "was '12', is '9'" in refused.stderr
    resumed = run(other)
    assert resumed.returncode == 0, resumed.stderr
    # Over 48 steps rounding grows.
    assert_close(last_checkpoint(world, "parts"), whole, world.precision, rounding=10)


def _stop_after_a_step(world, out, arguments):
    """Send TERM to both of two processes, as a batch system does."""
    checkpoint = world.folder / out / "last_checkpoint.pt"
    jobs = warm.start_group(["jobs/train.py", *arguments, "--checkpoint_every=1"], 2)
    deadline = time.monotonic() + 120
    while not (checkpoint.exists() and last_checkpoint(world, out)["resume"]["step"]):
        assert time.monotonic() < deadline, "no step within two minutes"
        time.sleep(0.02)
    for job in jobs:
        job.send_signal(signal.SIGTERM)
    told = "".join(job.communicate(timeout=120)[1] for job in jobs)
    assert [job.returncode for job in jobs] == [130, 130], told
    assert "saved at step" in told, told
    with store.open_store(world.folder / f"{out}.db", read_only=True) as opened:
        assert store.list_trainings(opened)["state"].tolist() == ["interrupted"]


@pytest.mark.parametrize("precision", ["fp32"], indirect=True)  # one is enough: nothing is computed
def test_processes_that_were_started_otherwise_are_told_apart(world, tmp_path):
    script = (
        "import os, sys\nfrom jobs.train import main\n"
        "other = ['--learning_rate=0.01'] if os.environ['RANK'] == '1' else []\n"
        "sys.exit(main([*sys.argv[1:], *other]))\n"
    )
    (tmp_path / "script.py").write_text(script)
    told = warm.run_group([str(tmp_path / "script.py"), *flags(world, "told")], 2)[1]
    assert told.returncode != 0
    assert "--learning_rate is '0.01' in process 1 of this job" in told.stderr
