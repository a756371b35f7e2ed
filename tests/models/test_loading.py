import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from streetclip.errors import ConfigError, ModelError, ResourceError
from streetclip.models.loading import load_encoder
from tests.checkpoint_files import save_checkpoint

TEXTS = ["A Street View photo in France.", "Zürich"]


class Malicious:
    """Pickles to a call that makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def folder(clip_folder, tmp_path) -> Path:
    """A copy of the tiny CLIP's folder that a test may spoil."""
    return Path(shutil.copytree(clip_folder, tmp_path / "clip"))


@pytest.fixture
def old_folder(clip_folder, tmp_path) -> Path:
    """The same model as hub folders of 2022 hold it, StreetCLIP's own among them."""
    from safetensors.torch import load_file

    folder = tmp_path / "old"
    folder.mkdir()
    state = load_file(clip_folder / "model.safetensors")
    state["text_model.embeddings.position_ids"] = torch.arange(24)[None]
    state["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    torch.save(state, folder / "pytorch_model.bin")
    _write(folder / "config.json", _old_config(clip_folder))
    _write_old_tokenizer(clip_folder, folder)
    processor = json.loads((clip_folder / "preprocessor_config.json").read_text())
    means = {key: processor[key] for key in ("image_mean", "image_std")}
    old = {"crop_size": 32, "do_center_crop": True, "do_normalize": True, "do_resize": True}
    old |= {"feature_extractor_type": "CLIPFeatureExtractor", "resample": 3, "size": 32}
    _write(folder / "preprocessor_config.json", old | means)
    return folder


def _old_config(clip_folder):
    config = json.loads((clip_folder / "config.json").read_text())
    for key in ("dtype", "transformers_version"):
        config.pop(key, None)
    config |= {"torch_dtype": "float32", "transformers_version": "4.21.0.dev0"}
    config["text_config"] |= {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    config |= {"text_config_dict": None, "vision_config_dict": None}
    return config


def _write_old_tokenizer(source, folder):
    model = json.loads((source / "tokenizer.json").read_text())["model"]
    _write(folder / "vocab.json", model["vocab"])
    merges = [" ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    flags = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    start = {"content": "<|startoftext|>"} | flags
    end = {"content": "<|endoftext|>"} | flags
    named = {"bos_token": start, "eos_token": end, "unk_token": end}
    _write(folder / "special_tokens_map.json", named | {"pad_token": "<|endoftext|>"})
    typed = {name: {"__type": "AddedToken"} | token for name, token in named.items()}
    options = {"add_prefix_space": False, "do_lower_case": True, "errors": "replace"}
    options |= {
        "model_max_length": 24,
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "CLIPTokenizer",
    }
    _write(folder / "tokenizer_config.json", typed | options)


def _write(path, value):
    path.write_text(json.dumps(value), encoding="utf-8")


def _features(encoder):
    return encoder.encode_texts(TEXTS)


def test_an_old_style_folder_loads_as_the_same_model(old_folder, encoder, photos):
    old = load_encoder(old_folder, device="cpu", precision="fp32")
    assert old.sha256 == encoder.sha256
    torch.testing.assert_close(_features(old), _features(encoder))
    assert old.preprocess == encoder.preprocess


def test_an_old_style_folder_in_half_precision_is_computed_in_float32(old_folder, encoder):
    state = torch.load(old_folder / "pytorch_model.bin", weights_only=True)
    halves = {
        name: value.half() if value.is_floating_point() else value for name, value in state.items()
    }
    torch.save(halves, old_folder / "pytorch_model.bin")
    config = json.loads((old_folder / "config.json").read_text())
    _write(old_folder / "config.json", config | {"torch_dtype": "float16"})
    old = load_encoder(old_folder, device="cpu", precision="fp32")
    assert {value.dtype for value in old.model.parameters()} == {torch.float32}
    torch.testing.assert_close(_features(old), _features(encoder), rtol=0, atol=1e-2)


def test_sharded_weights_load(folder, encoder):
    from transformers import CLIPModel

    model = CLIPModel.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="60KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    assert load_encoder(folder).sha256 == encoder.sha256


def test_a_shard_outside_the_folder_is_refused(folder):
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"logit_scale": "../elsewhere.safetensors"}}
    _write(folder / "model.safetensors.index.json", index)
    with pytest.raises(ModelError, match="not in that folder"):
        load_encoder(folder)


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module.model."])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
def test_bare_weights_load_with_a_base_model(prefix, wrapper, clip_folder, clip_parts, tmp_path):
    model = clip_parts.model(clip_parts.tokenizer(), seed=5)
    state = {prefix + name: value for name, value in model.state_dict().items()}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "bare.pt")
    encoder = load_encoder(tmp_path / "bare.pt", base_model=clip_folder, device="cpu")
    assert torch.equal(encoder.model.text_projection.weight, model.text_projection.weight)
    assert encoder.prompts is None


