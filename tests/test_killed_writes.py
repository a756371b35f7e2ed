"""Writes that are cut by a kill, and what a killed job leaves."""

import errno
import fcntl
import random
import signal
import subprocess
import sys
import time

import pytest

from streetclip.files import (
    atomic_path,
    clear_leftovers,
    write_text,
)

WRITER = """
import os, signal, sys
from pathlib import Path
from streetclip.files import atomic_path

path, killed_at, replace, calls = Path(sys.argv[1]), int(sys.argv[2]), Path.replace, 0

def counted(self, target):
    global calls
    calls += 1
    if calls == killed_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)

Path.replace = counted
number = 0
while number == 0 or killed_at == 0:
    number += 1
    with atomic_path(path) as temporary:
        temporary.mkdir()
        (temporary / "a.bin").write_text(str(number))
        (temporary / "b.bin").write_text(str(number))
    if number == 1:
        print("begun", flush=True)
"""


def start_writer(path, killed_at=0):
    command = [sys.executable, "-c", WRITER, str(path), str(killed_at)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def old_folder(path):
    path.mkdir()
    (path / "a.bin").write_text("old")
    (path / "b.bin").write_text("old")
    return path


def contents(path):
    return {each.name: each.read_text() for each in path.iterdir()}


# The renames of a replacement: the old one aside, the new one to its name, the rest away.
@pytest.mark.parametrize(("killed_at", "expected"), [(1, "old"), (2, "1"), (3, "1")])
def test_a_replacement_cut_by_a_kill_is_finished_or_as_if_never_begun(
    tmp_path, killed_at, expected
):
    path = old_folder(tmp_path / "best_model")
    writer = start_writer(path, killed_at)
    writer.communicate(timeout=60)
    assert writer.returncode == -signal.SIGKILL
    assert path.exists() == (killed_at != 2)
    assert len(list(tmp_path.iterdir())) == 1 + path.exists()
    clear_leftovers(tmp_path)
    assert contents(path) == {"a.bin": expected, "b.bin": expected}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_after_kills_at_any_moment_the_folder_is_whole_and_alone(tmp_path):
    path = old_folder(tmp_path / "best_model")
    draw = random.Random(7)
    for _ in range(12):
        writer = start_writer(path)
        assert writer.stdout.readline() == "begun\n"
        time.sleep(draw.uniform(0, 0.05))
        writer.kill()
        writer.communicate(timeout=60)
        clear_leftovers(tmp_path)
        assert len(set(contents(path).values())) == 1
        assert contents(path).keys() == {"a.bin", "b.bin"}
        assert list(tmp_path.iterdir()) == [path]


def test_ctrl_c_between_the_two_renames_loses_neither(tmp_path, monkeypatch):
    path = old_folder(tmp_path / "best_model")
    replace, pressed = type(path).replace, []

    def pressing(self, target):
        replace(self, target)
        if not pressed:
            pressed.append(1)
            raise KeyboardInterrupt

    monkeypatch.setattr(type(path), "replace", pressing)
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as temporary:  # noqa: PT012
        temporary.mkdir()
        (temporary / "c.bin").write_text("new")
    assert contents(path) == {"c.bin": "new"}
    assert list(tmp_path.iterdir()) == [path]


def leftover(folder, new=(), old=(), name=".streetclip-abcd_f01.tmp"):
    """What a killed job leaves: folders of one file each."""
    holder = folder / name
    for part, names in (("new", new), ("old", old)):
        for each in names:
            (holder / part / each).mkdir(parents=True)
            (holder / part / each / "a.bin").write_text(part)
    return holder


def test_where_only_the_old_folder_is_left_it_goes_back(tmp_path):
    leftover(tmp_path, old=["model"])
    clear_leftovers(tmp_path)
    assert contents(tmp_path / "model") == {"a.bin": "old"}
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_what_stands_at_the_name_is_never_replaced_by_a_leftover(tmp_path):
    path = old_folder(tmp_path / "model")
    leftover(tmp_path, new=["model"], old=["model"])
    clear_leftovers(tmp_path)
    assert contents(path) == {"a.bin": "old", "b.bin": "old"}
    assert list(tmp_path.iterdir()) == [path]


def test_half_a_file_of_a_killed_job_is_removed(tmp_path):
    (tmp_path / "predictions.csv").write_text("whole")
    leftover(tmp_path, new=["predictions.csv"])
    clear_leftovers(tmp_path)
    assert contents(tmp_path) == {"predictions.csv": "whole"}


def test_the_next_write_into_a_folder_clears_what_a_killed_job_left_in_it(tmp_path):
    leftover(tmp_path, new=["streetclip.db"])
    leftover(tmp_path, old=["model"], name=".streetclip-87654321.tmp")
    write_text(tmp_path / "x.txt", "text")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["model", "x.txt"]
    assert contents(tmp_path / "model") == {"a.bin": "old"}


def test_what_another_process_is_writing_stays(tmp_path):
    path = tmp_path / "model"
    with atomic_path(path) as temporary:
        temporary.mkdir()
        clear_leftovers(tmp_path)
        (temporary / "a.bin").write_text("new")
    assert contents(path) == {"a.bin": "new"}


def test_a_holder_that_is_cleared_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    flock, cleared = fcntl.flock, []

    def clear_first(descriptor, operation):
        if not cleared:
            cleared.append(1)
            clear_leftovers(tmp_path)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", clear_first)
    write_text(tmp_path / "x.txt", "text")
    assert cleared
    assert contents(tmp_path) == {"x.txt": "text"}


def test_on_a_file_system_without_locks_nothing_is_cleared(tmp_path, monkeypatch):
    def no_locks(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    holder = leftover(tmp_path, new=["model"])
    monkeypatch.setattr(fcntl, "flock", no_locks)
    write_text(tmp_path / "x.txt", "text")
    clear_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == [holder, tmp_path / "x.txt"]


def test_nothing_else_is_touched_and_no_link_is_followed(tmp_path):
    elsewhere = leftover(tmp_path / "elsewhere", new=["model"], old=["model"]).parent
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / ".streetclip-abcdefgh.tmp").symlink_to(elsewhere / ".streetclip-abcd_f01.tmp")
    (folder / ".streetclip-12345678.tmp").write_text("a file")
    names = [".streetclip-abc.tmp", "streetclip-abcdefgh.tmp", ".streetclip-ABCDEFGH.tmp",
             ".other-abcdefgh.tmp", ".git.abcdefgh", ".streetclip-abcdefgh.tmp2"]  # fmt: skip
    for name in names:
        leftover(folder, new=["x"], old=["x"], name=name)
    before = sorted(tmp_path.rglob("*"))
    clear_leftovers(folder)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_leftover_that_is_a_link_to_a_folder_keeps_what_it_points_to(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "x").write_text("x")
    holder = leftover(tmp_path, new=["y"])
    (holder / "new" / "z").symlink_to(tmp_path / "kept")
    clear_leftovers(tmp_path)
    assert contents(tmp_path / "kept") == {"x": "x"}
    assert not holder.exists()


def test_a_missing_folder_has_no_leftovers(tmp_path):
    clear_leftovers(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    clear_leftovers(tmp_path / "file")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_name_as_long_as_a_name_can_be_is_replaced(tmp_path):
    path = old_folder(tmp_path / ("n" * 255))
    with atomic_path(path) as temporary:
        temporary.mkdir()
    assert contents(path) == {}
