import numpy as np
import pytest
import torch

from streetclip.errors import ModelError
from streetclip.models.loading import load_encoder

TEXTS = [
    "A Street View photo in France.",
    "Zürich",
    "",
    "a photo of a very " + "long " * 40 + "road",
]


def _pixels(encoder, photos):
    pixels = np.stack([encoder.preprocess(photo) for photo in photos])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def _unit(features):
    return features / features.norm(dim=-1, keepdim=True)


def test_clip_features_equal_those_of_transformers(clip_folder, encoder, photos):
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    model = CLIPModel.from_pretrained(clip_folder).eval()
    processor = CLIPImageProcessorPil.from_pretrained(clip_folder)
    tokenizer = CLIPTokenizer.from_pretrained(clip_folder)
    with torch.no_grad():
        images = model.get_image_features(**processor(images=photos, return_tensors="pt"))
        inputs = tokenizer(TEXTS, padding=True, truncation=True, max_length=24, return_tensors="pt")
        texts = model.get_text_features(**inputs)
    ours = encoder.encode_images(_pixels(encoder, photos))
    assert ours.shape == (7, 16)
    torch.testing.assert_close(ours, _unit(images.pooler_output), rtol=0, atol=1e-5)
    torch.testing.assert_close(
        encoder.encode_texts(TEXTS), _unit(texts.pooler_output), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("kind", ["siglip_folder", "naflex_folder"])
def test_siglip_logits_equal_those_of_transformers(kind, photos, request):
    from transformers import AutoModel, AutoProcessor

    folder = request.getfixturevalue(kind)
    encoder = load_encoder(folder, device="cpu", precision="fp32")
    model = AutoModel.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder, backend="pil")
    texts = ["a photo in france.", "zurich"]
    options = {"padding": "max_length", "max_length": 64, "truncation": True}
    inputs = processor.tokenizer(texts, return_tensors="pt", **options)
    inputs |= processor.image_processor(images=photos, return_tensors="pt")
    with torch.no_grad():
        expected = model(**inputs).logits_per_image
    images = encoder.encode_images(_pixels(encoder, photos))
    ours = encoder.logit_scale * images @ encoder.encode_texts(texts).T + encoder.logit_bias
    assert encoder.logit_bias == -3.0
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-4)


def test_clip_has_no_logit_bias_and_the_scale_of_its_parameter(encoder):
    assert encoder.logit_bias is None
    assert encoder.logit_scale == pytest.approx(np.exp(2.6592), rel=1e-6)


def test_texts_come_back_in_their_order_whatever_the_batches(encoder, monkeypatch):
    texts = ["bbb", "a", "cccccccccc", "a", "dd"]
    one_by_one = torch.cat([encoder.encode_texts([text]) for text in texts])
    monkeypatch.setattr("streetclip.models.encoder._TEXTS_AT_ONCE", 2)
    torch.testing.assert_close(encoder.encode_texts(texts), one_by_one)


def test_no_texts_give_no_rows(encoder):
    assert encoder.encode_texts([]).shape == (0, encoder.embedding_dim) == (0, 16)


def test_training_features_carry_gradients_and_encoding_does_not(clip_folder, photos):
    encoder = load_encoder(clip_folder, device="cpu", precision="fp32")
    pixels = _pixels(encoder, photos[:2])
    (encoder.image_features(pixels) @ encoder.text_features(TEXTS).T).sum().backward()
    for name in ("visual_projection.weight", "text_projection.weight"):
        assert encoder.model.get_parameter(name).grad.abs().sum() > 0
    assert not encoder.encode_images(pixels).requires_grad


def test_encoding_is_in_evaluation_mode_and_leaves_the_mode_as_it_was(clip_folder, photos):
    encoder = load_encoder(clip_folder, device="cpu", precision="fp32")
    encoder.model.vision_model.pre_layrnorm = torch.nn.Sequential(
        encoder.model.vision_model.pre_layrnorm, torch.nn.Dropout(0.5)
    )
    pixels = _pixels(encoder, photos)
    encoder.model.train()
    first, second = encoder.encode_images(pixels), encoder.encode_images(pixels)
    assert torch.equal(first, second)
    assert encoder.model.training
    assert not torch.equal(encoder.image_features(pixels), encoder.image_features(pixels))


def test_float_pixels_are_refused(encoder):
    with pytest.raises(TypeError, match="expected uint8"):
        encoder.encode_images(torch.zeros(1, 3, 32, 32))


