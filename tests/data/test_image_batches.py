import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from streetclip.data import decoding
from streetclip.data.image_batches import iterate_batches, resolve_num_workers
from streetclip.errors import ImageError


def to_array(image):
    return np.asarray(image)


def refuse_dark(image):
    if image.getpixel((0, 0))[0] == 2:
        msg = "too dark"
        raise ImageError(msg)
    return np.asarray(image)


def fail(_image):
    msg = "a fault of the preprocessing"
    raise ZeroDivisionError(msg)


def report_process(_image):
    ignores = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    return np.full((1, 1, 3), [torch.get_num_threads(), ignores, 0], np.uint8)


class Noted:
    """A preprocess that appends the index of each image to a file, and stops at one."""

    def __init__(self, file, stop_at=None):
        self.file, self.stop_at = file, stop_at

    def __call__(self, image):
        index = image.getpixel((0, 0))[0]
        with self.file.open("a") as file:
            file.write(f"{index} ")
        if index == self.stop_at:
            time.sleep(3600)
        return np.asarray(image)

    def wait_for(self, indices):
        deadline = time.monotonic() + 30
        while self.indices() != indices and time.monotonic() < deadline:
            time.sleep(0.01)
        assert self.indices() == indices

    def indices(self):
        return [int(index) for index in self.file.read_text().split()]


