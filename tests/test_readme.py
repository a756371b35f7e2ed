"""The README's plain commands are those of the Makefile."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def plain_commands():
    start = (ROOT / "README.md").read_text(encoding="utf-8").split("## Quick start")[1]
    section = start.split("## Your own photos")[0]
    return [line for line in section.splitlines() if line.startswith(".venv/bin/")]


def made(target):
    """What make would run, without what a rerun alone needs."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed; install it: apt-get install make")
    # -B: as on a fresh clone, where nothing is installed.
    done = subprocess.run(
        ["make", "-n", "-B", target], cwd=ROOT, capture_output=True, text=True, check=True
    )
    commands = [line for line in done.stdout.splitlines() if line.startswith(".venv/bin/")]
    return [line.replace(" --resume", "").replace(" --overwrite", "") for line in commands]


def test_the_demo_runs_the_same_commands():
    jobs = [line for line in plain_commands() if "jobs/" in line or "main.py" in line]
    assert len(jobs) == 5
    assert jobs == [line for line in made("demo-run") if "jobs/" in line or "main.py" in line]


def test_the_tests_run_the_same_command():
    assert [line for line in plain_commands() if "pytest" in line] == [
        line for line in made("test") if "pytest" in line
    ]


def test_every_file_that_the_readme_shows_is_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = [part.split(")")[0] for part in text.split("](")[1:]]
    local = [path for path in shown if not path.startswith("http")]
    assert "docs/overview.png" in local
    assert [path for path in local if not (ROOT / path).exists()] == []