def test_bfloat16_features_are_float32_unit_vectors_near_the_exact_ones(clip_folder, photos):
    exact = load_encoder(clip_folder, device="cpu", precision="fp32")
    mixed = load_encoder(clip_folder, device="cpu", precision="bf16")
    ours = mixed.encode_images(_pixels(mixed, photos))
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours.norm(dim=-1), torch.ones(7))
    cosine = (ours * exact.encode_images(_pixels(exact, photos))).sum(dim=-1)
    assert cosine.min() > 0.999
    assert not torch.equal(ours, exact.encode_images(_pixels(exact, photos)))


def test_the_hash_follows_the_weights(clip_folder):
    encoder = load_encoder(clip_folder, device="cpu", precision="fp32")
    before = encoder.sha256
    with torch.no_grad():
        encoder.model.logit_scale.add_(1e-6)
    assert encoder.sha256 != before


@pytest.mark.parametrize("end_id", [2, None])
def test_old_end_token_id_pools_at_the_first_end_token(end_id, clip_parts):
    """`eos_token_id` 2 in old configurations is wrong; the end token has the highest id."""
    tokenizer = clip_parts.tokenizer()
    model = clip_parts.model(tokenizer, eos_token_id=end_id)
    inputs = tokenizer(["Zürich", "A Street View photo in France."], padding=True)
    ids = torch.tensor(inputs["input_ids"])
    with torch.no_grad():
        hidden = model.text_model(input_ids=ids).last_hidden_state
        features = model.get_text_features(input_ids=ids).pooler_output
    first_end = [row.index(tokenizer.eos_token_id) for row in ids.tolist()]
    assert first_end[0] < first_end[1]
    expected = model.text_projection(hidden[[0, 1], first_end])
    torch.testing.assert_close(features, expected)


def test_a_model_of_one_tower_is_refused(tmp_path, clip_folder):
    import shutil

    from transformers import CLIPTextConfig, CLIPTextModel

    folder = tmp_path / "text"
    shutil.copytree(clip_folder, folder)
    (folder / "model.safetensors").unlink()
    config = CLIPTextConfig(
        vocab_size=310, hidden_size=8, num_attention_heads=2, num_hidden_layers=1
    )
    CLIPTextModel(config).save_pretrained(folder)
    with pytest.raises(ModelError, match=r"is a CLIPTextModel.*expected a dual encoder"):
        load_encoder(folder)


@pytest.mark.parametrize("num_images", [1, 7, 8, 9])
def test_on_a_cpu_rows_go_through_the_model_in_eights(clip_folder, photos, num_images):
    encoder = load_encoder(clip_folder, device="cpu", precision="fp32")
    pixels = _pixels(encoder, [*photos, *photos])[:num_images]
    with torch.no_grad():
        expected = encoder.image_features(pixels), encoder.text_features(TEXTS)
    rows = []
    for tower in (encoder.model.vision_model, encoder.model.text_model):
        tower.register_forward_pre_hook(
            lambda _tower, _args, named: rows.append(len(next(iter(named.values())))),
            with_kwargs=True,
        )
    features = encoder.encode_images(pixels), encoder.encode_texts(TEXTS)
    assert rows == [16 if num_images == 9 else 8, 8]
    for ours, theirs in zip(features, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_images_and_texts_that_do_not_fit_are_encoded_in_portions(clip_folder, photos, caplog):
    encoder = load_encoder(clip_folder, device="cpu", precision="fp32")
    pixels = _pixels(encoder, photos * 5)
    expected = encoder.encode_images(pixels), encoder.encode_texts(TEXTS * 9)
    for tower in (encoder.model.vision_model, encoder.model.text_model):
        tower.register_forward_pre_hook(_room_for_eleven, with_kwargs=True)
    assert torch.equal(encoder.encode_images(pixels), expected[0])
    torch.testing.assert_close(encoder.encode_texts(TEXTS * 9), expected[1], rtol=0, atol=1e-6)
    assert "too little memory for 40 images at a time; 20 from here on" in caplog.messages[0]
    assert "Set --batch_size 10" in caplog.messages[1]
    assert "too little memory for 40 texts at a time; 20 from here on." in caplog.messages[2]


def _room_for_eleven(_tower, _arguments, named):
    if len(next(iter(named.values()))) > 11:
        raise torch.OutOfMemoryError
