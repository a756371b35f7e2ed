"""SigLIP tokenizers that keep capitals lower-case texts, as the models were trained."""

import json
import shutil

import pytest
import torch

from streetclip.models.checkpoints import save_folder
from streetclip.models.loading import load_encoder
from tests.checkpoint_files import save_checkpoint

from .conftest import IMAGE_SIZE, LAYERS

MIXED = ["A Street View photo in FRANCE.", "Zürich, Ägypten"]
LOWER = [text.lower() for text in MIXED]
_SPECIAL = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
_LETTERS = "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZäüÄÜ.,"


def gemma_tokenizer():
    from transformers import GemmaTokenizer

    vocab = {token: index for index, token in enumerate([*_SPECIAL, *_LETTERS])}
    # As google/siglip2-base-patch16-224's tokenizer_config.json has it: SigLIP has no mask.
    options = {"add_bos_token": False, "add_eos_token": True, "padding_side": "right"}
    options |= {"model_input_names": ["input_ids"]}
    return GemmaTokenizer(vocab=vocab, merges=[], model_max_length=64, **options)


def plain_tokenizer():
    """The same as a tokenizer of no special class."""
    from transformers import PreTrainedTokenizerFast

    backend = gemma_tokenizer().backend_tokenizer
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>", model_max_length=64
    )


@pytest.fixture
def siglip2_folder(tmp_path):
    """A folder shaped as the fixed-size SigLIP 2 on the hub."""
    from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel

    folder = tmp_path / "siglip2"
    text = {"vocab_size": 5 + len(_LETTERS), "max_position_embeddings": 64, "projection_size": 32}
    vision = LAYERS | {"image_size": IMAGE_SIZE, "patch_size": 8}
    torch.manual_seed(6)
    SiglipModel(SiglipConfig(text_config=LAYERS | text, vision_config=vision)).save_pretrained(
        folder
    )
    size = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    SiglipImageProcessorPil(size=size).save_pretrained(folder)
    gemma_tokenizer().save_pretrained(folder)
    return folder


def load(source):
    return load_encoder(source, device="cpu", precision="fp32")


@pytest.mark.parametrize("make", [gemma_tokenizer, plain_tokenizer])
def test_texts_for_siglip2_are_lower_cased_and_nothing_else(make, siglip2_folder):
    (siglip2_folder / "tokenizer_config.json").unlink()
    make().save_pretrained(siglip2_folder)
    found = load(siglip2_folder).text_reader.inputs(MIXED)["input_ids"]
    options = {"padding": "max_length", "truncation": True, "max_length": 64}
    expected = make()(LOWER, return_tensors="pt", **options)["input_ids"]
    assert torch.equal(found, expected)
    assert found[0, -1] == 0  # padded on the right
    assert 1 in found[0]  # with an end token


def test_features_of_siglip2_are_those_of_transformers_on_lower_case(siglip2_folder):
    from transformers import SiglipModel

    model = SiglipModel.from_pretrained(siglip2_folder).eval()
    options = {"padding": "max_length", "truncation": True, "max_length": 64}
    inputs = gemma_tokenizer()(LOWER, return_tensors="pt", **options)
    with torch.no_grad():
        features = model.get_text_features(input_ids=inputs["input_ids"]).pooler_output
    expected = torch.nn.functional.normalize(features, dim=-1)
    torch.testing.assert_close(
        load(siglip2_folder).encode_texts(MIXED), expected, rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("kind", ["pt", "folder"])
def test_a_saved_siglip2_lower_cases_too(kind, siglip2_folder, tmp_path):
    encoder = load(siglip2_folder)
    path = tmp_path / f"saved.{kind}"
    if kind == "pt":
        save_checkpoint(encoder, path, prompts=None, training={})
    else:
        save_folder(encoder, path, prompts=None, model_card="")
    loaded = load(path)
    assert torch.equal(loaded.encode_texts(MIXED), encoder.encode_texts(LOWER))
    assert list(loaded.text_reader.inputs(MIXED)) == ["input_ids"]


def test_transformers_itself_lower_cases_for_a_saved_siglip2(siglip2_folder, tmp_path):
    """Else the zero-shot pipeline would not agree with us on the exported folder."""
    from transformers import AutoTokenizer

    save_folder(load(siglip2_folder), tmp_path / "saved", prompts=None, model_card="")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert tokenizer(MIXED)["input_ids"] == gemma_tokenizer()(LOWER)["input_ids"]


def test_a_siglip_that_says_it_keeps_case_keeps_it(siglip2_folder):
    path = siglip2_folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"do_lower_case": False}))
    encoder = load(siglip2_folder)
    assert not torch.equal(encoder.encode_texts(MIXED), encoder.encode_texts(LOWER))


def test_a_clip_with_a_tokenizer_that_keeps_case_keeps_it(clip_folder, clip_parts, tmp_path):
    folder = tmp_path / "clip"
    shutil.copytree(clip_folder, folder)
    path = folder / "tokenizer.json"
    record = json.loads(path.read_text())
    record["normalizer"] = None
    path.write_text(json.dumps(record))
    path = folder / "tokenizer_config.json"
    options = json.loads(path.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    path.write_text(json.dumps(options))
    reader = load(folder).text_reader
    upper, lower = reader.read(["France", "france"])
    assert upper.key != lower.key


def test_a_tokenizer_without_a_step_for_case_is_told_of(siglip2_folder, monkeypatch, caplog):
    from transformers import AutoTokenizer

    class Slow:
        def __init__(self) -> None:
            self.init_kwargs = {}

        def __call__(self, texts, **_options):
            return {"input_ids": [[ord(letter) for letter in text] for text in texts]}

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_args, **_options: Slow())
    from streetclip.models.loading import _read_tokenizer

    config = load_config(siglip2_folder)
    _read_tokenizer(siglip2_folder, config, "x")
    assert "the tokenizer (Slow) keeps capitals" in caplog.text


def load_config(folder):
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder)
