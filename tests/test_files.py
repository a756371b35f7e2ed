import errno
import os
import stat
import tempfile
from pathlib import Path

import pytest

from streetclip.errors import OutputError, ResourceError
from streetclip.files import (
    atomic_path,
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
