"""Several processes of one job end as one: its exit code, and one line."""

import logging
import os
import signal
import subprocess
import sys
import time

import pytest

from jobs import launch
from streetclip import runtime, store
from tests import warm

pytestmark = pytest.mark.slow


def command(*flags):
    return [sys.executable, "jobs/launch.py", "--standalone", "--nproc_per_node=2", *flags]


def flags(job, world, folder, model=None):
    kinds = {
        "train": [
            f"--train_csv={world / 'train.csv'}",
            f"--val_csv={world / 'val.csv'}",
            "--batch_size=4",
            "--num_epochs=500",
        ],
        "evaluate": [
            f"--test_csv={world / 'test.csv'}",
            f"--candidates_file={world / 'candidates.json'}",
            "--batch_size=1",
        ],
    }
    common = [
        f"--image_dir={world / 'images'}",
        f"--model_name={(model or world) / 'model'}",
        f"--output_dir={folder / 'out'}",
        f"--db={folder / 's.db'}",
        "--num_workers=0",
        "--device=cpu",
        "--precision=fp32",
    ]
    return [f"jobs/{job}.py", *common, *kinds[job]]


def work_begun(db):
    if not db.exists():
        return False
    with store.open_store(db) as opened:
        jobs = runtime.list_jobs(opened)
    return bool((jobs["task"].isin(["train", "evaluate"])).any())


@pytest.mark.parametrize(
    ("job", "number", "whom"),
    [
        ("train", signal.SIGINT, "all"),  # as Ctrl-C
        ("train", signal.SIGINT, "the launcher"),
        ("train", signal.SIGTERM, "all"),  # as a batch system
        ("evaluate", signal.SIGTERM, "the launcher"),
    ],
)
def test_an_interrupt_ends_with_130_and_one_line(small_world, tmp_path, job, number, whom):
    world = small_world
    if job == "evaluate":
        from tests.large_world import repeat_test_images

        world = repeat_test_images(small_world, tmp_path / "large", 40)
    with (
        (tmp_path / "errors").open("w+b") as errors,
        subprocess.Popen(
            command(*flags(job, world, tmp_path, small_world)),
            cwd=warm.ROOT,
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        ) as process,
    ):
        deadline = time.monotonic() + 200
        while not work_begun(tmp_path / "s.db"):
            assert process.poll() is None, (tmp_path / "errors").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (os.killpg if whom == "all" else os.kill)(process.pid, number)
        assert process.wait(120) == 130
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)  # its processes have ended, too
    text = (tmp_path / "errors").read_text()
    assert "Traceback" not in text
    assert text.count(": interrupted; what was finished is kept") == 1
    assert "error: " not in text
    with store.open_store(tmp_path / "s.db") as opened:
        assert runtime.list_jobs(opened)["state"].tolist() == ["interrupted"]


def test_a_mistake_of_the_user_ends_with_2_and_one_line(small_world, tmp_path):
    wrong = [*flags("evaluate", small_world, tmp_path), f"--test_csv={tmp_path / 'none.csv'}"]
    done = subprocess.run(
        command(*wrong), cwd=warm.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "none.csv" in done.stderr


def test_wrong_flags_of_the_launcher_are_its_own(capsys):
    with pytest.raises(SystemExit) as ended:
        launch.main(["--no_such_flag"])
    assert ended.value.code == 2


def test_the_process_is_left_as_it_was(capsys):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit):
        launch.main(["--no_such_flag"])
    assert signal.getsignal(signal.SIGINT) is before
    assert logging.root.manager.disable == logging.NOTSET