class Overlapping:
    """A preprocess that notes when another one is at work at the same time."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, image):
        mine = self.folder / f"{os.getpid()}.working"
        mine.touch()
        time.sleep(0.02)
        if len(list(self.folder.glob("*.working"))) > 1:
            mine.with_suffix(".together").touch()
        mine.unlink()
        return np.asarray(image)


class UpperHalf:
    """A preprocess that wants the upper half of an image only, twice as large."""

    def crop_of(self, width, height):
        return (0, 0, width, height / 2), (width * 2, height), Image.Resampling.NEAREST

    def finish(self, cropped):
        return np.asarray(cropped)


class Painted:
    """A random preprocess that paints the number drawn into the second and third channel."""

    def drawn(self, draw):
        def paint(image):
            pixels = np.array(image)
            pixels[..., 1:] = divmod(draw % 2**16, 256)
            return pixels

        return paint


class UpperShare:
    """A random preprocess that wants as many rows as were drawn."""

    def drawn(self, draw):
        return Rows(draw)


class Rows:
    """A fast preprocess that wants the uppermost rows of an image, as one."""

    def __init__(self, count):
        self.count = count

    def crop_of(self, width, _height):
        return (0, 0, width, self.count), (width, 1), Image.Resampling.BOX

    def finish(self, cropped):
        return np.asarray(cropped)


@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_batches_follow_the_order_whatever_the_workers(paths, num_workers):
    order = [10, 0, 3, 7, 4, 5, 6]
    batches = list(
        iterate_batches(paths, to_array, batch_size=3, num_workers=num_workers, order=order)
    )
    assert [batch.indices_B.tolist() for batch in batches] == [[10, 0], [7, 5], [6]]
    assert [sorted(batch.errors) for batch in batches] == [[3], [4], []]
    assert "is not an image" in batches[0].errors[3]
    assert "no such file" in batches[1].errors[4]
    for batch in batches:
        assert batch.pixels_BCHW.dtype == torch.uint8
        assert batch.pixels_BCHW.shape == (len(batch.indices_B), 3, 4, 5)
        assert batch.pixels_BCHW[:, 0, 0, 0].tolist() == batch.indices_B.tolist()
        assert batch.pixels_BCHW[0, 1, 2].tolist() == [0, 1, 2, 3, 4]
        assert batch.pixels_BCHW[0, 2, :, 3].tolist() == [0, 1, 2, 3]


def test_all_images_are_visited_in_order_by_default(paths):
    batches = list(iterate_batches(paths, to_array, batch_size=4, num_workers=0))
    assert [batch.indices_B.tolist() for batch in batches] == [[0, 1, 2], [5, 6, 7], [8, 9, 10]]


def test_a_batch_without_a_readable_image_is_empty(paths):
    (batch,) = iterate_batches(paths, to_array, batch_size=2, num_workers=0, order=[3, 4])
    assert len(batch.indices_B) == 0
    assert batch.pixels_BCHW.shape == (0, 3, 0, 0)
    assert sorted(batch.errors) == [3, 4]


@pytest.mark.parametrize("num_workers", [0, 2, -1])
def test_no_images_make_no_batches(num_workers):
    assert list(iterate_batches([], to_array, batch_size=2, num_workers=num_workers)) == []


def test_an_image_that_the_preprocessing_refuses_is_reported(paths):
    (batch,) = iterate_batches(paths, refuse_dark, batch_size=3, num_workers=0, order=[1, 2, 5])
    assert batch.indices_B.tolist() == [1, 5]
    assert batch.errors == {2: "too dark"}


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_fault_of_the_preprocessing_is_not_swallowed(paths, num_workers):
    with pytest.raises(ZeroDivisionError):
        list(iterate_batches(paths, fail, batch_size=2, num_workers=num_workers))


def test_workers_compute_in_one_thread_and_leave_interrupts_alone(paths):
    (batch,) = iterate_batches(paths, report_process, batch_size=1, num_workers=1, order=[0])
    assert batch.pixels_BCHW[0, :2, 0, 0].tolist() == [1, True]


def children():
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def test_stopping_early_leaves_no_worker_behind(paths):
    before = children()
    batches = iterate_batches(paths, to_array, batch_size=1, num_workers=2)
    next(batches)
    assert len(children()) == len(before) + 2
    batches.close()
    assert children() == before


def test_a_stuck_worker_is_ended_with_the_iterator(paths, tmp_path):
    before = children()
    preprocess = Noted(tmp_path / "seen", stop_at=5)
    batches = iterate_batches(paths, preprocess, batch_size=2, num_workers=1)
    next(batches)
    preprocess.wait_for([0, 1, 2, 5])
    batches.close()
    assert children() == before


def test_two_batches_are_decoded_ahead(paths, tmp_path):
    preprocess = Noted(tmp_path / "seen")
    batches = iterate_batches(paths, preprocess, batch_size=2, num_workers=1)
    next(batches)
    preprocess.wait_for([0, 1, 2, 5])  # 3 and 4 cannot be read
    time.sleep(0.1)
    assert preprocess.indices() == [0, 1, 2, 5]
    batches.close()


def test_on_the_cpu_decoding_rests_while_the_caller_computes(paths, tmp_path):
    preprocess = Noted(tmp_path / "seen")
    cpu = torch.device("cpu")
    batches = iterate_batches(paths, preprocess, batch_size=2, num_workers=1, device=cpu)
    next(batches)
    preprocess.wait_for([0, 1, 2])  # the worker has the next image in hand at most
    time.sleep(0.1)
    assert preprocess.indices() == [0, 1, 2]
    assert [batch.indices_B.tolist() for batch in batches] == [[2], [5], [6, 7], [8, 9], [10]]


@pytest.mark.parametrize("num_workers", [0, 1, 3])
def test_each_visit_is_prepared_by_its_own_draw(paths, num_workers):
    order = [7, 2, 7, 3, 10, 2]
    draws = np.array([258, 2**64 - 1, 5, 6, 7, 65534], np.uint64)
    batches = list(
        iterate_batches(
            paths, Painted(), batch_size=4, num_workers=num_workers, order=order, draws=draws
        )
    )
    assert [batch.indices_B.tolist() for batch in batches] == [[7, 2, 7], [10, 2]]
    assert list(batches[0].errors) == [3]
    seen = torch.cat([batch.pixels_BCHW for batch in batches])[:, :, 0, 0].tolist()
    assert seen == [[7, 1, 2], [2, 255, 255], [7, 0, 5], [10, 0, 7], [2, 255, 254]]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_what_a_draw_needs_alone_is_decoded(paths, num_workers):
    draws = np.array([1, 3, 4], np.uint64)
    (batch,) = iterate_batches(
        paths, UpperShare(), batch_size=3, num_workers=num_workers, order=[6, 6, 8], draws=draws
    )
    assert batch.pixels_BCHW.shape == (3, 3, 1, 5)
    # The third channel counts the rows: the mean of 0; of 0, 1, 2; and of 0 to 3, rounded.
    assert batch.pixels_BCHW[:, 2, 0, 4].tolist() == [0, 1, 2]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_what_a_preprocess_needs_alone_is_decoded(paths, num_workers):
    (batch,) = iterate_batches(
        paths, UpperHalf(), batch_size=5, num_workers=num_workers, order=[0, 1, 2, 3, 5]
    )
    assert batch.indices_B.tolist() == [0, 1, 2, 5]
    assert list(batch.errors) == [3]
    assert batch.pixels_BCHW.shape == (4, 3, 4, 10)
    assert batch.pixels_BCHW[3, :, 3, 9].tolist() == [5, 4, 1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="pinned memory needs CUDA")
def test_pixels_for_cuda_are_pinned(paths):
    cuda = torch.device("cuda")
    (batch,) = iterate_batches(paths[:3], to_array, batch_size=3, num_workers=1, device=cuda)
    assert batch.pixels_BCHW.is_pinned()


def test_large_images_are_decoded_one_at_a_time_by_all_workers(paths, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "_LARGE_PIXELS", 1)
    preprocess = Overlapping(tmp_path)
    list(iterate_batches(paths, preprocess, batch_size=4, num_workers=3))
    assert sorted(path.name for path in tmp_path.glob("*.together")) == []


def test_automatic_workers_leave_a_core_to_the_computation(monkeypatch):
    for cores, workers in ((1, 0), (2, 1), (8, 7), (64, 16)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, n=cores: set(range(n)))
        assert resolve_num_workers(-1) == workers
        assert resolve_num_workers(-1, spare=False) == min(cores, 16)


def test_a_number_of_workers_is_taken_as_it_is():
    assert [resolve_num_workers(n) for n in (0, 1, 40)] == [0, 1, 40]
