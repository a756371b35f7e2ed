import pytest
import torch

from streetclip.models import class_features


def test_a_class_is_the_normalised_mean_of_its_normalised_prompts(encoder):
    texts = [["A Street View photo in France."], ["Tbilisi", "Georgia", "Zürich"]]
    features = class_features(encoder, texts)
    three = encoder.encode_texts(texts[1])
    mean = (three[0] + three[1] + three[2]) / 3
    assert features.shape == (2, 16)
    torch.testing.assert_close(features[0], encoder.encode_texts(texts[0])[0])
    torch.testing.assert_close(features[1], mean / mean.norm())


def test_a_text_is_encoded_once_however_many_classes_share_it(encoder, monkeypatch):
    seen = []
    encode = type(encoder).encode_texts
    monkeypatch.setattr(
        type(encoder),
        "encode_texts",
        lambda self, texts, **options: seen.extend(texts) or encode(self, texts, **options),
    )
    features = class_features(encoder, [["a", "b"], ["b"], ["a", "b"]], batch_size=1)
    assert sorted(seen) == ["a", "b"]
    torch.testing.assert_close(features[0], features[2])


def test_a_class_without_texts_is_refused(encoder):
    with pytest.raises(ValueError, match="class 1 of 2 has no texts"):
        class_features(encoder, [["a"], []])


def test_no_classes_give_no_rows(encoder):
    assert class_features(encoder, []).shape == (0, 16)
