"""Ctrl-C while modules are imported, as in the first second of a job."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Python imports a module of this name by itself, before it runs a script.
SITE = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
"""


def interrupted_at(module, words, folder, **variables):
    (folder / "sitecustomize.py").write_text(SITE)
    known = {"INTERRUPT_AT": module, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=os.environ | known | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "module"),
    [
        (["main.py", "--mode", "train"], "jobs.support.cli"),
        (["main.py", "--mode", "train"], "jobs.train"),
        (["jobs/train.py"], "streetclip.config"),
        (["jobs/train.py"], "streetclip.config.recipes"),
        (["jobs/launch.py", "jobs/train.py"], "torch"),
        (["jobs/submit_slurm.py", "--", "--help"], "streetclip.config.arguments"),
        (["jobs/clear_cache.py", "--db"], "streetclip.evaluation.feature_cache"),
    ],
)
def test_an_interrupt_ends_with_130_and_one_line(words, module, tmp_path):
    store = [str(tmp_path / "s.db")] * (words[-1] == "--db")
    done = interrupted_at(module, [*words, *store], tmp_path)
    lines = [line for line in done.stderr.splitlines() if line and not line.startswith("INFO")]
    assert done.returncode == 130, done.stderr
    assert len(lines) == 1, done.stderr
    assert ": interrupted" in lines[0]


def test_of_several_processes_only_the_first_prints_a_line(tmp_path):
    done = interrupted_at("streetclip.config", ["jobs/train.py"], tmp_path, RANK="1")
    assert (done.returncode, done.stderr) == (130, "")


def test_other_errors_keep_their_traceback(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import jobs\nraise RuntimeError('a fault')\n")
    done = interrupted_at("", [str(broken)], tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "a fault" in done.stderr
