"""Models made to break, stall or fill the machine that loads them: one line each, in bounds."""

import multiprocessing
import re
import resource
import shutil
from pathlib import Path

import pytest
import torch

from streetclip.errors import StreetClipError
from streetclip.models.loading import load_encoder
from tests.models.hostile_files import KINDS
from tests.models.hostile_weights import CODE_HAS_RUN

pytestmark = pytest.mark.slow

TIME_LIMIT_S = 20.0
MEMORY_LIMIT_MIB = 600


def tried(source, pipe):
    """Load a model in this process; send what came of it and the memory it took."""
    before_kib = peak_kib()
    try:
        encoder = load_encoder(source, device="cpu", precision="fp32")
        features = encoder.encode_texts(["A Street View photo in France.", "a" * 60 + "!"])
        pixels = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        images = encoder.encode_images(pixels)
        is_finite = bool(features.isfinite().all() and images.isfinite().all())
        outcome = "loaded" if is_finite else "loaded, with features that are no numbers"
    except StreetClipError as error:
        outcome = f"refused: {error}"
    except BaseException as error:  # noqa: BLE001 -- what is tested
        outcome = f"raw {type(error).__name__}: {error}"
    pipe.send((outcome, (peak_kib() - before_kib) // 1024))


def peak_kib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def outcome_of(source):
    """What came of loading it in a process of its own, and MiB that it took."""
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)
    child = fork.Process(target=tried, args=(source, theirs))
    child.start()
    theirs.close()
    try:
        assert ours.poll(TIME_LIMIT_S), "it hangs"
        return ours.recv()
    finally:
        child.kill()
        child.join()


HARMLESS = {
    "a post-processor of unknown words",
    "a pattern that explodes",
    "a tokenizer class with remote code",
    "a_folder_for_tokenizer_settings",
    "a_pipe_for_a_card",
}
"""Load, without what is odd about them."""


@pytest.mark.parametrize("name", KINDS)
def test_a_hostile_model_is_refused_in_one_line_and_in_bounds(name, clip_folder, tmp_path):
    folder = Path(shutil.copytree(clip_folder, tmp_path / "clip"))
    source = KINDS[name](folder)
    outcome, mib = outcome_of(source if isinstance(source, Path) else folder)
    print(name, "|", outcome[:300], "|", mib)
    assert re.fullmatch("loaded" if name in HARMLESS else r"refused: [^\n]+", outcome)
    assert mib < MEMORY_LIMIT_MIB
    assert not CODE_HAS_RUN.exists()
