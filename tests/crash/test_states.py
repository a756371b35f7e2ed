"""What one run shows of kills at all of its writes, against real kills."""

import shutil

import pytest

from tests.crash.states import States
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
