"""Real jobs whose store is moved away while they work, and the resume into another store."""

import subprocess
import time

import pytest

from streetclip import store
from tests import warm
from tests.killing import evaluation_differences, training_differences
from tests.large_world import repeat_test_images

pytestmark = pytest.mark.slow


@pytest.fixture
def command(small_world, tmp_path):
    large = repeat_test_images(small_world, tmp_path / "large", 20)

    def make(job, name, *more):
        world = large if job == "evaluate" else small_world
        common = [
            f"--image_dir={world / 'images'}",
            f"--model_name={small_world / 'model'}",
            f"--output_dir={tmp_path / name.partition('-')[0]}",
            f"--db={tmp_path / name / 's.db'}",
            "--num_workers=0",
            "--device=cpu",
            "--precision=fp32",
        ]
        own = {
            "evaluate": [
                f"--test_csv={world / 'test.csv'}",
                f"--candidates_file={world / 'candidates.json'}",
                "--batch_size=2",
            ],
            "train": [
                f"--train_csv={world / 'train.csv'}",
                f"--val_csv={world / 'val.csv'}",
                "--batch_size=4",
                "--num_epochs=8",
            ],
        }[job]
        return [f"jobs/{job}.py", *common, *own, *more]

    return make


def wait_for_job(db, job):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if db.exists():
            with store.open_store(db) as opened:
                if opened.rows("SELECT 1 FROM jobs WHERE task = ? AND done > 0", (job,)):
                    return
        time.sleep(0.05)
    pytest.fail("no work within two minutes")


@pytest.mark.parametrize("job", ["evaluate", "train"])
def test_it_ends_with_1_and_a_resume_into_another_store_completes_it(command, tmp_path, job):
    with warm.Job(command(job, "out-a"), stderr=subprocess.PIPE, text=True) as process:
        wait_for_job(tmp_path / "out-a" / "s.db", job)
        (tmp_path / "out-a").rename(tmp_path / "elsewhere")
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert "Traceback" not in errors
    assert "s.db: was deleted, moved or replaced while this job was running. " in errors
    assert not (tmp_path / "out-a" / "s.db").exists()
    saved = {"evaluate": "predictions.csv", "train": "last_checkpoint.pt"}[job]
    assert (tmp_path / "out" / saved).exists()
    again = warm.run(command(job, "out-b", "--resume"))
    assert again.returncode == 0, again.stderr
    whole = warm.run(command(job, "whole-c"))
    assert whole.returncode == 0, whole.stderr
    differences = {"evaluate": evaluation_differences, "train": training_differences}[job]
    folders = [tmp_path / "out", tmp_path / "out-b" / "s.db"]
    assert differences(*folders, tmp_path / "whole", tmp_path / "whole-c" / "s.db") == []
