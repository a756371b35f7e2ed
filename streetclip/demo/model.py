"""The small model: a real CLIP with random weights, and a tokenizer that knows the world's words.

Small enough that two cores train it in two minutes; everything else about it is as in the models
of the hub, so that what works with it works with them.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextConfig,
    CLIPTokenizer,
    CLIPVisionConfig,
)

from streetclip.demo.cues import world
from streetclip.gazetteer import countries
from streetclip.models.quiet import quiet_transformers

IMAGE_SIZE_PX = 64
PATCH_SIZE_PX = 16
_VISION_WIDTH = 128
_TEXT_WIDTH = 64
_JOINT_WIDTH = 128
_POSITION_GAIN = 10.0
_MEAN = [0.5, 0.5, 0.5]
_START, _END = "<|startoftext|>", "<|endoftext|>"
_VOCABULARY = 4000
_MODEL_CARD = """---
library_name: transformers
pipeline_tag: zero-shot-image-classification
---

# A small CLIP with random weights

Made for the drawn world beside it; untrained. It knows nothing about photographs.
"""


def build_model(folder: Path, seed: int) -> None:
    """Write the untrained model as a Hugging Face folder.

    Args:
        folder: Where to; made if it is not there.
        seed: Of the random weights.
    """
    tokenizer = make_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CLIPModel(make_config(tokenizer))
    # Streets look alike from picture to picture: where a patch is tells as much as what it shows.
    # At CLIP's own scale the positions drown at first, and training takes half as long again.
    with torch.no_grad():
        model.vision_model.embeddings.position_embedding.weight.mul_(_POSITION_GAIN)
    with quiet_transformers():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    make_image_processor().save_pretrained(folder)
    (folder / "README.md").write_text(_MODEL_CARD, encoding="utf-8")


def make_config(tokenizer: CLIPTokenizer) -> CLIPConfig:
    """Sizes of the two towers."""
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=_TEXT_WIDTH,
        intermediate_size=_TEXT_WIDTH * 2,
        num_hidden_layers=1,
        num_attention_heads=4,
        projection_dim=_JOINT_WIDTH,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vision = CLIPVisionConfig(
        image_size=IMAGE_SIZE_PX,
        patch_size=PATCH_SIZE_PX,
        hidden_size=_VISION_WIDTH,
        intermediate_size=_VISION_WIDTH * 2,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=_JOINT_WIDTH,
    )
    return CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=_JOINT_WIDTH
    )


def make_image_processor() -> CLIPImageProcessorPil:
    """The whole picture squeezed into a square: no cue is cropped away."""
    size = {"height": IMAGE_SIZE_PX, "width": IMAGE_SIZE_PX}
    return CLIPImageProcessorPil(
        size=size, crop_size=size, do_center_crop=False, image_mean=_MEAN, image_std=_MEAN
    )


def make_tokenizer() -> CLIPTokenizer:
    """Train a byte-level BPE on the names of the drawn world, in CLIP's own form.

    As in CLIP's: every byte alone and as the end of a word, then the merges, then the two special
    tokens; any other text is spelt in bytes, none is unknown.
    """
    trained = Tokenizer(BPE(end_of_word_suffix="</w>"))
    trained.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = BpeTrainer(
        vocab_size=_VOCABULARY,
        min_frequency=1,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    trained.train_from_iterator(corpus(), trainer)
    pieces = [*alphabet, *(letter + "</w>" for letter in alphabet)]
    known = set(pieces)
    by_id = sorted(trained.get_vocab().items(), key=lambda item: item[1])
    pieces += [piece for piece, _ in by_id if piece not in known]
    vocabulary = {piece: place for place, piece in enumerate([*pieces, _START, _END])}
    return CLIPTokenizer(vocab=vocabulary, merges=_merges(trained), model_max_length=77)


def corpus() -> list[str]:
    """Texts with the words of all captions and prompts of the drawn world."""
    names = countries()
    lines = ["A Street View photo close to the town of in the region of from the."] * 3
    for country in world():
        lines.append(names[country.code].name)
        for city in country.cities:
            lines += [city.name, city.region]
    return lines


def _merges(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    import json

    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [(first, second) for first, second in merges]
