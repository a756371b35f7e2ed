import errno
import fcntl
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from streetclip.errors import OutputError, ResourceError
from streetclip.files import (
    atomic_path,
    clear_leftovers,
    open_log,
    read_json,
    scratch_folder,
    write_json,
    write_text,
)


def _write_half(path, error):
    with atomic_path(path) as temporary:
        temporary.write_text("half of the n")
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(error, tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with pytest.raises(error):
        _write_half(path, error)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.stat().st_dev == path.stat().st_dev
    assert path.read_text() == "new"


def test_a_folder_replaces_a_folder_as_one(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old.bin").write_text("old")
    with atomic_path(path) as temporary:
        temporary.mkdir()
        (temporary / "new.bin").write_text("new")
    assert [each.name for each in path.iterdir()] == ["new.bin"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_whose_swap_fails_is_the_old_one_again(tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old.bin").write_text("old")
    replace = type(path).replace

    def refuse_the_new(self, target):
        if self.parent.name == "new" and target == path:
            raise OSError(errno.EIO, "Input/output error")
        return replace(self, target)

    with pytest.raises(ResourceError, match="Input/output"), atomic_path(path) as temporary:  # noqa: PT012
        temporary.mkdir()
        monkeypatch.setattr(type(path), "replace", refuse_the_new)
    assert [each.name for each in path.iterdir()] == ["old.bin"]
    assert list(tmp_path.iterdir()) == [path]


_FULL = r"the disk is full.* \(.* MiB free\).*untouched"
_FAILS = r"x\.json: the disk fails \(as it says\).* run again"


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, _FULL),
        (errno.EDQUOT, _FULL),
        (errno.EFBIG, _FULL),
        (errno.EIO, _FAILS),
        (errno.ESTALE, _FAILS),
        (errno.ENOTCONN, _FAILS),
    ],
)
def test_a_full_or_failing_disk_is_a_resource_error_that_calms(number, message, tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")
    with pytest.raises(ResourceError, match=message):
        _write_half(path, OSError(number, "as it says"))
    assert path.read_text() == "old"


def test_a_sync_that_finds_the_disk_full_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    path.write_text("old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ResourceError):
        write_text(path, "new")
    assert path.read_text() == "old"


def test_file_and_folder_are_synced_before_and_after_the_rename(tmp_path, monkeypatch):
    path, synced, fsync = tmp_path / "x.json", [], os.fsync

    def recorded(descriptor):
        synced.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), path.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    write_text(path, "new")
    (temporary, before), last = synced
    assert temporary.endswith("/new/x.json")
    assert not before
    assert last == (str(tmp_path), True)


def test_no_room_for_temporary_files_is_told_with_a_way_out(monkeypatch):
    def found_none():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", found_none)
    with (
        pytest.raises(ResourceError, match=r"'/tmp'\]\. Free some space, or .* TMPDIR"),
        scratch_folder(),
    ):
        pass


def test_a_disk_too_full_for_a_temporary_folder_is_a_resource_error(monkeypatch, tmp_path):
    def full(path, mode=0):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("os.mkdir", full)
    with pytest.raises(ResourceError, match=r"streetclip-…: the disk is full"), scratch_folder():
        pass


def test_a_temporary_folder_that_cannot_be_removed_fails_nothing(monkeypatch, tmp_path):
    def fail(path, *, dir_fd=None):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with monkeypatch.context() as patched, scratch_folder() as folder:
        (folder / "config.json").write_text("{}")
        patched.setattr("os.unlink", fail)
    assert [path.name for path in tmp_path.rglob("*.json")] == ["config.json"]


def test_a_parent_that_is_a_file_is_the_users_to_mend(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "x", tmp_path / "file" / "deeper" / "x"):
        with pytest.raises(OutputError, match="cannot be written"):
            write_text(path, "text")


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "link to its folder"])
def test_a_log_is_a_plain_file_in_a_plain_folder(kind, tmp_path):
    mine, log = tmp_path / "mine", tmp_path / "logs" / "a.log"
    mine.mkdir()
    (mine / "a.log").write_text("mine")
    if kind == "link to its folder":
        log.parent.symlink_to(mine)
    else:
        log.parent.mkdir()
        make = {"link": lambda: log.symlink_to(mine / "a.log"), "pipe": lambda: os.mkfifo(log)}
        make.get(kind, log.mkdir)()
    with pytest.raises(OSError, match=r"links|plain|directory|device"):
        open_log(log)
    assert (mine / "a.log").read_text() == "mine"


def test_a_log_is_made_and_appended_to(tmp_path):
    log = tmp_path / "logs" / "a.log"
    for text in (b"a", b"b"):
        with open_log(log) as file:
            file.write(text)
    assert log.read_bytes() == b"ab"


def test_json_comes_back_and_takes_no_nan(tmp_path):
    path = tmp_path / "new folder" / "x.json"
    write_json(path, {"city": "Zürich", "share": 0.5})
    assert read_json(path) == {"city": "Zürich", "share": 0.5}
    assert "Zürich" in path.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"share": float("nan")})


def test_spoilt_json_is_named(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(OutputError, match=r"x\.json: is not JSON"):
        read_json(tmp_path / "x.json")


def test_a_file_has_the_permissions_that_files_get(tmp_path):
    (tmp_path / "plain").write_text("")
    write_text(tmp_path / "ours", "")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")]
    assert modes[0] == modes[1]


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
