"""open_clip's checkpoints, against open_clip's own model."""

import importlib
import importlib.metadata
import json
import os
import shutil
import sys
import types

import numpy as np
import pytest
import torch

from streetclip.errors import ModelError
from streetclip.models.loading import load_encoder

from .conftest import IMAGE_SIZE, TEXT_LENGTH

WIDTHS = {"vision": 48, "text": 32}  # unequal, so that a swapped tower fails
TEXTS = ["A Street View photo in France.", "Zürich", "", "long " * 40]


@pytest.fixture(scope="module")
def open_clip_model():
    """Only `open_clip.model`, without its towers of timm and torchvision."""
    try:
        installed = importlib.metadata.distribution("open_clip_torch")
    except importlib.metadata.PackageNotFoundError:
        reason = (
            "open_clip_torch is not installed; install it without what it depends on: "
            "pip install --no-deps -r requirements-compare.txt"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    stubs = {
        "hf_model": {"HFTextEncoder": None},
        "modified_resnet": {"ModifiedResNet": None},
        "timm_model": {"TimmModel": None},
        "utils": {"to_2tuple": lambda x: (x, x), "feature_take_indices": None},
    }
    package = types.ModuleType("open_clip_parts")
    package.__path__ = [str(installed.locate_file("open_clip"))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "open_clip_parts", package)
        for name, content in stubs.items():
            stub = types.ModuleType(f"open_clip_parts.{name}")
            vars(stub).update(content)
            patch.setitem(sys.modules, stub.__name__, stub)
        return importlib.import_module("open_clip_parts.model")


def model_config(vocab_size, *, quick_gelu):
    vision = {"layers": 3, "width": WIDTHS["vision"], "head_width": 8, "patch_size": 8}
    text = {"layers": 2, "width": WIDTHS["text"], "heads": 4, "context_length": TEXT_LENGTH}
    return {
        "embed_dim": 16,
        "quick_gelu": quick_gelu,
        "vision_cfg": vision | {"image_size": IMAGE_SIZE, "mlp_ratio": 2.0},
        "text_cfg": text | {"vocab_size": vocab_size},
    }


@pytest.fixture(params=[True, False], ids=["quick_gelu", "gelu"])
def theirs(request, open_clip_model, clip_parts):
    """A random model of open_clip, and its configuration."""
    config = model_config(len(clip_parts.tokenizer()), quick_gelu=request.param)
    torch.manual_seed(4)
    model = open_clip_model.CLIP(**config).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # biases are 0 at first, and would not be missed
            parameter.add_(0.1 * torch.randn_like(parameter))
    return types.SimpleNamespace(model=model, config=config)


@pytest.fixture
def folder(theirs, clip_folder, tmp_path):
    """What open_clip's push_to_hf_hub writes."""
    folder = tmp_path / "hub"
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(clip_folder / name, folder)
    mean, std = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
    options = {"size": IMAGE_SIZE, "mean": mean, "std": std, "interpolation": "bicubic"}
    record = {"model_cfg": theirs.config, "preprocess_cfg": options | {"resize_mode": "shortest"}}
    (folder / "open_clip_config.json").write_text(json.dumps(record))
    torch.save(theirs.model.state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


@pytest.fixture
def base(folder):
    """A transformers folder of the same shape with other weights."""
    from transformers import CLIPModel

    encoder = load_encoder(folder, device="cpu", precision="fp32")
    path = folder.parent / "base"
    encoder.tokenizer.save_pretrained(path)
    encoder.image_processor.save_pretrained(path)
    CLIPModel(encoder.model.config).save_pretrained(path)
    return path


def assert_same_features(encoder, model, photos):
    pixels = np.stack([encoder.preprocess(photo) for photo in photos])
    pixels_BCHW = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(v)[:, None, None] for v in ([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]))
    options = {"padding": "max_length", "truncation": True, "max_length": TEXT_LENGTH}
    ids = encoder.tokenizer(TEXTS, return_tensors="pt", **options)["input_ids"]
    with torch.no_grad():
        images = model.encode_image((pixels_BCHW / 255 - mean) / std, normalize=True)
        texts = model.encode_text(ids, normalize=True)
    torch.testing.assert_close(encoder.encode_images(pixels_BCHW), images, rtol=0, atol=1e-5)
    torch.testing.assert_close(encoder.encode_texts(TEXTS), texts, rtol=0, atol=1e-5)
    assert encoder.logit_scale == pytest.approx(float(model.logit_scale.detach().exp()))


def test_an_open_clip_folder_has_the_features_of_open_clip(folder, theirs, photos):
    encoder = load_encoder(folder, device="cpu", precision="fp32")
    assert_same_features(encoder, theirs.model, photos)


@pytest.mark.parametrize("kind", ["bare", "training", "custom text", "openai", "safetensors"])
def test_an_open_clip_state_has_the_features_of_open_clip(kind, base, theirs, photos, tmp_path):
    state, path = theirs.model.state_dict(), tmp_path / "open_clip.pt"
    content: dict = state
    if kind == "training":  # as open_clip's training writes it, from several GPUs
        named = {f"module.{name}": value for name, value in state.items()}
        content = {"epoch": 3, "name": "x", "state_dict": named, "optimizer": {"lr": 0.1}}
    elif kind == "custom text":
        content = {
            name if name.startswith(("visual.", "logit_")) else f"text.{name}": value
            for name, value in state.items()
        }
    elif kind == "openai":  # as from torch.jit.load("ViT-B-32.pt").state_dict()
        numbers = ("input_resolution", "context_length", "vocab_size")
        content = state | {name: torch.tensor(1) for name in numbers}
    torch.save(content, path)
    if kind == "safetensors":
        from safetensors.torch import save_file

        path = tmp_path / "open_clip_model.safetensors"
        save_file({name: value.contiguous() for name, value in state.items()}, path)
    encoder = load_encoder(path, base_model=base, device="cpu", precision="fp32")
    assert_same_features(encoder, theirs.model, photos)


def test_that_bare_weights_do_not_tell_their_activation_is_told(base, theirs, tmp_path, caplog):
    """OpenAI's ViT-B/32 and LAION's have the same shapes, and other activations."""
    path = tmp_path / "open_clip.pt"
    torch.save(theirs.model.state_dict(), path)
    load_encoder(path, base_model=base, device="cpu", precision="fp32")
    activation = "quick_gelu" if theirs.config["quick_gelu"] else "gelu"
    assert f"{base} has {activation}. Weights that OpenAI trained need quick_gelu" in caplog.text
    with pytest.raises(ModelError, match=r"holds weights of open_clip only; .* --model_name"):
        load_encoder(path)


def test_a_timm_tower_is_named_for_what_it_is(clip_folder, tmp_path):
    state = {"visual.trunk.blocks.0.attn.qkv.weight": torch.ones(2), "logit_scale": torch.ones(())}
    torch.save(state, tmp_path / "siglip.bin")
    with pytest.raises(ModelError, match=r"siglip\.bin: is an open_clip checkpoint .* timm's"):
        load_encoder(tmp_path / "siglip.bin", base_model=clip_folder)


def test_a_weight_that_clip_has_no_place_for_is_named(clip_folder, tmp_path):
    state = {"visual.conv1.weight": torch.ones(2), "visual.ls_1.gamma": torch.ones(2)}
    torch.save(state, tmp_path / "other.bin")
    with pytest.raises(ModelError, match=r"other\.bin: .*'visual\.ls_1\.gamma'.*no place"):
        load_encoder(tmp_path / "other.bin", base_model=clip_folder)


@pytest.mark.parametrize(
    ("part", "option", "found"),
    [
        ("vision_cfg", {"timm_model_name": "vit_base_patch16_siglip_224"}, "'timm_model_name'"),
        ("text_cfg", {"hf_model_name": "xlm-roberta-base"}, "'hf_model_name'"),
        ("vision_cfg", {"layers": [3, 4, 6, 3]}, "a ResNet as image tower"),
    ],
)
def test_an_open_clip_folder_of_another_architecture_is_named(part, option, found, folder):
    path = folder / "open_clip_config.json"
    record = json.loads(path.read_text())
    record["model_cfg"][part] |= option
    path.write_text(json.dumps(record))
    with pytest.raises(ModelError, match=f"open_clip folder whose open_clip_config.json.*{found}"):
        load_encoder(folder)


def test_an_open_clip_folder_without_weights_says_so(folder):
    (folder / "open_clip_pytorch_model.bin").unlink()
    with pytest.raises(ModelError, match=r"has no open_clip_model\.safetensors or open_clip_py"):
        load_encoder(folder)


def test_an_open_clip_folder_with_a_damaged_configuration_says_so(folder):
    (folder / "open_clip_config.json").write_text('{"model_cfg": {}}')
    with pytest.raises(ModelError, match=r"its open_clip_config\.json cannot be read"):
        load_encoder(folder)


def test_transformers_configuration_beside_open_clips_is_used(folder, base, clip_folder):
    for path in base.iterdir():
        shutil.copy(path, folder)
    assert load_encoder(folder).sha256 == load_encoder(base).sha256
