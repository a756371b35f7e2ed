"""A store that cannot be written is shown, without tags and jobs."""

import subprocess

import pytest

from jobs import backup_store, check_store, evaluate, generate_captions, run_queue
from tests.dashboard.pages import PAGES, WORK_PAGES, open_page_of, text_of
from tests.dashboard.worlds import World


@pytest.fixture
def world(small_disk):
    made = World(small_disk, num_images=40)
    made.add_run()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    return made


@pytest.fixture
def open_page(monkeypatch):
    return open_page_of(monkeypatch)


def test_pages_say_read_only_and_offer_no_tags_and_jobs(open_page, world):
    for name in (*PAGES, *WORK_PAGES):
        page = open_page(world.path, name)
        assert not page.exception
        text = text_of(page)
        assert "Read-only store" in text
        assert "Nothing to show" not in text
        if name == "jobs":
            assert "the store is read-only" in text
            assert "Start a job" not in text


def test_a_writable_store_is_not_called_read_only(open_page, tmp_path):
    world = World(tmp_path, num_images=40, with_files=False)
    world.add_run()
    text = text_of(open_page(world.path, "jobs"))
    assert "Read-only" not in text
    assert "Start a job" in text


def test_jobs_that_write_the_store_end_with_one_line(world, capsys, tmp_path):
    csv = tmp_path / "test.csv"
    csv.write_text("image_filename,city,region,country,continent\na.jpg,Paris,,France,Europe\n")
    flags = [f"--test_csv={csv}", f"--image_dir={tmp_path}", f"--output_dir={tmp_path / 'out'}"]
    for job, more in ((evaluate, flags), (run_queue, ()), (check_store, ("--repair",))):
        code = job.main([f"--db={world.path}", *more, "--log_level=error"])
        out, err = capsys.readouterr()
        if job is check_store:  # nothing to repair
            assert (code, out) == (0, f"{world.path}: no fault\n")
            continue
        assert code == 2
        assert next(line for line in err.splitlines() if ": error: " in line).endswith(
            "Copy it into a folder that can be written, and name that copy with --db."
        )
        assert "Traceback" not in err


def test_jobs_that_need_no_store_and_backups_work(world, capsys, tmp_path):
    csv = tmp_path / "test.csv"
    csv.write_text("image_filename,city,region,country,continent\na.jpg,Paris,,France,Europe\n")
    db = f"--db={world.path}"
    assert generate_captions.main([db, f"--test_csv={csv}", f"--output_dir={tmp_path / 'o'}"]) == 0
    assert backup_store.main([db, f"--output={tmp_path / 'copy.db'}"]) == 0
    assert "checked" in capsys.readouterr().out
