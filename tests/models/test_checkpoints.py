import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from streetclip.captions.prompts import PAPER_PROMPTS
from streetclip.errors import ModelError, OutputError, ResourceError
from streetclip.models.checkpoints import build_payload, read_payload, save_folder, write_payload
from streetclip.models.loading import load_encoder
from tests.checkpoint_files import save_checkpoint
from tests.disks import file_size_limit

LABELS = ["France", "Georgia", "the Netherlands", "Zürich", "Côte d'Ivoire"]
TRAINING = {"epoch": 3, "metrics": {"val_loss": 0.25, "nothing": None}, "steps": [1, 2]}


@pytest.fixture
def trained(clip_folder, clip_parts):
    """A model that stands in no other file."""
    encoder = load_encoder(clip_folder, device="cpu", precision="fp32")
    encoder.model.load_state_dict(clip_parts.model(encoder.tokenizer, seed=9).state_dict())
    return encoder


def _same_features(one, other):
    texts = ["A Street View photo in France.", "Zürich"]
    pixels = torch.arange(2 * 3 * 32 * 32).remainder(251).to(torch.uint8).view(2, 3, 32, 32)
    return torch.equal(one.encode_texts(texts), other.encode_texts(texts)) and torch.equal(
        one.encode_images(pixels), other.encode_images(pixels)
    )


@pytest.mark.parametrize("kind", ["clip_folder", "siglip_folder", "naflex_folder"])
def test_a_checkpoint_stands_alone(kind, request, tmp_path):
    encoder = load_encoder(request.getfixturevalue(kind), device="cpu", precision="fp32")
    path = tmp_path / "new folder" / "best_model.pt"
    save_checkpoint(encoder, path, prompts=PAPER_PROMPTS, training=TRAINING)
    loaded = load_encoder(path, device="cpu", precision="fp32")
    assert loaded.sha256 == encoder.sha256
    assert loaded.prompts == PAPER_PROMPTS
    assert loaded.training == TRAINING
    assert loaded.preprocess == encoder.preprocess
    assert loaded.logit_bias == encoder.logit_bias


def test_a_checkpoint_gives_the_same_features(trained, tmp_path):
    save_checkpoint(trained, tmp_path / "best_model.pt", prompts=None, training={})
    assert _same_features(load_encoder(tmp_path / "best_model.pt", precision="fp32"), trained)


def test_a_checkpoint_is_plain_values_and_tensors(trained, tmp_path):
    path = tmp_path / "best_model.pt"
    save_checkpoint(trained, path, prompts=PAPER_PROMPTS, training=TRAINING)
    payload = torch.load(path, weights_only=True)
    assert payload["format"] == "streetclip-checkpoint"
    assert payload["sha256"] == trained.sha256
    assert set(payload["files"]) >= {"config.json", "tokenizer.json", "preprocessor_config.json"}
    assert json.loads(payload["files"]["config.json"])["model_type"] == "clip"
    assert payload["versions"]["torch"].startswith("2.")


@pytest.mark.parametrize("value", [Path("x"), np.float32(1.0), {1, 2}, torch.nn.Linear(1, 1)])
def test_what_could_not_be_read_back_is_refused(value, trained, tmp_path):
    with pytest.raises(TypeError, match=r"checkpoint\.training\.odd is a \w+; expected a plain"):
        save_checkpoint(trained, tmp_path / "x.pt", prompts=None, training={"odd": value})
    assert list(tmp_path.iterdir()) == []


def test_a_caller_may_add_keys_of_its_own(trained, tmp_path):
    payload = build_payload(trained, prompts=None, training={})
    write_payload(tmp_path / "last.pt", payload | {"optimizer": {"step": torch.tensor(4)}})
    read = read_payload(tmp_path / "last.pt")
    assert read is not None
    assert read["optimizer"]["step"] == 4
    assert load_encoder(tmp_path / "last.pt").sha256 == trained.sha256


def test_a_checkpoint_of_a_newer_format_is_refused(trained, tmp_path):
    payload = build_payload(trained, prompts=None, training={})
    write_payload(tmp_path / "x.pt", payload | {"format_version": 2})
    with pytest.raises(ModelError, match=r"format '2'; this version reads 1\. Update StreetCLIP"):
        load_encoder(tmp_path / "x.pt")


def test_a_checkpoint_cannot_write_outside_its_folder(trained, tmp_path):
    payload = build_payload(trained, prompts=None, training={})
    payload["files"] |= {"../../escaped": "text"}
    write_payload(tmp_path / "x.pt", payload)
    with pytest.raises(ModelError, match="expected a plain file name"):
        load_encoder(tmp_path / "x.pt")


@pytest.mark.parametrize("lost", ["files", "model"])
def test_a_checkpoint_without_a_part_is_named(lost, trained, tmp_path):
    payload = build_payload(trained, prompts=None, training={})
    del payload[lost]
    write_payload(tmp_path / "x.pt", payload)
    with pytest.raises(ModelError, match="lacks the model or its files"):
        load_encoder(tmp_path / "x.pt")


