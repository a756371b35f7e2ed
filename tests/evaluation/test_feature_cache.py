import os
import random
import shutil

import numpy as np
import pytest

from streetclip.evaluation import feature_cache
from streetclip.evaluation.feature_cache import FeatureCache, content_digests, signatures

MADE_OF = {"model": "abc", "precision": "fp32", "preprocessing": "exact"}
D = 6


class Files:
    """A folder of files whose content stands for images, and a cache."""

    def __init__(self, folder):
        self.folder = folder
        self.cache_dir = folder / "cache"
        (folder / "images").mkdir()

    def make(self, *contents, prefix="a"):
        paths = [self.folder / "images" / f"{prefix}{i}.jpg" for i in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        return paths

    def open(self, **changes):
        return FeatureCache(self.cache_dir, MADE_OF | changes, D)

    def fill(self, paths, features):
        with self.open().writer() as writer:
            names = texts(paths)
            writer.add(names, signatures(names), features, content_digests(names))


def texts(paths):
    return [str(path) for path in paths]


def find(cache, paths):
    return cache.find(texts(paths), signatures(texts(paths)))


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def features_of(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, D)).astype(np.float16)


def test_what_was_written_is_found_and_read(files):
    paths = files.make(b"one", b"three", b"fourteen")
    features = features_of(3)
    files.fill(paths, features)
    cache = files.open()
    rows = find(cache, paths[::-1])
    read, whole = cache.read(rows)
    assert cache.num_rows == 3
    assert (read == features[::-1]).all()
    assert whole.all()


def test_rows_are_read_in_any_order_near_and_far(files):
    paths = files.make(*(str(i).encode() for i in range(200)))
    features = features_of(200)
    files.fill(paths[:120], features[:120])
    files.fill(paths[120:], features[120:])
    cache = files.open()
    for chosen in ([199, 0, 119, 120], [5, 5, 4], np.random.default_rng(1).permutation(200)[:90]):
        read, whole = cache.read(find(cache, [paths[i] for i in chosen]))
        assert (read == features[chosen]).all()
        assert whole.all()


def test_rows_that_are_lost_while_the_cache_is_open_are_not_whole(files):
    paths = files.make(b"one", b"two", b"three")
    files.fill(paths, features_of(3))
    cache = files.open()
    (path,) = cache.folder.glob("*.features")
    os.truncate(path, 2 * D + 3)
    assert cache.read(find(cache, paths))[1].tolist() == [True, False, False]


def test_an_empty_cache_knows_nothing_and_makes_nothing(files):
    paths = files.make(b"one")
    assert find(files.open(), paths).tolist() == [-1]
    assert not files.cache_dir.exists()


