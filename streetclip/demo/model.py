"""Make the small model: a CLIP with random weights, and its tokenizer."""

import itertools
from collections import Counter
from pathlib import Path

import torch
from tokenizers import normalizers, pre_tokenizers
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from streetclip.demo.cues import drawn_countries
from streetclip.gazetteer import countries
from streetclip.models.transformers_logging import quiet_transformers

IMAGE_SIZE_PX = 64
PATCH_SIZE_PX = 16
_VISION_WIDTH = 128
_TEXT_WIDTH = 64
_JOINT_WIDTH = 128
_POSITION_GAIN = 10.0
_MEAN = [0.5, 0.5, 0.5]
_START, _END = "<|startoftext|>", "<|endoftext|>"
_WORD_END = "</w>"
_MODEL_CARD = """---
library_name: transformers
pipeline_tag: zero-shot-image-classification
---

# A small CLIP with random weights

Made for the drawn world of the parent folder; untrained. It knows nothing about photographs.
"""


def build_model(folder: Path, seed: int) -> None:
    """Write the untrained model as a Hugging Face folder."""
    tokenizer = make_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CLIPModel(make_config(tokenizer))
    # Streets look alike: the position of a patch is as informative as its content.
    # At CLIP's own scale the positions drown at first, and training takes half as long again.
    with torch.no_grad():
        model.vision_model.embeddings.position_embedding.weight.mul_(_POSITION_GAIN)
    with quiet_transformers():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # The whole picture squeezed into a square: no cue is cropped away.
    size = {"height": IMAGE_SIZE_PX, "width": IMAGE_SIZE_PX}
    processor = CLIPImageProcessorPil(
        size=size, crop_size=size, do_center_crop=False, image_mean=_MEAN, image_std=_MEAN
    )
    processor.save_pretrained(folder)
    (folder / "README.md").write_text(_MODEL_CARD, encoding="utf-8")


def make_config(tokenizer: CLIPTokenizer) -> CLIPConfig:
    """Set the sizes of the two towers."""
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": _TEXT_WIDTH,
        "intermediate_size": _TEXT_WIDTH * 2,
        "num_hidden_layers": 1,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "image_size": IMAGE_SIZE_PX,
        "patch_size": PATCH_SIZE_PX,
        "hidden_size": _VISION_WIDTH,
        "intermediate_size": _VISION_WIDTH * 2,
        "num_hidden_layers": 2,
    }
    both = {"num_attention_heads": 4, "projection_dim": _JOINT_WIDTH}
    return CLIPConfig(
        text_config=text | both, vision_config=vision | both, projection_dim=_JOINT_WIDTH
    )


def make_tokenizer() -> CLIPTokenizer:
    """Train a byte-level BPE on the names of the drawn world, in CLIP's own form.

    Every byte alone and as the end of a word, the merges, then the two special tokens.
    """
    merges = _learn_merges(_words())
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*alphabet, *(letter + _WORD_END for letter in alphabet)]
    pieces += dict.fromkeys(first + second for first, second in merges)
    vocabulary = {piece: place for place, piece in enumerate([*pieces, _START, _END])}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def _words() -> Counter[str]:
    """Count the words of all captions and prompts, in the letters of byte-level BPE."""
    lines = ["A Street View photo close to the town of in the region of from the."] * 3
    for country in drawn_countries():
        lines.append(countries()[country.code].name)
        for city in country.cities:
            lines += [city.name, city.region]
    normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    splitter = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return Counter(
        word
        for line in lines
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(line))
    )


def _learn_merges(words: Counter[str]) -> list[tuple[str, str]]:
    """Merge the most frequent pair of neighbours until each word is one piece.

    Byte-pair encoding, Sennrich et al. 2016 (arXiv 1508.07909), algorithm 1; unlike the tokenizers
    package, it breaks ties by the alphabet, so that the same world has the same model everywhere.
    """
    spelt = {word: [*word[:-1], word[-1] + _WORD_END] for word in words}
    merges = []
    while pairs := _count_pairs(spelt, words):
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        for pieces in spelt.values():  # join it wherever it occurs, from the left
            place = 0
            while place < len(pieces) - 1:
                if (pieces[place], pieces[place + 1]) == best:
                    pieces[place : place + 2] = ["".join(best)]
                place += 1
    return merges


def _count_pairs(spelt: dict[str, list[str]], words: Counter[str]) -> Counter[tuple[str, str]]:
    pairs: Counter[tuple[str, str]] = Counter()
    for word, pieces in spelt.items():
        for pair in itertools.pairwise(pieces):
            pairs[pair] += words[word]
    return pairs
