"""Models written to a disk that fills up: at whichever file of theirs, by whichever library."""

import tempfile

import pytest

from streetclip.errors import ResourceError
from streetclip.models import checkpoints
from streetclip.models.checkpoints import build_payload, save_folder
from streetclip.models.loading import load_encoder
from tests.disks import file_size_limit, fill, free_space

pytestmark = pytest.mark.slow

PAGE = 4096


@pytest.fixture
def encoder(small_world):
    return load_encoder(str(small_world / "model"), device="cpu", precision="fp32")


@pytest.fixture(autouse=True)
def _nothing_warns_before(monkeypatch):
    monkeypatch.setattr(checkpoints, "check_space", lambda *_: None)


def save(encoder, path):
    save_folder(encoder, path, prompts=None, model_card="A card.\n" * 1000)


def leaving(disk, num_bytes, function, *arguments):
    """Whether it worked on a disk with so much room; it must say so if it did not."""
    told = ""
    fill(disk, leave_bytes=num_bytes)
    try:
        function(*arguments)
    except ResourceError as error:
        told = str(error)
    finally:
        free_space(disk)
    assert told == "" or "the disk is full" in told
    return not told


def test_a_folder_is_whole_or_as_it_was_wherever_the_disk_gives_out(encoder, small_disk, tmp_path):
    save(encoder, tmp_path / "model")
    sizes = [path.stat().st_size for path in (tmp_path / "model").iterdir()]
    weights, rest = max(sizes), sum(sizes) - max(sizes)
    path = small_disk / "model"
    worked = []
    for leave in (0, weights // 2, *range(weights - PAGE, weights + rest + 8 * PAGE, 2 * PAGE)):
        worked.append(leaving(small_disk, leave, save, encoder, path))
        assert [each.name for each in small_disk.iterdir()] == ["model"] * any(worked)
    # In between each of its files was the one that found no room.
    assert worked == sorted(worked)
    assert 3 < worked.count(False) < len(worked)
    assert load_encoder(str(path), device="cpu").sha256 == encoder.sha256


def test_the_small_files_of_a_checkpoint_may_find_no_room_either(encoder, small_disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    worked = [
        leaving(small_disk, pages * PAGE, lambda: build_payload(encoder, prompts=None, training={}))
        for pages in range(0, 30, 2)
    ]
    assert worked == sorted(worked)
    assert worked[0] is False
    assert worked[-1] is True
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("limit", [100, 5_000, 60_000, 1_000_000])
def test_a_limit_on_files_is_told_whoever_writes_them(encoder, tmp_path, limit):
    with file_size_limit(limit), pytest.raises(ResourceError, match="a quota or limit is reached"):
        save(encoder, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
