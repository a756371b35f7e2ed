"""A file is the same if its size and times are, or else its content."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from streetclip.data.file_identity import (
    compare_files,
    content_digests,
    count_changed,
    file_records,
    sampled_digests,
    signatures,
)

LARGE = 100_000
DIGESTS = pytest.mark.parametrize("digests_of", [content_digests, sampled_digests])


@pytest.fixture
def paths(tmp_path):
    random = np.random.default_rng(0)
    files = []
    for number, size in enumerate((10, LARGE, 24_576, 0)):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(random.bytes(size))
        files.append(str(path))
    return [*files, str(tmp_path / "missing.jpg")]


def recorded(paths, digests_of):
    return file_records(signatures(paths), digests_of(paths))


def changed(paths, records, digests_of):
    return compare_files(paths, records, digests_of)[0].nonzero()[0].tolist()


@DIGESTS
def test_untouched_files_are_not_read(paths, digests_of):
    def no_reading(of):
        assert of == []
        return digests_of(of)

    assert changed(paths, recorded(paths, digests_of), no_reading) == []


@DIGESTS
def test_touched_and_copied_files_are_the_same(paths, digests_of, tmp_path):
    records = recorded(paths, digests_of)
    os.utime(paths[1], (1, 2))
    shutil.copy(paths[2], tmp_path / "copy")
    shutil.move(tmp_path / "copy", paths[2])
    assert changed(paths, records, digests_of) == []


@DIGESTS
@pytest.mark.parametrize("place", [0, LARGE // 2, LARGE - 1])
def test_a_change_of_one_byte_with_its_times_put_back_is_found(paths, digests_of, place):
    records, status = recorded(paths, digests_of), Path(paths[1]).stat()
    with Path(paths[1]).open("r+b") as file:
        byte = file.read()[place]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
    os.utime(paths[1], ns=(status.st_atime_ns, status.st_mtime_ns))
    assert changed(paths, records, digests_of) == [1]


@DIGESTS
def test_a_file_that_grew_vanished_or_appeared_is_found(paths, digests_of):
    records = recorded(paths, digests_of)
    with Path(paths[1]).open("ab") as file:
        file.write(b"\0")
    Path(paths[2]).unlink()
    shutil.copy(paths[0], paths[4])
    assert changed(paths, records, digests_of) == [1, 2, 4]


@DIGESTS
def test_a_file_without_a_digest_is_not_taken_for_the_same(paths, digests_of):
    records = recorded(paths, digests_of)
    records["content"][1] = 0
    os.utime(paths[1], (1, 2))
    assert changed(paths, records, digests_of) == [1]


def test_the_records_as_they_are_now_need_no_second_reading(paths):
    records = recorded(paths, sampled_digests)
    os.utime(paths[1], (1, 2))
    _, now = compare_files(paths, records, sampled_digests)
    assert (now == recorded(paths, sampled_digests)).all()


@pytest.mark.parametrize("digest", [content_digests, sampled_digests])
def test_digests_differ_by_content_and_are_zero_without_a_file(paths, digest):
    found = digest(paths)
    assert len({tuple(row) for row in found.tolist()}) == 5
    assert found[4].tolist() == [0, 0]
    assert digest(["\0", "/"]).tolist() == [[0, 0], [0, 0]]


@DIGESTS
def test_what_could_be_read_neither_then_nor_now_is_not_taken_for_the_same(paths, digests_of):
    records = recorded(paths, digests_of)
    Path(paths[4]).mkdir()
    assert changed(paths, records, digests_of) == [4]


def test_of_many_changed_files_three_are_named_and_all_counted():
    paths = [f"/photos/{number}.jpg" for number in range(6)]
    changed_N = np.array([False, True, True, True, True, False])
    words = count_changed(paths, changed_N, "then")
    assert words == "4 of 6 images changed since then ('1.jpg', '2.jpg', '3.jpg' and others)"
    changed_N[4] = False
    assert "others" not in count_changed(paths, changed_N, "then")
    assert count_changed(paths, np.zeros(6, bool), "then") == ""


@DIGESTS
def test_a_pipe_or_a_device_is_unreadable_and_not_waited_for(tmp_path, digests_of):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to("/dev/zero")
    found = digests_of([str(tmp_path / "pipe.jpg"), str(tmp_path / "link.jpg"), "/dev/zero"])
    assert not found.any()
