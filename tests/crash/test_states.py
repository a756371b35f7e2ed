"""What one run shows of kills at all of its writes, against real kills."""

import shutil

import pytest

from streetclip.store import annotate, open_store
from tests.crash.states import States, found_by_a_rerun
from tests.crash.system_calls import IS_POSSIBLE, Fault, run

pytestmark = pytest.mark.skipif(not IS_POSSIBLE, reason="seccomp needs Linux on x86-64")

# Its writes: mkdir, then twice open, write, write in the middle, fsync, rename.
_PROGRAM = """
import os, sys
os.chdir(sys.argv[1])
os.mkdir("d")
for number in range(2):
    file = os.open("d/a", os.O_WRONLY | os.O_CREAT)
    os.write(file, b"12345678")
    os.pwrite(file, b"abcdefgh" * 2, 4)
    os.fsync(file)
    os.rename("d/a", f"b{number}")
"""
_NUM_WRITES = 11


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture
def begin(tmp_path):
    folder = tmp_path / "folder"
    (tmp_path / "program.py").write_text(_PROGRAM)

    def begin():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return [str(tmp_path / "program.py"), str(folder)], folder

    return begin


def test_a_copy_while_the_job_waits_is_what_a_kill_leaves(begin):
    command, folder = begin()
    states = States(folder)
    outcome = run(command, folder, watch=states.watch)
    assert len(outcome.calls) == _NUM_WRITES
    tried = 0
    for key, faults in states.faults.items():
        shutil.rmtree(folder)
        states.restore(key)
        copied = contents(folder)
        for fault in faults:
            run(*begin(), fault)
            assert contents(folder) == copied, fault
            tried += 1
    assert tried == _NUM_WRITES + 4


def test_a_sync_changes_nothing_that_a_kill_leaves(begin):
    command, folder = begin()
    states = States(folder)
    run(command, folder, watch=states.watch)
    alike = [faults for faults in states.faults.values() if len(faults) > 1]
    assert [Fault("kill", 5), Fault("kill", 6)] in alike
    assert [Fault("kill", 10), Fault("kill", 11)] in alike


@pytest.fixture
def left(tmp_path):
    """A folder with a store, an output and what a killed write left."""
    folder = tmp_path / "left"
    (folder / ".streetclip-abcdefgh.tmp" / "new").mkdir(parents=True)
    (folder / ".streetclip-abcdefgh.tmp" / "new" / "model.pt").write_text("half")
    (folder / "metrics.json").write_text("{}")
    with open_store(folder / "streetclip.db") as store, store.transaction():
        store.rows("INSERT INTO image_folders (id, path) VALUES (1, '/')")
        store.rows("INSERT INTO images VALUES (1, 1, 'a.jpg')")
    return folder


def change_store(sql):
    def change(folder):
        with open_store(folder / "streetclip.db") as store, store.transaction():
            store.rows(sql)

    return change


def leave_half_a_transaction(folder):
    db = folder / "streetclip.db"
    log = db.with_name("streetclip.db-wal")
    with open_store(db) as store:
        annotate(store, [1], note="a" * 9_000)
        content, whole = db.read_bytes(), log.read_bytes()
    db.write_bytes(content)
    log.write_bytes(whole[:-5000])


def rename_holder(folder):
    (folder / ".streetclip-abcdefgh.tmp").rename(folder / ".streetclip-12345678.tmp")


@pytest.mark.parametrize(
    "change",
    [
        leave_half_a_transaction,
        rename_holder,
        lambda folder: next(folder.rglob("model.pt")).write_text("more"),
        lambda folder: (folder / "job.log").write_text("a line"),
    ],
)
def test_what_a_rerun_does_not_read_has_no_part_in_what_it_finds(left, change):
    before = found_by_a_rerun(left)
    change(left)
    assert found_by_a_rerun(left) == before


@pytest.mark.parametrize(
    "change",
    [
        change_store("UPDATE images SET filename = 'b.jpg'"),
        lambda folder: (folder / "metrics.json").write_text("{ }"),
        lambda folder: (folder / "metrics.json").unlink(),
        lambda folder: (folder / "other").mkdir(),
    ],
)
def test_a_row_or_file_that_differs_is_another_state(left, change):
    before = found_by_a_rerun(left)
    change(left)
    assert found_by_a_rerun(left) != before
