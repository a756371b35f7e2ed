"""The job as its own process: what it prints, one-line errors, Ctrl-C."""

import signal
import subprocess

import pytest

from streetclip import runtime, store
from tests import warm

LABELS = """image_filename,city,region,country,continent,latitude,longitude
1.jpg,Paris,,France,Europe,48.85,2.35
2.jpg,Rome,,Italy,Europe,41.89,12.5
3.jpg,Osaka,,Japan,Asia,34.69,135.5
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "test.csv").write_text(LABELS, encoding="utf-8")
    return tmp_path


def command(folder, *flags):
    named = {"test_csv": "test.csv", "predictions": "p.csv", "output_dir": "out", "db": "s.db"}
    paths = [f"--{name}={folder / path}" for name, path in named.items()]
    return ["jobs/import_predictions.py", *paths, "--run_name=gpt", *flags]


def test_both_rules_are_printed_and_the_job_is_recorded(folder):
    text = "image,country,city\n1.jpg,France,Paris\n2.jpg,I cannot help,\n9.jpg,Fiji,\n"
    (folder / "p.csv").write_text(text, encoding="utf-8")
    done = warm.run(command(folder))
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[0] == "run 1 · imported (table) · 3 images"
    assert "1 rows name no place that can be parsed; they count as wrong" in lines
    assert "1 images have no row; they count as wrong" in lines
    assert "1 rows are of images that the test file lacks; they are left out" in lines
    assert "all images % n answered % n" in lines
    assert "country accuracy 33.3 3 100.0 1" in lines
    assert not any("could not be read" in line for line in lines)
    with store.open_store(folder / "s.db", read_only=True) as database:
        (job,) = runtime.list_jobs(database).to_dict("records")
    assert (job["kind"], job["state"]) == ("import_predictions", "done")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--columns=town=x",), "--columns is 'town=x'; expected ROLE=COLUMN with one of image"),
        (("--format=osv6m",), "argument --format: invalid choice: 'osv6m'"),
        ((), "p.csv: none of its images is in the test file: found 'x', expected names such as"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(folder, flags, message):
    (folder / "p.csv").write_text("image,country\nx,France\n", encoding="utf-8")
    done = warm.run(command(folder, *flags))
    assert done.returncode == 2
    assert message in done.stderr
    assert len([line for line in done.stderr.splitlines() if "error" in line]) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_ctrl_c_exits_130_and_the_same_command_finishes(folder):
    rows = "".join(f"{i % 3 + 1}.jpg,France\n" for i in range(300_000))
    (folder / "p.csv").write_text("image,country\n" + rows, encoding="utf-8")
    line = command(folder, "--duplicates=first")
    process = warm.Job(line, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.read(5).strip() == "read"  # the bar is drawn
    process.send_signal(signal.SIGINT)
    assert "Traceback" not in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    done = warm.run(line)
    assert done.returncode == 0, done.stderr
    assert "299,997 further rows of an image are left out" in done.stdout
