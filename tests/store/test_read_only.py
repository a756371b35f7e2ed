"""Stores on media and in folders that cannot be written, and disks without locks."""

import fcntl
import shutil
import subprocess

import pytest

from streetclip.errors import ResourceError, StoreError
from streetclip.store import (
    annotate,
    finish_run,
    is_writable,
    list_runs,
    open_store,
    read_predictions,
    write_predictions,
)
from tests.store.older_stores import make_older

from .conftest import Filled


@pytest.fixture
def made(small_disk):
    filled = Filled(small_disk, 157)
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    finish_run(filled.store, filled.run_id, {})
    return filled


def make_read_only(disk):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def test_a_store_on_read_only_media_is_read(made, small_disk):
    rows = read_predictions(made.store, made.run_id)
    made.store.close()
    make_read_only(small_disk)
    assert not is_writable(made.path)
    with open_store(made.path, read_only=True) as store:
        assert list_runs(store)["num_done"].tolist() == [157]
        assert read_predictions(store, made.run_id).equals(rows)


def test_a_store_on_read_only_media_is_not_written(made, small_disk):
    made.store.close()
    make_read_only(small_disk)
    with pytest.raises(StoreError, match=r"db: cannot be written: .* is read-only\. Copy it"):
        open_store(made.path)


def test_the_log_of_a_job_that_was_killed_is_read_with_it(made, small_disk):
    made.store.rows("PRAGMA wal_autocheckpoint = 0")
    annotate(made.store, [1], add_tags=["x"])
    copy = small_disk / "copy.db"
    for suffix in ("", "-wal", "-shm"):
        shutil.copy(f"{made.path}{suffix}", f"{copy}{suffix}")
    lone = small_disk / "lone.db"
    for suffix in ("", "-wal"):
        shutil.copy(f"{made.path}{suffix}", f"{lone}{suffix}")
    made.store.close()
    make_read_only(small_disk)
    with open_store(copy, read_only=True) as store:
        assert store.rows("SELECT tag FROM annotation_tags") == [("x",)]
    with pytest.raises(StoreError, match=r"lone\.db: its newest changes are in lone\.db-wal"):
        open_store(lone, read_only=True)


def test_an_older_store_on_read_only_media_asks_for_a_copy(made, small_disk):
    made.store.close()
    make_older(made.path, 5)
    make_read_only(small_disk)
    with pytest.raises(StoreError, match=r"has an older schema, .* Copy it into a folder"):
        open_store(made.path, read_only=True)


def test_a_disk_without_locks_is_named(filled):
    with open(f"{filled.path}-shm", "r+b") as shared:  # noqa: PTH123
        # What SQLite's readers lock, as a network disk may refuse it; see its walShm locks.
        fcntl.lockf(shared, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 123)
        script = (
            "import sys; from streetclip.store import list_runs, open_store\n"
            "try: list_runs(open_store(sys.argv[1], read_only=True))\n"
            "except Exception as error: print(type(error).__name__, error)"
        )
        import sys

        done = subprocess.run(
            [sys.executable, "-c", script, str(filled.path)],
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.startswith(ResourceError.__name__)
    assert "does not lock as SQLite needs it" in done.stdout
    assert "local disk" in done.stdout
