import pytest
import torch

from streetclip.models.loading import load_encoder

from .conftest import TEXT_LENGTH

LONG = "a photo of a very " + "long " * 40 + "road"


def test_tokens_are_counted_with_special_ones_and_without_a_limit(encoder):
    readings = encoder.text_reader.read(["", "photo", LONG])
    tokenizer = encoder.tokenizer
    expected = [len(tokenizer(text)["input_ids"]) for text in ("", "photo", LONG)]
    assert [each.num_tokens for each in readings] == expected
    assert expected[0] == 2
    assert encoder.text_reader.max_tokens == TEXT_LENGTH < expected[2]


def test_texts_that_are_read_alike_have_one_key(encoder):
    """Case is lost on CLIP's tokenizer, and what comes after the last token that it reads."""
    whole, upper, other, long, longer = encoder.text_reader.read(
        ["in France", "IN  FRANCE", "in Georgia", LONG, LONG + " in France"]
    )
    assert whole.key == upper.key == whole.whole_key == upper.whole_key
    assert whole.key != other.key
    assert long.key == longer.key
    assert len({long.key, long.whole_key, longer.whole_key}) == 3


def test_one_key_is_one_vector_of_features(encoder):
    texts = ["in France", "IN  FRANCE", LONG, LONG + " in France", "in Georgia"]
    features = encoder.encode_texts(texts)
    torch.testing.assert_close(features[0], features[1])
    torch.testing.assert_close(features[2], features[3])
    keys = [each.key for each in encoder.text_reader.read(texts)]
    assert len(set(keys)) == 3


def test_a_text_of_exactly_the_limit_fits(encoder):
    words = ["a"] * (TEXT_LENGTH - 2)
    assert encoder.text_reader.fit([" ".join(words), " ".join([*words, "a"])]) == [True, False]


def test_texts_of_several_batches_keep_their_order(encoder, monkeypatch):
    texts = [f"photo {i}" for i in range(7)]
    expected = encoder.text_reader.read(texts)
    monkeypatch.setattr("streetclip.models.text_reader._BATCH", 3)
    assert encoder.text_reader.read(texts) == expected
    assert encoder.text_reader.read([]) == []


def test_reading_is_quiet(encoder, capfd, caplog):
    encoder.text_reader.read([LONG])
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


@pytest.mark.parametrize("kind", ["siglip_folder", "naflex_folder"])
def test_siglip_reads_64_tokens(kind, request):
    reader = load_encoder(request.getfixturevalue(kind), device="cpu", precision="fp32").text_reader
    assert reader.max_tokens == 64
    short, long = reader.read(["a" * 64, "a" * 65])
    assert (short.num_tokens, long.num_tokens) == (64, 65)
    assert short.key == long.key
