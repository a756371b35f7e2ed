"""A tiny random CLIP with its tokenizer and image processor, as a Hugging Face folder."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest
import torch

IMAGE_SIZE = 32
TEXT_LENGTH = 24
CORPUS = ["A Street View photo in France.", "A Street View photo from Tbilisi, Georgia.", "Zürich"]


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory) -> Path:
    """A CLIP of 2 + 2 layers whose tokenizer's end token has the highest id, as the real one."""
    from transformers import CLIPImageProcessorPil

    folder = tmp_path_factory.mktemp("models") / "clip"
    tokenizer = build_clip_tokenizer()
    model = build_clip_model(tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    size = {"shortest_edge": IMAGE_SIZE}
    CLIPImageProcessorPil(size=size, crop_size=IMAGE_SIZE).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def encoder(clip_folder):
    """The tiny CLIP in float32 on the CPU; tests must not change it."""
    from streetclip.models.loading import load_encoder

    return load_encoder(clip_folder, device="cpu", precision="fp32")


@pytest.fixture
def clip_parts() -> SimpleNamespace:
    """The makers of the tiny CLIP's parts, for tests that vary them."""
    return SimpleNamespace(tokenizer=build_clip_tokenizer, model=build_clip_model)


@pytest.fixture
def photos() -> list[PIL.Image.Image]:
    """Unequal sizes: landscape, portrait, panorama, square, thin, a single pixel."""
    random = np.random.default_rng(7)
    sizes = [(61, 40), (33, 90), (400, 100), (32, 32), (3, 70), (1, 1), (640, 481)]
    return [
        PIL.Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
        for width, height in sizes
    ]


def build_clip_tokenizer():
    """Byte-level BPE over a few captions, with CLIP's special tokens at the end."""
    from tokenizers import Tokenizer, models, trainers
    from transformers import CLIPTokenizer

    bare = CLIPTokenizer(vocab={"<|startoftext|>": 0, "<|endoftext|>": 1}, merges=[])
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    trained.normalizer = bare.backend_tokenizer.normalizer
    trained.pre_tokenizer = bare.backend_tokenizer.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=400, end_of_word_suffix="</w>", show_progress=False, initial_alphabet=_bytes()
    )
    trained.train_from_iterator(CORPUS, trainer)
    learned = json.loads(trained.to_str())["model"]
    vocab = {token: index for index, token in enumerate(learned["vocab"])}
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocab[special] = len(vocab)
    merges = [tuple(pair) for pair in learned["merges"]]
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=TEXT_LENGTH)


def build_clip_model(tokenizer, *, seed: int = 0, eos_token_id: int | None = None):
    """A random CLIP that fits the tokenizer."""
    from transformers import CLIPConfig, CLIPModel

    layers = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    text = {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": TEXT_LENGTH,
        "num_hidden_layers": 2,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id if eos_token_id is None else eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {"image_size": IMAGE_SIZE, "patch_size": 8, "num_hidden_layers": 2}
    torch.manual_seed(seed)
    config = CLIPConfig(text_config=layers | text, vision_config=layers | vision, projection_dim=16)
    return CLIPModel(config).eval()


def _bytes() -> list[str]:
    from tokenizers import pre_tokenizers

    return pre_tokenizers.ByteLevel.alphabet()


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory) -> Path:
    """A SigLIP (and fixed-size SigLIP 2): no crop, a logit bias, texts padded to full length."""
    from transformers import SiglipConfig, SiglipImageProcessorPil, SiglipModel

    folder = tmp_path_factory.mktemp("models") / "siglip"
    tokenizer = build_siglip_tokenizer()
    torch.manual_seed(1)
    vision = LAYERS | {"image_size": IMAGE_SIZE, "patch_size": 8}
    model = SiglipModel(SiglipConfig(text_config=siglip_text(tokenizer), vision_config=vision))
    _set_scale_and_bias(model)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    size = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    SiglipImageProcessorPil(size=size).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def naflex_folder(tmp_path_factory) -> Path:
    """A SigLIP 2 of the NaFlex kind: at most 20 patches of 4 pixels, any shape."""
    from transformers import Siglip2Config, Siglip2ImageProcessorPil, Siglip2Model

    folder = tmp_path_factory.mktemp("models") / "naflex"
    tokenizer = build_siglip_tokenizer()
    torch.manual_seed(2)
    vision = LAYERS | {"num_patches": 16, "patch_size": 4}
    model = Siglip2Model(Siglip2Config(text_config=siglip_text(tokenizer), vision_config=vision))
    _set_scale_and_bias(model)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    Siglip2ImageProcessorPil(patch_size=4, max_num_patches=20).save_pretrained(folder)
    return folder


LAYERS = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
}


def siglip_text(tokenizer) -> dict:
    return LAYERS | {"vocab_size": len(tokenizer), "max_position_embeddings": 64}


def build_siglip_tokenizer():
    """One token a character."""
    from transformers import Siglip2Tokenizer

    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *"▁abcdefghijklmnopqrstuvwxyz.,"]
    vocab = {token: index for index, token in enumerate(tokens)}
    return Siglip2Tokenizer(vocab=vocab, merges=[], model_max_length=64)


def _set_scale_and_bias(model) -> None:
    with torch.no_grad():
        model.logit_scale.fill_(2.0)
        model.logit_bias.fill_(-3.0)
