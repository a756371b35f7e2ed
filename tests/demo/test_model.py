import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from streetclip.demo.cues import drawn_countries
from streetclip.demo.model import IMAGE_SIZE_PX, _learn_merges, build_model, make_tokenizer
from streetclip.gazetteer import countries

PROMPT = "A Street View photo close to the town of Esch-sur-Alzette in the region of Härnö."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model"
    build_model(path, seed=42)
    return path


def test_the_tokenizer_gives_any_text_back():
    tokenizer = make_tokenizer()
    for text in (PROMPT, "東京, Ελλάδα & 42!"):
        ids = tokenizer(text)["input_ids"]
        assert (ids[0], ids[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
        # Nothing is unknown: the end token, which replaces what is unknown, is only at the end.
        assert tokenizer.eos_token_id not in ids[:-1]
        decoded = tokenizer.decode(ids, skip_special_tokens=True)
        assert decoded.replace(" ", "") == text.lower().replace(" ", "")


def test_every_place_of_the_world_is_a_token_a_word():
    tokenizer = make_tokenizer()
    for country in drawn_countries():
        name = countries()[country.code].name
        assert len(tokenizer(name)["input_ids"]) == len(name.split()) + 2


def test_the_folder_loads_with_the_auto_classes(folder):
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer(PROMPT)["input_ids"] == make_tokenizer()(PROMPT)["input_ids"]
    image = Image.effect_noise((320, 240), 60).convert("RGB")
    pixels = AutoImageProcessor.from_pretrained(folder)(image, return_tensors="pt")
    assert pixels["pixel_values"].shape == (1, 3, IMAGE_SIZE_PX, IMAGE_SIZE_PX)
    text = tokenizer([PROMPT, "Norway"], padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = model(**text, **pixels).logits_per_image
    assert logits.shape == (1, 2)
    assert torch.isfinite(logits).all()


def test_nothing_is_cropped_away(folder):
    from transformers import AutoImageProcessor

    image = Image.new("RGB", (320, 240), (255, 255, 255))
    image.paste((255, 0, 0), (0, 0, 20, 240))
    processor = AutoImageProcessor.from_pretrained(folder)
    pixels = processor(image, return_tensors="np")["pixel_values"][0]
    np.testing.assert_allclose(pixels[:, 30, 1], [1.0, -1.0, -1.0], atol=0.05)


def test_padding_does_not_change_a_text(folder):
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = (
        AutoModel.from_pretrained(folder).eval(),
        AutoTokenizer.from_pretrained(folder),
    )
    alone = tokenizer(["Norway"], return_tensors="pt")
    padded = tokenizer(["Norway", PROMPT], padding=True, return_tensors="pt")
    with torch.no_grad():
        first = model.get_text_features(**alone).pooler_output[0]
        second = model.get_text_features(**padded).pooler_output[0]
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-5)


def test_the_weights_depend_on_the_seed_alone(tmp_path, folder):
    torch.manual_seed(0)
    before = torch.random.get_rng_state()
    build_model(tmp_path / "again", seed=42)
    build_model(tmp_path / "other", seed=43)
    assert torch.equal(torch.random.get_rng_state(), before)
    name = "model.safetensors"
    assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    assert (tmp_path / "other" / name).read_bytes() != (folder / name).read_bytes()


def test_the_zero_shot_pipeline_takes_the_folder(folder):
    from transformers import pipeline

    classify = pipeline("zero-shot-image-classification", model=str(folder))
    image = Image.new("RGB", (320, 240), (90, 140, 60))
    found = classify(image, candidate_labels=["Norway", "Peru", "Kenya"])
    assert {each["label"] for each in found} == {"Norway", "Peru", "Kenya"}
    assert sum(each["score"] for each in found) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.slow
def test_the_tokenizer_is_the_same_in_every_process():
    code = "import streetclip.demo.model as m; print(m.make_tokenizer().backend_tokenizer.to_str())"
    other = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
        check=True,
    )
    assert other.stdout.decode().strip() == make_tokenizer().backend_tokenizer.to_str()


def test_merges_follow_counts_and_then_the_alphabet():
    # By hand: (l, o) occurs five times, (lo, w) three; then (e, r) and (lo, e) tie at two.
    merges = _learn_merges(Counter({"low": 3, "loer": 2}))
    assert merges == [("l", "o"), ("lo", "w</w>"), ("e", "r</w>"), ("lo", "er</w>")]