def test_a_changed_image_is_not_known(files):
    paths = files.make(b"one", b"two")
    files.fill(paths, features_of(2))
    before = paths[0].stat()
    paths[0].write_bytes(b"eno")  # as long, and its times put back
    os.utime(paths[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert find(files.open(), paths).tolist() == [-1, 1]


def test_a_moved_copied_or_touched_image_is_known_by_its_content(files):
    paths = files.make(b"one", b"three", b"seven")
    features = features_of(3)
    files.fill(paths, features)
    moved, copied = files.folder / "moved.jpg", files.folder / "copied.jpg"
    paths[0].rename(moved)
    shutil.copy(paths[1], copied)
    os.utime(paths[2])
    cache = files.open()
    rows = find(cache, [paths[2], copied, moved, paths[0]])
    assert rows.tolist() == [2, 1, 0, -1]
    assert (cache.read(rows[:3])[0] == features[::-1]).all()


def test_equal_contents_under_two_names_have_their_own_rows(files):
    paths = files.make(b"same", b"same", b"other")
    files.fill(paths, features_of(3))
    assert find(files.open(), paths).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "change", [{"model": "other"}, {"precision": "bf16"}, {"preprocessing": "fast"}]
)
def test_another_model_precision_or_preprocessing_has_a_cache_of_its_own(files, change):
    paths = files.make(b"one")
    files.fill(paths, features_of(1))
    assert find(files.open(**change), paths).tolist() == [-1]
    assert FeatureCache(files.cache_dir, MADE_OF, D + 1).num_rows == 0


def test_segments_of_several_writers_are_one_cache_and_the_newest_row_counts(files):
    first = files.make(b"one", b"two")
    second = files.make(b"three", b"four", b"five", prefix="b")
    files.fill(first, features_of(2, seed=1))
    files.fill(second, features_of(3, seed=2))
    cache = files.open()
    rows = find(cache, [*second, *first])
    expected = np.concatenate([features_of(3, seed=2), features_of(2, seed=1)])
    assert (cache.read(rows)[0] == expected).all()


def test_the_newest_row_of_an_image_is_found_without_reading_the_image(files, monkeypatch):
    paths = files.make(b"one")
    names = texts(paths)
    with files.open().writer() as writer:
        for content in (b"first", b"second"):
            paths[0].write_bytes(content)
            writer.add(names, signatures(names), features_of(1), content_digests(names))
    monkeypatch.setattr(feature_cache, "content_digests", lambda _: pytest.fail("read an image"))
    assert find(files.open(), paths).tolist() == [1]


def test_the_newest_of_many_segments_counts_and_those_of_earlier_versions_are_older(
    files, monkeypatch
):
    (path,) = files.make(b"0")
    for number in range(9):
        path.write_bytes(str(number).encode())
        files.fill([path], features_of(1, seed=number))
        if number == 0:  # as earlier versions named it
            for file in files.open().folder.glob("segment-*"):
                file.rename(file.with_stem("f" * 32))
        with monkeypatch.context() as patch:
            patch.setattr(feature_cache, "content_digests", lambda _: pytest.fail("read an image"))
            rows = find(files.open(), [path])
        assert (files.open().read(rows)[0] == features_of(1, seed=number)).all()


@pytest.mark.parametrize("suffix", [".features", ".index"])
@pytest.mark.parametrize("lost", [1, 13, 10_000])
def test_what_was_cut_off_is_computed_anew(files, suffix, lost):
    paths = files.make(b"one", b"two", b"three")
    features = features_of(3)
    files.fill(paths, features)
    (path,) = files.open().folder.glob(f"*{suffix}")
    os.truncate(path, max(0, path.stat().st_size - lost))
    cache = files.open()
    rows = find(cache, paths)
    assert rows[-1] == -1
    known = rows[rows >= 0]
    read, whole = cache.read(known)
    assert whole.all()
    assert (read == features[: len(known)]).all()


def test_a_row_that_was_damaged_is_told(files):
    paths = files.make(b"one", b"two", b"three")
    files.fill(paths, features_of(3))
    (path,) = files.open().folder.glob("*.features")
    data = bytearray(path.read_bytes())
    data[D * 2 + 3] ^= 1
    path.write_bytes(bytes(data))
    cache = files.open()
    assert cache.read(find(cache, paths))[1].tolist() == [True, False, True]


def test_flipped_bytes_lose_rows_and_change_none(files):
    draw = random.Random(4)
    paths = files.make(*(bytes([i]) * (i + 1) for i in range(9)))
    features = features_of(9)
    files.fill(paths, features)
    num_lost = 0
    for number in range(120):
        path = next(files.open().folder.glob(("*.features", "*.index")[number % 2]))
        whole = path.read_bytes()
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[draw.randrange(len(damaged))] ^= draw.randrange(1, 256)
        path.write_bytes(damaged)
        cache = files.open()
        rows = find(cache, paths)
        is_known = rows >= 0
        read, is_whole = cache.read(rows[is_known])
        expected = features[is_known][is_whole]
        assert read[is_whole].tobytes() == expected.tobytes()
        num_lost += 9 - len(expected)
        path.write_bytes(whole)
    assert num_lost > 120


def test_rows_of_zeros_as_a_crash_may_leave_them_are_not_whole(files):
    paths = files.make(b"one")
    files.fill(paths, features_of(1))
    for path in files.open().folder.glob("*.features"):
        path.write_bytes(bytes(path.stat().st_size))
    cache = files.open()
    assert cache.read(find(cache, paths))[1].tolist() == [False]


def test_an_image_that_changed_while_it_was_encoded_is_not_kept(files):
    paths = files.make(b"one", b"two")
    before = signatures(texts(paths))
    paths[1].write_bytes(b"another")
    with files.open().writer() as writer:
        writer.add(texts(paths), before, features_of(2), content_digests(texts(paths)))
    assert files.open().num_rows == 1
    assert find(files.open(), paths).tolist() == [0, -1]


def test_missing_files_are_not_known_and_not_kept(files):
    paths = [files.folder / "nothing.jpg", *files.make(b"one")]
    files.fill(paths, features_of(2))
    cache = files.open()
    assert cache.num_rows == 1
    assert find(cache, paths).tolist() == [-1, 0]
    assert content_digests(texts(paths))[0].tolist() == [0, 0]


def test_no_files_are_no_rows(files):
    paths = files.make(b"one")
    files.fill(paths, features_of(1))
    cache = files.open()
    assert find(cache, []).tolist() == []
    assert cache.read(np.empty(0, np.int64))[0].shape == (0, D)


def test_what_a_killed_job_left_in_the_folder_is_removed_by_the_next_that_writes(files):
    paths = files.make(b"one")
    with files.open().writer() as writer:
        folder = writer._folder / ".streetclip-abcd_f01.tmp"
    (folder / "new").mkdir(parents=True)
    files.fill(paths, features_of(1))
    assert not folder.exists()
    assert files.open().num_rows == 1
