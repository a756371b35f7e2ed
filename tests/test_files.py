import errno
import stat

import pytest

from streetclip.errors import OutputError, ResourceError
from streetclip.files import atomic_path, read_json, write_json, write_text


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
    rename = type(path).rename

    def refuse_the_new(self, target):
        if self.name == "model" and target == path:
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    with pytest.raises(OSError, match="Input/output"), atomic_path(path) as temporary:  # noqa: PT012
        temporary.mkdir()
        monkeypatch.setattr(type(path), "rename", refuse_the_new)
    assert [each.name for each in path.iterdir()] == ["old.bin"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_a_resource_error_that_calms(number, tmp_path):
    path = tmp_path / "x.json"
    path.write_text("old")
    with pytest.raises(ResourceError, match=r"the disk is full \(.* MiB free\).*untouched"):
        _write_half(path, OSError(number, "full"))
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


def test_a_parent_that_is_a_file_is_the_users_to_mend(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "x", tmp_path / "file" / "deeper" / "x"):
        with pytest.raises(OutputError, match="cannot be written"):
            write_text(path, "text")


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
