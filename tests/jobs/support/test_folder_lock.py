"""One folder, one job: also where two jobs keep their records in two stores."""

import json
import os
import signal
import subprocess
import time

import pytest

from jobs import generate_captions, make_demo
from streetclip.files import is_unused, locked_folder
from streetclip.process_identity import find_process
from tests import warm

HEAD = "image_filename,city,region,country,continent\n"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "new" / "out"


@pytest.fixture
def long_job(tmp_path, folder):
    """A job that draws into the folder, with a store of its own."""
    flags = [f"--output_dir={folder}", f"--db={tmp_path / 'first.db'}"]
    many = ["--num_train=200000", "--num_workers=0"]
    with warm.Job(["jobs/make_demo.py", *flags, *many], stderr=subprocess.DEVNULL) as job:
        wait_for(lambda: next(folder.glob("images/*.jpg"), None))
        yield job
        job.kill()


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def captions(tmp_path, folder, store):
    (tmp_path / "a.csv").write_text(HEAD + "1.jpg,Lyon,,France,Europe\n")
    flags = [f"--train_csv={tmp_path / 'a.csv'}", f"--output_dir={folder}"]
    return generate_captions.main([*flags, f"--db={tmp_path / store}"])


@pytest.mark.parametrize("store", ["first.db", "second.db"])
def test_a_second_job_names_the_first_and_writes_nothing(tmp_path, folder, long_job, store, capsys):
    assert captions(tmp_path, folder, store) == 2
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "error: " in each]
    assert f"{folder}: " in line
    assert "make_demo" in line
    assert f"process {long_job.pid} on '" in line
    assert (str(tmp_path / "first.db") in line) == (store == "second.db")
    assert "name another --output_dir" in line
    assert not list(folder.glob("*.csv"))
    assert long_job.poll() is None


def test_the_folder_of_a_killed_job_is_free_at_once(tmp_path, folder, long_job):
    long_job.kill()
    long_job.wait(20)
    flags = ["--num_train=3", "--num_val=2", "--num_test=2", "--num_workers=0", "--resume"]
    out = [f"--output_dir={folder}", f"--db={tmp_path / 'second.db'}"]
    assert make_demo.main([*flags, *out]) == 0
    assert json.loads((folder / "drawn_world.json").read_text())["finished"]
    assert not list(folder.glob(".*"))


def test_a_child_that_a_fork_made_does_not_keep_the_folder(folder):
    script = (
        "import os, sys, time\nfrom pathlib import Path\n"
        "from streetclip.files import locked_folder\n"
        f"with locked_folder(Path({str(folder)!r}), 'first'):\n"
        "    child = os.fork()\n"
        "    print(child or '', flush=True, end='\\n' * bool(child))\n"
        "    time.sleep(60)\n"
    )
    command = [warm.sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=warm.ROOT, stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        try:
            assert find_process(child) is not None
            with locked_folder(folder, "second"):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


def test_nothing_is_left_of_a_lock_and_of_the_folders_made_for_it(folder, tmp_path):
    with locked_folder(folder, "train"):
        assert is_unused(folder)
    assert list(tmp_path.iterdir()) == []
    with locked_folder(folder, "train"):
        (folder / "file").write_text("")
        assert not is_unused(folder)
    assert [each.name for each in folder.iterdir()] == ["file"]


def test_a_folder_that_was_replaced_keeps_the_lock_of_another(folder):
    with locked_folder(folder, "export"):
        folder.rename(folder.with_name("old"))
        folder.mkdir()
        (folder / ".streetclip.lock").write_text("another's")
    assert (folder / ".streetclip.lock").read_text() == "another's"


@pytest.mark.parametrize("name", ["file", "x" * 300, "loop", "file/below"])
def test_a_place_that_holds_no_folder_is_one_line(tmp_path, name, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    assert captions(tmp_path, tmp_path / name, "s.db") == 2
    assert "Traceback" not in capsys.readouterr().err
