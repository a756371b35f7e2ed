import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run_main(*flags):
    return subprocess.run(
        [sys.executable, "main.py", *flags], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_help_names_the_modes():
    done = run_main("--help")
    assert done.returncode == 0
    for mode in ("generate_captions", "train", "evaluate"):
        assert mode in done.stdout


@pytest.mark.parametrize("mode", ["generate_captions", "train", "evaluate"])
def test_help_of_a_mode_is_the_help_of_its_job(mode):
    through_main = run_main("--mode", mode, "--help")
    job = subprocess.run(
        [sys.executable, f"jobs/{mode}.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert through_main.returncode == 0
    flags = {word for word in job.stdout.split() if word.startswith("--")}
    assert len(flags) > 5
    assert flags <= set(through_main.stdout.split())


def test_a_missing_mode_is_one_line_and_exit_2():
    done = run_main("--train_csv", "x.csv")
    assert done.returncode == 2
    assert done.stderr.startswith("main.py: error: --mode is missing")
    assert done.stderr.count("\n") == 1


def test_an_unknown_mode_is_one_line_and_exit_2():
    done = run_main("--mode", "predict")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