def test_the_folder_gives_the_same_class_in_transformers_pipeline(trained, photos, tmp_path):
    from transformers import pipeline

    folder = tmp_path / "best_model"
    save_folder(trained, folder, prompts=PAPER_PROMPTS, model_card="# card")
    classify = pipeline("zero-shot-image-classification", model=str(folder), device="cpu")
    template = "A Street View photo in {}."
    theirs = classify(photos, candidate_labels=LABELS, hypothesis_template=template)
    loaded = load_encoder(folder, device="cpu", precision="fp32")
    texts = loaded.encode_texts([template.format(label) for label in LABELS])
    pixels = np.stack([loaded.preprocess(photo) for photo in photos])
    images = loaded.encode_images(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    ours = (loaded.logit_scale * images @ texts.T).softmax(dim=1)
    assert [LABELS[row.argmax()] for row in ours] == [best[0]["label"] for best in theirs]
    scores = [{each["label"]: each["score"] for each in best} for best in theirs]
    expected = torch.tensor([[score[label] for label in LABELS] for score in scores])
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


def test_the_folder_keeps_prompts_training_and_card(trained, tmp_path):
    folder = tmp_path / "best_model"
    save_folder(trained, folder, prompts=PAPER_PROMPTS, model_card="# card", training=TRAINING)
    loaded = load_encoder(folder, device="cpu", precision="fp32")
    assert (loaded.sha256, loaded.prompts, loaded.training) == (
        trained.sha256,
        PAPER_PROMPTS,
        TRAINING,
    )
    assert (folder / "README.md").read_text() == "# card"
    assert (folder / "model.safetensors").is_file()
    assert not list(folder.glob("*.bin"))


@pytest.mark.parametrize("notes", ["{", "[]", '{"prompts": {"country": []}}', '{"prompts": 3}'])
def test_spoilt_notes_are_named(notes, trained, tmp_path):
    save_folder(trained, tmp_path / "m", prompts=None, model_card="")
    (tmp_path / "m" / "streetclip.json").write_text(notes)
    with pytest.raises(ModelError):
        load_encoder(tmp_path / "m")


def test_saving_again_replaces_what_stood_there(trained, encoder, tmp_path):
    for each in (encoder, trained):
        save_checkpoint(each, tmp_path / "m.pt", prompts=None, training={})
        save_folder(each, tmp_path / "m", prompts=None, model_card="")
    assert load_encoder(tmp_path / "m.pt").sha256 == trained.sha256
    assert load_encoder(tmp_path / "m").sha256 == trained.sha256
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "m.pt"]


def test_a_full_disk_leaves_what_stood_there(encoder, trained, tmp_path):
    """The system refuses to write on, by a limit on file size: no root and no small disk needed."""
    save_checkpoint(trained, tmp_path / "m.pt", prompts=None, training={})
    save_folder(trained, tmp_path / "m", prompts=None, model_card="")
    for save, name in (
        (partial(save_checkpoint, encoder, tmp_path / "m.pt"), "m.pt"),
        (partial(save_folder, encoder, tmp_path / "m", prompts=None, model_card=""), "m"),
    ):
        with file_size_limit(60_000), pytest.raises(ResourceError) as caught:
            save()
        assert str(caught.value).startswith(f"{tmp_path / name}: the disk is full")
        assert "untouched" in str(caught.value)
    assert load_encoder(tmp_path / "m.pt").sha256 == trained.sha256
    assert load_encoder(tmp_path / "m").sha256 == trained.sha256
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "m.pt"]


def test_too_little_space_is_seen_before_writing(trained, tmp_path, monkeypatch):
    from types import SimpleNamespace

    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1024))
    expected = r"needs \d+ MiB, but the disk has 0 MiB free"
    with pytest.raises(ResourceError, match=expected):
        save_checkpoint(trained, tmp_path / "m.pt", prompts=None, training={})
    with pytest.raises(ResourceError, match=expected):
        save_folder(trained, tmp_path / "m", prompts=None, model_card="")
    assert list(tmp_path.iterdir()) == []


def test_a_path_through_a_file_is_refused(trained, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        save_checkpoint(trained, tmp_path / "file" / "m.pt", prompts=None, training={})


def test_saving_is_quiet(trained, tmp_path, capfd):
    save_folder(trained, tmp_path / "m", prompts=None, model_card="")
    save_checkpoint(trained, tmp_path / "m.pt", prompts=None, training={})
    assert capfd.readouterr() == ("", "")


def test_an_interrupt_that_torch_hides_while_it_saves_is_raised(tmp_path, monkeypatch):
    def save(_payload, _file):
        try:
            raise KeyboardInterrupt
        finally:
            msg = "unexpected pos 2969984 vs 2969876"  # as torch does when it closes the archive
            raise RuntimeError(msg)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(KeyboardInterrupt):
        write_payload(tmp_path / "x.pt", {"a": torch.zeros(3)})
    assert list(tmp_path.iterdir()) == []
