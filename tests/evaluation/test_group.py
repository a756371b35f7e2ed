"""Several processes that torchrun starts predict what one does, row for row."""

import shutil
import signal
import sqlite3
import time

import pandas as pd
import pytest

from jobs import evaluate
from streetclip import runtime, store
from streetclip.data.image_batches import resolve_num_workers
from tests import warm
from tests.large_world import repeat_test_images

NUM_PROCESSES = 3  # so that ranks get unequal numbers of batches


def flags(world, folder, *more):
    return [
        f"--test_csv={world / 'test.csv'}",
        f"--image_dir={world / 'images'}",
        f"--candidates_file={world / 'candidates.json'}",
        f"--model_name={world / 'model'}",
        f"--output_dir={folder / 'evaluation'}",
        f"--db={folder / 'streetclip.db'}",
        "--batch_size=8",
        "--num_workers=1",
        "--device=cpu",
        "--precision=fp32",
        *more,
    ]


def run_group(*arguments):
    """Run the job in as many processes, warm; `tests/jobs/test_launch.py` starts it cold."""
    return warm.joined(warm.run_group(["jobs/evaluate.py", *arguments], NUM_PROCESSES))


def predictions(folder):
    with store.open_store(folder / "streetclip.db", read_only=True) as opened:
        runs = store.list_runs(opened).sort_values("id")
        assert runs["state"].eq("done").all()
        return [store.read_predictions(opened, run_id) for run_id in runs["id"].tolist()]


@pytest.fixture
def world(small_world, tmp_path):
    """The small world with an image that cannot be read, and one that is missing."""
    shutil.copytree(small_world, tmp_path / "world")
    names = pd.read_csv(tmp_path / "world" / "test.csv")["image_filename"]
    (tmp_path / "world" / "images" / names[9]).write_bytes(b"no image")
    (tmp_path / "world" / "images" / names[20]).unlink()
    return tmp_path / "world"


@pytest.mark.slow
def test_three_processes_predict_and_keep_what_one_does(world, tmp_path, precision, capsys):
    one, three = tmp_path / "one", tmp_path / "three"
    asked = ("--strategy=all", f"--precision={precision}")
    assert evaluate.main(flags(world, one, *asked)) == 0
    alone = capsys.readouterr().out
    shared = run_group(*flags(world, three, *asked))
    assert shared.returncode == 0, shared.stderr
    assert shared.stdout.replace(str(three), str(one)) == alone  # once, and the same
    for ours, theirs in zip(predictions(three), predictions(one), strict=True):
        pd.testing.assert_frame_equal(ours, theirs)
    with store.open_store(three / "streetclip.db", read_only=True) as opened:
        assert runtime.list_jobs(opened)["state"].tolist() == ["done"]
    assert evaluate.main(flags(world, three, *asked, "--resume")) == 0
    assert capsys.readouterr().out.count("existed already") == 3
    # What they encoded is in the cache of the first: a second question encodes nothing.
    other = flags(world, three, *asked, "--prompts=full", f"--output_dir={tmp_path / 'again'}")
    assert evaluate.main(other) == 0
    assert "48 of 50 images are in the cache" in capsys.readouterr().err


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_a_run_that_goes_on(small_world, tmp_path):
    images = repeat_test_images(small_world, tmp_path / "large", 40)
    asked = (f"--model_name={small_world / 'model'}",)
    arguments = flags(images, tmp_path / "killed", *asked)
    first, helper = warm.start_group(["jobs/evaluate.py", *arguments], 2)
    with helper:
        _wait_for_rows(tmp_path / "killed" / "streetclip.db")
        helper.kill()
        _, told = first.communicate(timeout=120)
    assert first.returncode == 1, told
    assert helper.returncode == -signal.SIGKILL
    assert "another process of this job ended early" in told
    with store.open_store(tmp_path / "killed" / "streetclip.db") as opened:
        runtime.interrupt_dead_jobs(opened)
        (state,) = store.list_runs(opened)["state"]
        (run_id,) = store.list_runs(opened)["id"]
        left = len(store.pending_image_ids(opened, run_id))
    assert state in {"interrupted", "failed"}
    assert 0 < left < 2000
    resumed = run_group(*arguments, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert evaluate.main(flags(images, tmp_path / "whole", *asked)) == 0
    pd.testing.assert_frame_equal(*(predictions(tmp_path / n)[0] for n in ("killed", "whole")))


@pytest.mark.slow
def test_processes_with_other_inputs_are_told_apart(world, tmp_path):
    lines = (world / "test.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "other.csv").write_text("".join(lines[:-1]), encoding="utf-8")
    script = (
        "import os, sys\nfrom jobs.evaluate import main\n"
        "other = [f'--test_csv={sys.argv[1]}'] if os.environ['RANK'] == '1' else []\n"
        "sys.exit(main([*sys.argv[2:], *other]))\n"
    )
    (tmp_path / "script.py").write_text(script)
    script = [str(tmp_path / "script.py"), str(tmp_path / "other.csv"), *flags(world, tmp_path)]
    told = warm.run_group(script, 2)[1]
    assert told.returncode != 0
    assert "in process 1 of this job" in told.stderr
    assert "test_csv is" in told.stderr


def test_a_world_size_set_by_hand_is_told_before_any_work(world, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert evaluate.main(flags(world, tmp_path)) == 2
    told = capsys.readouterr().err
    assert "RANK is not" in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "evaluation").exists()


def test_processes_of_one_machine_share_its_cores():
    whole = resolve_num_workers(-1, spare=False)
    assert resolve_num_workers(-1, spare=False, sharing=2) == whole // 2
    assert resolve_num_workers(-1, sharing=10**6) == 0
    assert resolve_num_workers(5, sharing=2) == 5


def _wait_for_rows(db):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if db.exists():
            with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as connection:
                tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
                if ("predictions",) in tables:
                    (count,) = connection.execute("SELECT count(*) FROM predictions").fetchone()
                    if count:
                        return
        time.sleep(0.05)
    pytest.fail("nothing was predicted")
