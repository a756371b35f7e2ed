"""A model's identity changes with each value of its folder that decides features."""

import json
import shutil

import pytest
import torch

from streetclip.models.identity import identify
from streetclip.models.loading import load_encoder
from tests.checkpoint_files import save_checkpoint

CHANGES = [
    # file, path of the value in it, new value, the part of the identity that must change
    ("config.json", "vision_config.hidden_act", "gelu", "model_config"),
    ("config.json", "vision_config.num_attention_heads", 2, "model_config"),
    ("config.json", "vision_config.layer_norm_eps", 0.1, "model_config"),
    ("config.json", "text_config.hidden_act", "gelu", "model_config"),
    ("config.json", "text_config.num_attention_heads", 2, "model_config"),
    ("config.json", "text_config.layer_norm_eps", 0.1, "model_config"),
    ("config.json", "text_config.eos_token_id", 7, "model_config"),
    ("preprocessor_config.json", "image_mean", [0.1, 0.5, 0.5], "image_processing"),
    ("preprocessor_config.json", "image_std", [0.1, 0.5, 0.5], "image_processing"),
    ("preprocessor_config.json", "rescale_factor", 0.01, "image_processing"),
    ("preprocessor_config.json", "do_rescale", False, "image_processing"),
    ("preprocessor_config.json", "do_normalize", False, "image_processing"),
    ("preprocessor_config.json", "do_resize", False, "image_processing"),
    ("preprocessor_config.json", "do_convert_rgb", False, "image_processing"),
    ("preprocessor_config.json", "resample", 0, "image_processing"),
    ("preprocessor_config.json", "size", {"shortest_edge": 40}, "image_processing"),
    ("tokenizer.json", "model.merges", [], "tokenizer"),
    ("tokenizer_config.json", "model_max_length", 9, "tokenizer"),
    ("tokenizer_config.json", "pad_token", "a", "tokenizer"),
    ("tokenizer_config.json", "unk_token", "a", "tokenizer"),
    ("tokenizer_config.json", "padding_side", "left", "tokenizer"),
]


# CLIP's own tokenizer class makes these steps itself, whatever its file holds; others read them.
STEPS = [
    ("normalizer", None),
    ("pre_tokenizer.pretokenizers", []),
    ("post_processor", None),
    ("model.end_of_word_suffix", ""),
    ("model.unk_token", None),
]


@pytest.fixture
def folder(clip_folder, tmp_path):
    shutil.copytree(clip_folder, tmp_path / "model")
    return tmp_path / "model"


def load(folder):
    return load_encoder(folder, device="cpu", precision="fp32")


def rewrite(folder, name, path, value):
    values = json.loads((folder / name).read_text(encoding="utf-8"))
    *parents, last = path.split(".")
    inner = values
    for key in parents:
        inner = inner[key]
    inner[last] = value
    (folder / name).write_text(json.dumps(values), encoding="utf-8")


@pytest.mark.parametrize(("name", "path", "value", "part"), CHANGES)
def test_each_value_that_decides_features_is_part_of_the_identity(
    encoder, folder, name, path, value, part
):
    rewrite(folder, name, path, value)
    before, after = identify(encoder).to_dict(), identify(load(folder)).to_dict()
    assert {key for key in before if before[key] != after[key]} == {part}


@pytest.mark.parametrize(("path", "value"), STEPS)
def test_each_step_of_a_tokenizer_is_part_of_the_identity(folder, path, value):
    rewrite(folder, "tokenizer_config.json", "tokenizer_class", "PreTrainedTokenizerFast")
    before = identify(load(folder)).to_dict()
    rewrite(folder, "tokenizer.json", path, value)
    after = identify(load(folder)).to_dict()
    assert {key for key in before if before[key] != after[key]} == {"tokenizer"}


@pytest.mark.parametrize("change", [{"padding": "max_length"}, {"max_length": 5}])
def test_how_texts_are_padded_and_cut_is_part_of_the_identity(encoder, monkeypatch, change):
    before = identify(encoder)
    monkeypatch.setattr(encoder.text_reader, "options", encoder.text_reader.options | change)
    assert identify(encoder).tokenizer != before.tokenizer


def test_two_tokens_that_change_places_change_the_identity(encoder, folder):
    path = folder / "tokenizer.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    vocab = values["model"]["vocab"]
    vocab["a"], vocab["b"] = vocab["b"], vocab["a"]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert identify(load(folder)).tokenizer != identify(encoder).tokenizer


def test_bare_weights_are_told_apart_by_the_model_that_they_are_read_with(folder, tmp_path):
    """OpenAI's B/32 has quick_gelu, LAION's of the same shapes gelu."""
    weights, other = tmp_path / "weights.pt", tmp_path / "other"
    torch.save(load(folder).model.state_dict(), weights)
    shutil.copytree(folder, other)
    rewrite(other, "config.json", "vision_config.hidden_act", "gelu")
    found = [
        identify(load_encoder(weights, base_model=base, device="cpu", precision="fp32"))
        for base in (folder, other)
    ]
    assert found[0].weights == found[1].weights
    assert found[0].of_images() != found[1].of_images()


def test_weights_that_learned_change_the_identity_of_images_and_all(folder):
    changed = load(folder)
    before = identify(changed)
    with torch.no_grad():
        changed.model.logit_scale += 0.5
    after = identify(changed)
    assert after.weights != before.weights
    assert after.of_images() != before.of_images()


def test_image_features_do_not_depend_on_the_tokenizer(encoder, folder):
    rewrite(folder, "tokenizer_config.json", "model_max_length", 9)
    assert identify(load(folder)).of_images() == identify(encoder).of_images()


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("config.json", "transformers_version", "4.0.0"),
        ("config.json", "_name_or_path", "/elsewhere"),
        ("config.json", "architectures", ["Another"]),
        ("config.json", "dtype", "float16"),
        ("preprocessor_config.json", "processor_class", "CLIPProcessor"),
        ("tokenizer_config.json", "name_or_path", "/elsewhere"),
    ],
)
def test_what_decides_no_feature_is_no_part_of_the_identity(encoder, folder, name, path, value):
    rewrite(folder, name, path, value)
    assert identify(load(folder)) == identify(encoder)


def test_a_model_is_the_same_in_a_folder_and_in_a_checkpoint(encoder, folder, tmp_path):
    encoder.encode_texts(["one", "two words"])  # the tokenizer's backend remembers the padding
    save_checkpoint(encoder, tmp_path / "model.pt", prompts=None, training={})
    assert identify(load(tmp_path / "model.pt")) == identify(load(folder)) == identify(encoder)


def test_models_of_all_kinds_have_an_identity(siglip_folder, folder):
    assert identify(load(siglip_folder)) == identify(load(siglip_folder))
    assert identify(load(siglip_folder)) != identify(load(folder))
