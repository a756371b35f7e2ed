import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from jobs import make_demo

ROOT = Path(__file__).parents[2]

SMALL = ["--num_train", "5", "--num_val", "2", "--num_test", "3", "--num_workers", "1"]


def test_the_job_draws_and_says_what_it_drew(tmp_path, capsys):
    folder = tmp_path / "demo"
    assert make_demo.main(["--output_dir", str(folder), *SMALL]) == 0
    out, err = capsys.readouterr()
    assert "drawn world · 10 images · done" in out
    assert "40 countries, 120 cities" in out
    assert str(folder) in out
    assert "draw" in err
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "candidates.json", "drawn_world.json", "images", "model", "test.csv",
        "train.csv", "val.csv",
    }  # fmt: skip


def test_a_finished_folder_is_refused_in_one_line(tmp_path, capsys):
    folder = tmp_path / "demo"
    arguments = ["--output_dir", str(folder), *SMALL]
    assert make_demo.main(arguments) == 0
    capsys.readouterr()
    assert make_demo.main(arguments) == 2
    assert "holds a finished drawn world" in capsys.readouterr().err.splitlines()[-1]
    assert make_demo.main([*arguments, "--resume"]) == 0
    assert "kept as it was" in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["--num_train", "--num_val", "--num_test"])
def test_a_count_of_nothing_is_refused(flag, tmp_path, capsys):
    assert make_demo.main(["--output_dir", str(tmp_path / "x"), flag, "0"]) == 2
    assert "expected at least 1" in capsys.readouterr().err


def test_help_imports_neither_torch_nor_pillow():
    code = (
        "import sys\nfrom jobs import make_demo\n"
        "try:\n    make_demo.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'PIL', 'transformers', 'pandas'} & set(sys.modules), sys.modules"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--num_train" in done.stdout
    assert time.monotonic() - start < 10


@pytest.mark.slow
def test_ctrl_c_while_the_drawing_processes_start_is_one_line(tmp_path):
    words = ["--output_dir", str(tmp_path / "demo"), "--num_train", "300", "--num_workers", "2"]
    with subprocess.Popen(
        [sys.executable, "jobs/make_demo.py", *words, "--db", str(tmp_path / "store.db")],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as job:
        own = psutil.Process(job.pid)
        while not any("spawn_main" in " ".join(each.cmdline()) for each in own.children()):
            time.sleep(0.01)
        time.sleep(0.1)
        os.killpg(job.pid, signal.SIGINT)
        errors = job.communicate(timeout=60)[1]
    assert job.returncode == 130, errors
    assert "Traceback" not in errors
    assert "interrupted; what was finished is kept" in errors