def test_bare_weights_take_a_checkpoint_as_their_base(encoder, tmp_path):
    save_checkpoint(encoder, tmp_path / "base.pt", prompts=None, training={})
    torch.save(encoder.model.state_dict(), tmp_path / "bare.pt")
    loaded = load_encoder(tmp_path / "bare.pt", base_model=tmp_path / "base.pt")
    assert loaded.sha256 == encoder.sha256


def test_bare_safetensors_load_with_a_base_model(clip_folder, encoder, tmp_path):
    shutil.copy(clip_folder / "model.safetensors", tmp_path / "bare.safetensors")
    loaded = load_encoder(tmp_path / "bare.safetensors", base_model=clip_folder)
    assert loaded.sha256 == encoder.sha256


def test_bare_weights_without_a_base_model_say_what_to_give(encoder, tmp_path):
    torch.save(encoder.model.state_dict(), tmp_path / "bare.pt")
    with pytest.raises(ModelError, match=r"holds weights only.*--model_name"):
        load_encoder(tmp_path / "bare.pt")


def test_weights_of_another_architecture_are_named(siglip_folder, clip_folder, tmp_path):
    other = load_encoder(siglip_folder, device="cpu")
    torch.save(other.model.state_dict(), tmp_path / "bare.pt")
    with pytest.raises(ModelError) as caught:
        load_encoder(tmp_path / "bare.pt", base_model=clip_folder)
    assert "bare.pt" in str(caught.value)
    assert "clip" in str(caught.value)


def test_weights_of_another_size_are_named(folder, clip_folder, clip_parts):
    tokenizer = clip_parts.tokenizer()
    config = clip_parts.model(tokenizer).config
    config.projection_dim = 24
    from transformers import CLIPModel

    CLIPModel(config).save_pretrained(folder.parent / "wide")
    shutil.copy(folder.parent / "wide" / "model.safetensors", folder)
    with pytest.raises(ModelError, match="do not fit the clip model"):
        load_encoder(folder)


def test_weights_that_lack_a_tensor_are_refused(folder):
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "model.safetensors")
    del state["text_model.final_layer_norm.bias"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 of the .*final_layer_norm\.bias"):
        load_encoder(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "bare.pt"])
@pytest.mark.parametrize("old_pickle", [False, True])
def test_a_pickle_that_would_run_code_is_refused(name, old_pickle, folder, clip_folder, tmp_path):
    marker = tmp_path / "code has run"
    content = {"epoch": 3, "extra": Malicious(marker)}
    (folder / "model.safetensors").unlink()
    path = folder / name
    if old_pickle:
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path)
    with pytest.raises(ModelError, match=r"refused, as reading it would run code .*mkdir"):
        load_encoder(folder if name.endswith("bin") else path, base_model=clip_folder)
    assert not marker.exists()


def test_a_pickled_model_object_is_refused(folder, clip_folder, encoder):
    torch.save(torch.nn.Linear(2, 2), folder / "whole.pt")
    with pytest.raises(ModelError, match="refused"):
        load_encoder(folder / "whole.pt", base_model=clip_folder)


def test_remote_code_is_never_run(folder, tmp_path):
    marker = tmp_path / "code has run"
    (folder / "evil.py").write_text(f"import os; os.mkdir({str(marker)!r})")
    config = json.loads((folder / "config.json").read_text())
    remote = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    _write(folder / "config.json", config | {"model_type": "evil", "auto_map": remote})
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
        load_encoder(folder)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("kept", [0, 4, 300, -50])
def test_cut_off_weights_are_named(name, kept, folder, encoder):
    if name.endswith("bin"):
        (folder / "model.safetensors").unlink()
        torch.save(encoder.model.state_dict(), folder / name)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:kept])
    with pytest.raises(
        ModelError, match=r"is (empty|damaged or cut off|not a file of torch)"
    ) as caught:
        load_encoder(folder)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0, 3, 300, 100_000, -50])
def test_a_cut_off_checkpoint_is_named(kept, encoder, tmp_path):
    path = tmp_path / "best_model.pt"
    save_checkpoint(encoder, path, prompts=None, training={})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"best_model\.pt: is ") as caught:
        load_encoder(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"just text", b"\x89PNG\r\n\x1a\n", b"\x80garbage", b"PK\x03\x04"]
)
def test_a_file_of_another_kind_is_named(content, tmp_path):
    path = tmp_path / "photo.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"photo\.pt: ") as caught:
        load_encoder(path)
    assert "\n" not in str(caught.value)


