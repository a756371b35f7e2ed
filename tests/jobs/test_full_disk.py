"""Jobs whose disk fills up, with their store, log and outputs on it, as their user sees them.

That what they leave in the end is the same as ever is tested beside training and evaluation.
"""

import subprocess
import time

import pytest

from jobs.support.cli import run_job
from streetclip import runtime, store
from streetclip.config import DemoConfig
from tests import warm
from tests.disks import fill, free_space, is_whole
from tests.killing import run_job as run_program


def data_flags(world, folder):
    return [f"--image_dir={world / 'images'}", f"--model_name={world / 'model'}",
            f"--output_dir={folder / 'out'}", f"--db={folder / 'streetclip.db'}",
            "--num_workers=0", "--device=cpu", "--precision=fp32"]  # fmt: skip


def training_flags(world, folder):
    return [*data_flags(world, folder), f"--train_csv={world / 'train.csv'}",
            f"--val_csv={world / 'val.csv'}", "--batch_size=8", "--num_epochs=6",
            "--learning_rate=1e-3", "--checkpoint_every=3"]  # fmt: skip


def evaluation_flags(world, folder):
    return [*data_flags(world, folder), f"--test_csv={world / 'test.csv'}", "--batch_size=4",
            f"--candidates_file={world / 'candidates.json'}"]  # fmt: skip


def run_until(name, flags, happened, action):
    """Run a job; do something as soon as something else has happened; give code and stderr."""
    command = [f"jobs/{name}.py", *flags]
    with warm.Job(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not happened() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.poll() is None, process.stderr.read()
        action()
        _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def assert_told_in_one_line(name, code, errors):
    assert code == 1, errors
    assert "Traceback" not in errors
    assert "Logging error" not in errors
    told = [line for line in errors.splitlines() if line.startswith(f"{name}.py: error: ")]
    assert len(told) == 1
    assert "disk" in told[0]
    assert "Free some space and run again" in told[0]
    assert errors.endswith(f"{told[0]}\n")


def the_job(db):
    """The only record, after a look for dead jobs."""
    with store.open_store(db) as opened:
        runtime.interrupt_dead_jobs(opened)
        (job,) = runtime.list_jobs(opened).to_dict("records")
    return job


@pytest.mark.slow
def test_a_training_whose_disk_fills_up_goes_on_once_there_is_room(small_world, small_disk):
    last = small_disk / "out" / "last_checkpoint.pt"
    code, errors = run_until(
        "train",
        training_flags(small_world, small_disk),
        happened=last.exists,
        action=lambda: fill(small_disk, leave_bytes=300_000),
    )
    assert_told_in_one_line("train", code, errors)
    assert is_whole(small_disk / "streetclip.db")
    free_space(small_disk)
    job = the_job(small_disk / "streetclip.db")
    assert job["state"] in ("failed", "interrupted")
    assert job["error"]
    run_program("train", [*training_flags(small_world, small_disk), "--resume"])
    assert the_job(small_disk / "streetclip.db")["state"] == "done"


@pytest.mark.slow
def test_an_evaluation_whose_disk_fills_up_goes_on_once_there_is_room(small_world, small_disk):
    config = small_disk / "out" / "config.json"
    code, errors = run_until(
        "evaluate",
        evaluation_flags(small_world, small_disk),
        happened=config.exists,
        action=lambda: fill(small_disk),
    )
    assert_told_in_one_line("evaluate", code, errors)
    assert is_whole(small_disk / "streetclip.db")
    free_space(small_disk)
    assert the_job(small_disk / "streetclip.db")["state"] in ("failed", "interrupted")
    run_program("evaluate", [*evaluation_flags(small_world, small_disk), "--resume"])
    assert the_job(small_disk / "streetclip.db")["state"] == "done"


@pytest.mark.slow
@pytest.mark.parametrize("kib", [16, 20, 24, 28, 30])
@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_a_few_kilobytes_for_the_outputs_are_too_few_in_one_line(
    name, kib, small_world, small_disk, tmp_path
):
    flags = {"train": training_flags, "evaluate": evaluation_flags}[name](small_world, small_disk)
    fill(small_disk, leave_bytes=kib * 1024)
    done = warm.run([f"jobs/{name}.py", *flags, f"--db={tmp_path / 'streetclip.db'}"])
    assert_told_in_one_line(name, done.returncode, done.stderr)


def test_a_record_that_finds_no_room_for_a_while_stops_no_job(small_disk, monkeypatch, capsys):
    """The job writes elsewhere, say; when there is room again its record goes on."""
    monkeypatch.setattr("jobs.support.record.BEAT_S", 0.02)
    db = small_disk / "streetclip.db"
    told = []

    def num_told():
        told.append(capsys.readouterr().err)
        return "".join(told).count("the record of this job could not be written")

    def work(config, job):
        with job.progress("draw", "image") as bar:
            bar(1, 2)
            fill(small_disk)
            deadline = time.monotonic() + 30
            while not num_told() and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.2)
            free_space(small_disk)
            bar(2, 2)

    assert run_job(DemoConfig, "Draw.", [f"--db={db}", f"--output_dir={small_disk}/out"], work) == 0
    assert num_told() == 1
    job = the_job(db)
    assert (job["state"], job["done"], job["total"]) == ("done", 2, 2)
