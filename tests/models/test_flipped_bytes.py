"""Bytes of a checkpoint that change on disk: it is refused, or gives the very same model."""

import logging
import random
import re
import shutil
from pathlib import Path

import pytest
import torch

from streetclip.captions.prompts import PAPER_PROMPTS
from streetclip.errors import ModelError
from streetclip.models.checkpoints import build_payload, read_payload, save_folder, write_payload
from streetclip.models.identity import identify
from streetclip.models.loading import load_encoder
from tests.killing import leaves

NUM_FLIPS = 3
TRAINING = {"epoch": 3, "metrics": {"val_loss": 0.25}}


def flip(path, draw, *, first=0, last=None):
    """Change a few bytes of a file, each by one or several bits."""
    data = bytearray(path.read_bytes())
    for _ in range(NUM_FLIPS):
        data[draw.randrange(first, last or len(data))] ^= draw.randrange(1, 256)
    path.write_bytes(data)


@pytest.fixture
def checkpoint(encoder, tmp_path) -> Path:
    """A checkpoint to resume from."""
    payload = build_payload(encoder, prompts=PAPER_PROMPTS, training=TRAINING)
    moments = {name: torch.rand(value.shape) for name, value in payload["model"].items()}
    write_payload(tmp_path / "last_checkpoint.pt", payload | {"resume": {"optimizer": moments}})
    return tmp_path / "last_checkpoint.pt"


@pytest.fixture(scope="module")
def saved(encoder, tmp_path_factory) -> Path:
    """A folder as training writes it."""
    folder = tmp_path_factory.mktemp("saved") / "best_model"
    save_folder(encoder, folder, prompts=PAPER_PROMPTS, model_card="# card", training=TRAINING)
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(saved, tmp_path / "best_model"))


def payload_or_refusal(path):
    try:
        return read_payload(path)
    except ModelError as error:
        return str(error)


def test_a_checkpoint_with_flipped_bytes_is_refused_or_the_same(checkpoint, tmp_path):
    draw, path = random.Random(5), tmp_path / "flipped.pt"
    whole = dict(leaves("", read_payload(checkpoint)))
    num_refused = 0
    for number in range(200):
        shutil.copy(checkpoint, path)
        # Names, sizes and checksums of the parts are at the end.
        flip(path, draw, first=path.stat().st_size - 12_000 if number % 4 == 0 else 0)
        found = payload_or_refusal(path)
        if isinstance(found, str):
            assert re.fullmatch(rf"{re.escape(str(path))}: [^\n]+", found)
            num_refused += 1
        else:  # in the padding between parts, or the time of writing
            assert dict(leaves("", found)) == whole
    assert num_refused > 140


def test_one_changed_weight_of_a_checkpoint_is_named(checkpoint, encoder):
    weights = encoder.model.text_projection.weight.detach().numpy().tobytes()
    first = checkpoint.read_bytes().index(weights)
    flip(checkpoint, random.Random(1), first=first, last=first + len(weights))
    with pytest.raises(ModelError, match=r"its part .*/data/\d+ does not match its checksum"):
        load_encoder(checkpoint)


def test_a_folder_with_flipped_bytes_is_refused_or_the_same(folder, saved, encoder):
    draw = random.Random(6)
    names = [path.name for path in saved.iterdir() if path.name != "README.md"]
    assert "model.safetensors" in names
    for name in names * 12:
        flip(folder / name, draw)
        with pytest.raises(ModelError, match=r"[^\n]+") as caught:
            load_encoder(folder)
        assert name in str(caught.value)
        shutil.copy(saved / name, folder / name)
    loaded = load_encoder(folder, device="cpu", precision="fp32")
    assert identify(loaded) == identify(encoder)
    assert (loaded.prompts, loaded.training) == (PAPER_PROMPTS, TRAINING)


def test_a_folder_that_lost_a_file_of_its_record_is_refused(folder):
    (folder / "tokenizer_config.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer_config\.json: is damaged, or was changed"):
        load_encoder(folder)


def test_the_card_of_a_folder_may_be_edited(folder, encoder):
    (folder / "README.md").write_text("# Our model")
    assert load_encoder(folder).sha256 == encoder.sha256


def test_a_folder_of_before_has_no_checksums_and_loads_with_a_note(folder, encoder, caplog):
    notes = (folder / "streetclip.json").read_text()
    older = notes[: notes.index(',\n  "files_sha256"')] + "\n}\n"
    (folder / "streetclip.json").write_text(older)
    with caplog.at_level(logging.INFO, "streetclip.models.checkpoints"):
        loaded = load_encoder(folder)
    assert (loaded.sha256, loaded.prompts) == (encoder.sha256, PAPER_PROMPTS)
    assert "records no checksums" in caplog.text


@pytest.mark.parametrize("key", ["files_sha256", '"sha256"'])
def test_the_checksums_cannot_be_lost_one_by_one(key, folder):
    path = folder / "streetclip.json"
    path.write_text(path.read_text().replace(key, key.replace("sha256", "sha257")))
    with pytest.raises(ModelError, match=r"streetclip\.json: is damaged, or was changed"):
        load_encoder(folder)