def test_a_torch_file_without_weights_is_named(tmp_path, clip_folder):
    torch.save({"losses": [1.0, 2.0]}, tmp_path / "curve.pt")
    with pytest.raises(ModelError, match="holds no weights"):
        load_encoder(tmp_path / "curve.pt", base_model=clip_folder)


def test_a_damaged_safetensors_file_without_a_folder_is_named(tmp_path, clip_folder):
    (tmp_path / "x.safetensors").write_bytes(b"\0" * 20)
    with pytest.raises(ModelError, match=r"x\.safetensors: is damaged"):
        load_encoder(tmp_path / "x.safetensors", base_model=clip_folder)


@pytest.mark.parametrize(
    ("removed", "missing"),
    [
        ("config.json", "config.json"),
        ("model.safetensors", "model.safetensors or pytorch_model.bin"),
        ("preprocessor_config.json", "preprocessor_config.json"),
        ("tokenizer.json", "tokenizer.json or vocab.json"),
    ],
)
def test_an_incomplete_folder_says_what_is_missing(removed, missing, folder):
    (folder / removed).unlink()
    with pytest.raises(ModelError, match=f"has no {missing}"):
        load_encoder(folder)


@pytest.mark.parametrize(
    ("name", "part", "content"),
    [
        ("config.json", "config.json", "{not json"),
        ("config.json", "config.json", "[]"),
        ("config.json", "config.json", '{"model_type": "no such"}'),
        ("preprocessor_config.json", "preprocessor_config.json", "{not json"),
        ("preprocessor_config.json", "preprocessor_config.json", "[]"),
        ("tokenizer.json", "tokenizer", "{not json"),
        ("tokenizer.json", "tokenizer", '{"version": "1.0"}'),
    ],
)
def test_an_unreadable_part_is_named(name, part, content, folder):
    (folder / name).write_text(content)
    with pytest.raises(ModelError, match=f"its {part} cannot be read") as caught:
        load_encoder(folder)
    assert "\n" not in str(caught.value)


def test_an_image_processor_of_another_size_is_refused(folder):
    processor = json.loads((folder / "preprocessor_config.json").read_text())
    processor |= {"crop_size": {"height": 24, "width": 24}}
    _write(folder / "preprocessor_config.json", processor)
    with pytest.raises(ModelError, match="makes 24 × 24 pixels, but the model takes 32 × 32"):
        load_encoder(folder)


@pytest.mark.parametrize("source", ["outputs/best_model.pt", "/no/such/folder", "a/b/c", "x\ny"])
def test_a_source_that_is_nothing_is_named(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    with pytest.raises(ModelError, match="no such file or folder") as caught:
        load_encoder(source)
    assert "\n" not in str(caught.value)


def test_the_source_is_remembered_as_the_user_named_it(clip_folder, monkeypatch):
    monkeypatch.chdir(clip_folder.parent)
    assert load_encoder("clip", device="cpu").source == "clip"


def test_a_device_that_is_not_there_is_refused_before_loading(tmp_path):
    with pytest.raises(ConfigError, match="--device"):
        load_encoder(tmp_path / "absent", device="cuda:99")


def test_loading_is_quiet(clip_folder, capfd):
    load_encoder(clip_folder, device="cpu")
    assert capfd.readouterr() == ("", "")


def test_a_tokenizer_that_needs_another_package_says_so(siglip_folder, tmp_path, monkeypatch):
    """SigLIP's first tokenizer is sentencepiece's, which is not among our dependencies."""
    from transformers import AutoTokenizer

    def refuse(*arguments, **options):
        msg = "SiglipTokenizer requires the SentencePiece library"
        raise ImportError(msg)

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", refuse)
    with pytest.raises(ModelError, match=r"needs a package .*SentencePiece"):
        load_encoder(siglip_folder)


def test_a_model_that_does_not_fit_the_gpu_says_so(clip_folder, monkeypatch):
    from transformers import CLIPModel

    def overflow(self, *arguments):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(CLIPModel, "to", overflow)
    with pytest.raises(ResourceError, match="does not fit into the memory of cpu"):
        load_encoder(clip_folder, device="cpu")


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "x.pt").write_bytes(b"PK\x03\x04")

    def refuse(self, *arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelError, match=r"x\.pt: cannot be read \(Permission denied\)"):
        load_encoder(tmp_path / "x.pt")
