import logging
import subprocess
import sys
import weakref

import pytest
import torch

from streetclip.errors import ResourceError
from streetclip.models.encoder import Portions

CPU = torch.device("cpu")


class Doubling:
    """Doubles rows, as a device that has memory for so many at a time."""

    def __init__(self, values, most, error=None):
        self.values = values
        self.most = most
        self.error = error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        self.tried = []

    def __call__(self, rows):
        part = self.values[rows]
        self.tried.append(len(part))
        if len(part) > self.most:
            raise self.error
        return part * 2


@pytest.fixture
def values():
    return torch.arange(13 * 2).reshape(13, 2)


@pytest.mark.parametrize(
    "error", [None, RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: you …")]
)
def test_rows_that_do_not_fit_are_halved_until_they_do_and_stay_in_order(values, error):
    doubling = Doubling(values, most=4, error=error)
    assert torch.equal(Portions("image")(doubling, 13, CPU), values * 2)
    assert doubling.tried == [13, 6, 3, 3, 3, 3, 1]


def test_the_size_that_fits_is_remembered(values):
    portions = Portions("image")
    portions(Doubling(values, most=6), 13, CPU)
    later = Doubling(values, most=6)
    assert torch.equal(portions(later, 8, CPU), values[:8] * 2)
    assert later.tried == [6, 2]


def test_memory_that_runs_out_in_the_middle_loses_no_row(values):
    doubling = Doubling(values, most=5)
    portions = Portions("image")
    portions.most = 5

    def compute(rows):
        if rows.start == 5:
            doubling.most = 2
        return doubling(rows)

    assert torch.equal(portions(compute, 13, CPU), values * 2)
    assert doubling.tried == [5, 5, 2, 2, 2, 2]


def test_what_fits_is_computed_at_once(values):
    doubling = Doubling(values, most=13)
    assert torch.equal(Portions("image")(doubling, 13, CPU), values * 2)
    assert doubling.tried == [13]


def test_no_rows_are_computed_as_such(values):
    assert Portions("image")(Doubling(values, most=1), 0, CPU).shape == (0, 2)


def test_each_shrinking_is_told_with_the_flag_to_set(values, caplog):
    with caplog.at_level(logging.WARNING):
        Portions("image", "--batch_size")(Doubling(values, most=6), 13, CPU)
        Portions("text")(Doubling(values, most=6), 13, CPU)
    told = "cpu: too little memory for 13 {} at a time; 6 from here on."
    assert caplog.messages == [
        told.format("images") + " Set --batch_size 6.",
        told.format("texts"),
    ]


def test_a_single_row_that_does_not_fit_is_an_error_with_the_allocators_words(values):
    with pytest.raises(
        ResourceError, match=r"cpu: has too little memory for a single image.*Tried to.*Free some"
    ):
        Portions("image")(Doubling(values, most=0), 13, CPU)


@pytest.mark.parametrize("error", [RuntimeError("shapes cannot be multiplied"), ValueError("x")])
def test_other_errors_are_not_tried_again(values, error):
    doubling = Doubling(values, most=1, error=error)
    with pytest.raises(type(error)) as raised:
        Portions("image")(doubling, 13, CPU)
    assert raised.value is error
    assert doubling.tried == [13]


def test_cached_memory_is_freed_before_each_further_attempt(values, monkeypatch):
    doubling = Doubling(values, most=3)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: doubling.tried.append("freed"))
    Portions("image")(doubling, 13, CPU)
    assert doubling.tried[:5] == [13, "freed", 6, "freed", 3]


def test_what_the_failed_attempt_held_is_free_before_the_next(values):
    held = []

    def compute(rows):
        assert all(each() is None for each in held)
        activations = torch.zeros(4)
        held.append(weakref.ref(activations))
        if rows.stop - rows.start > 3:
            raise torch.OutOfMemoryError
        return values[rows]

    Portions("image")(compute, 13, CPU)
    assert len(held) > 2


# In a process of its own: the limit is for good, and memory that others hold decides what fits.
REAL = """
import logging, resource, sys
import torch
from streetclip.models.loading import load_encoder
logging.basicConfig(format="%(message)s", stream=sys.stdout)
torch.set_num_threads(1)
encoder = load_encoder(sys.argv[1], device="cpu", precision="fp32")
noise = torch.Generator().manual_seed(0)
pixels = torch.randint(0, 256, (9001, 3, 32, 32), dtype=torch.uint8, generator=noise)
expected = torch.cat([encoder.encode_images(part) for part in pixels.split(40)])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]) * 2**20,) * 2)
features = encoder.encode_images(pixels)
print("equal", torch.equal(features, expected), features.shape)
"""


def _encode_within(folder, spare_mib):
    command = [sys.executable, "-c", REAL, str(folder), str(spare_mib)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits its own memory as Linux does")
def test_images_that_do_not_fit_into_real_memory_are_encoded_in_portions(clip_folder):
    # All at once need 106 MiB for their floats alone, and as much again for each layer.
    done = _encode_within(clip_folder, 64)
    *warnings, result = done.stdout.splitlines()
    assert result == "equal True torch.Size([9001, 16])", done.stderr
    assert warnings[0].startswith("cpu: too little memory for 9008 images at a time; 4504 from")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits its own memory as Linux does")
def test_freed_memory_is_kept_for_the_next_batch_but_not_in_forked_processes():
    script = """
import os, resource
import torch
from streetclip.models.encoder import keep_freed_memory
torch.set_num_threads(1)

def pages_fetched(size):
    torch.ones(size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(size)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = pages_fetched(2**24)
keep_freed_memory()
print(usual, pages_fetched(2**24), flush=True)
if os.fork() == 0:
    print(pages_fetched(2**26), flush=True)  # more than lies ready from before the fork
    os._exit(0)
os.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    usual, kept, forked = map(int, done.stdout.split())
    assert kept < usual / 2  # a system that is short of memory takes some of it back
    assert forked > 2 * usual  # four times as much memory, fetched each time
