import shutil

import pytest

from jobs import export
from streetclip.captions.prompts import FULL_PROMPTS
from streetclip.models import onnx_export
from streetclip.models.loading import load_encoder
from tests.checkpoint_files import save_checkpoint
from tests.models.conftest import build_clip_model, build_clip_tokenizer, clip_folder, photos

__all__ = ["build_clip_model", "build_clip_tokenizer", "clip_folder", "photos"]

TRAINING = {
    "base_model": {"source": "some/base", "sha256": "ab"},
    "licence": {"license": "cc-by-nc-4.0"},
    "epoch": 3,
    "step": 12,
    "metrics": {"num_correct": 7, "num_images": 9, "val_loss": 0.5},
}


@pytest.fixture
def checkpoint(clip_folder, tmp_path):
    encoder = load_encoder(clip_folder, device="cpu", precision="fp32")
    path = tmp_path / "best_model.pt"
    save_checkpoint(encoder, path, prompts=FULL_PROMPTS, training=TRAINING)
    return path


def run(checkpoint, folder, *more):
    return export.main([f"--checkpoint_path={checkpoint}", f"--output_dir={folder}", *more])


def test_an_exported_folder_loads_in_transformers_and_here(checkpoint, photos, tmp_path, capsys):
    from transformers import pipeline

    folder = tmp_path / "out"
    assert run(checkpoint, folder) == 0
    assert str(folder) in capsys.readouterr().out
    classify = pipeline("zero-shot-image-classification", model=str(folder))
    scores = classify(photos[0], candidate_labels=["a", "b"], hypothesis_template="{}")
    assert sum(each["score"] for each in scores) == pytest.approx(1)
    ours, was = load_encoder(folder, precision="fp32"), load_encoder(checkpoint, precision="fp32")
    assert (ours.sha256, ours.prompts, ours.training) == (was.sha256, was.prompts, was.training)
    card = (folder / "README.md").read_text()
    assert "license: cc-by-nc-4.0\n" in card
    assert "7 of 9" in card


def test_the_licence_goes_on_generation_after_generation(checkpoint, tmp_path):
    assert run(checkpoint, tmp_path / "a") == 0
    notes = tmp_path / "a" / "streetclip.json"
    notes.unlink()  # as somebody does who copies the model without what he does not know
    assert run(tmp_path / "a", tmp_path / "b") == 0
    assert load_encoder(tmp_path / "b").training["licence"] == TRAINING["licence"]
    assert "license: cc-by-nc-4.0\n" in (tmp_path / "b" / "README.md").read_text()


def test_graphs_are_written_with_what_their_check_found(checkpoint, tmp_path, capsys, monkeypatch):
    given = []

    def save(encoder, path, *, model_card):
        given.append((encoder.training, model_card.partition("\n")[0]))
        path.mkdir(exist_ok=True)
        return onnx_export.OnnxExport(1.25e-7, None if len(given) > 1 else 3e-6)

    monkeypatch.setattr(onnx_export, "save_onnx", save)
    assert run(checkpoint, tmp_path / "a", "--format=onnx") == 0
    assert "differ from torch's by at most 1.2e-07 (images), 3.0e-06 (texts)" in (
        capsys.readouterr().out
    )
    assert run(checkpoint, tmp_path / "b", "--format=onnx") == 0
    assert "pip install onnxruntime" in capsys.readouterr().out
    assert given == [(TRAINING, "---")] * 2


def test_an_export_is_replaced_only_if_asked(checkpoint, tmp_path, capsys):
    folder = tmp_path / "out"
    assert run(checkpoint, folder) == 0
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert run(checkpoint, folder) == 2
    assert "Add --overwrite, or name another" in capsys.readouterr().err
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    assert run(checkpoint, folder, "--overwrite") == 0


@pytest.mark.parametrize("flags", [[], ["--overwrite"]])
def test_what_is_no_export_is_never_replaced(checkpoint, tmp_path, capsys, flags):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(b"x")
    assert run(checkpoint, folder, *flags) == 2
    assert "holds something other than an export" in capsys.readouterr().err
    assert (folder / "photo.jpg").exists()


def test_the_model_itself_is_never_replaced(checkpoint, tmp_path, capsys):
    assert run(checkpoint, tmp_path / "a") == 0
    shutil.copy(checkpoint, tmp_path / "a" / "model.pt")
    for source in (tmp_path / "a", tmp_path / "a" / "model.pt"):
        assert run(source, tmp_path / "a", "--overwrite") == 2
        assert "holds the model itself" in capsys.readouterr().err


def test_a_missing_model_is_one_line(tmp_path, capsys):
    assert run(tmp_path / "no.pt", tmp_path / "out") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()
