"""The job as its own process: exit codes, one-line errors, Ctrl-C."""

import signal
import subprocess

import pytest

from jobs import evaluate
from streetclip import runtime, store
from tests import warm
from tests.large_world import repeat_test_images


def command(world, folder, *flags):
    return [
        "jobs/evaluate.py",
        "--test_csv",
        str(world / "test.csv"),
        "--image_dir",
        str(world / "images"),
        "--candidates_file",
        str(world / "candidates.json"),
        "--output_dir",
        str(folder / "out"),
        "--db",
        str(folder / "store.db"),
        "--precision=fp32",
        *flags,
    ]


def run(*arguments):
    return warm.run(command(*arguments))


@pytest.fixture
def large_world(small_world, tmp_path):
    """The small world's test images twenty times over, so that there is time to interrupt."""
    return repeat_test_images(small_world, tmp_path / "large", 20)


def test_ctrl_c_exits_130_and_resume_finishes(small_world, large_world, tmp_path):
    model = ["--model_name", str(small_world / "model"), "--batch_size", "1"]
    process = warm.Job(command(large_world, tmp_path, *model), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    read = ""
    while "[" not in read.partition("evaluate: ")[2]:  # the bar of the images is drawn
        read += process.stderr.read(1)
        assert process.poll() is None, read
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    assert "--resume" in rest
    with store.open_store(tmp_path / "store.db", read_only=True) as database:
        (stopped,) = store.list_runs(database).to_dict("records")
    assert stopped["state"] == "interrupted"
    assert stopped["num_done"] < 1000
    finished = run(large_world, tmp_path, *model, "--resume")
    assert finished.returncode == 0, finished.stderr
    with store.open_store(tmp_path / "store.db", read_only=True) as database:
        (whole,) = store.list_runs(database).to_dict("records")
    assert (whole["id"], whole["state"], whole["num_done"]) == (stopped["id"], "done", 1000)


def test_doubtful_labels_are_warned_of(small_world, tmp_path, capsys):
    rows = (small_world / "test.csv").read_text().splitlines()
    header, first = rows[0].split(","), rows[1].split(",")
    first[header.index("city")] = "nan"
    (tmp_path / "test.csv").write_text("\n".join([rows[0], ",".join(first), *rows[2:4]]) + "\n")
    arguments = command(small_world, tmp_path, "--model_name", str(small_world / "model"))[1:]
    arguments += ["--test_csv", str(tmp_path / "test.csv"), "--num_workers", "0"]
    assert evaluate.main([*arguments, "--precision", "fp32"]) == 0
    assert f"WARNING {tmp_path / 'test.csv'}:2: city 'nan' is read as" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--checkpoint_path", "missing.pt"], "there is no such file"),
        (["--candidates_file", "missing.json"], "missing.json"),
        (["--prompts", "poetry"], "poetry"),
        (["--image_dir", "missing"], "no such folder"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_2(small_world, tmp_path, flags, message):
    done = run(small_world, tmp_path, "--model_name", str(small_world / "model"), *flags)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("evaluate.py: error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()
    with store.open_store(tmp_path / "store.db", read_only=True) as opened:
        assert store.list_runs(opened).empty
        record = runtime.get_job(opened, 1)
    assert record["state"] == "failed"
    assert message in record["error"]


def test_a_flag_out_of_range_is_one_line_and_leaves_nothing(small_world, tmp_path):
    done = run(small_world, tmp_path, "--batch_size", "0")
    assert done.returncode == 2
    assert "--batch_size is 0; expected at least 1" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
