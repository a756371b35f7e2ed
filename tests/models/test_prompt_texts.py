"""Class vectors; prompts that are longer than the model reads, or the same to it."""

import pytest
import torch

from streetclip.captions.prompts import FULL_PROMPTS, PAPER_PROMPTS, PromptSet, city_prompts
from streetclip.errors import TemplateError
from streetclip.models.prompt_texts import (
    CityName,
    check_country_prompts,
    class_features,
    fit_city_prompts,
)
from streetclip.models.text_reader import TextReader


def words(texts, *, truncation=False, max_length=None, **_options):
    """One token a word, in any case, between a start and an end token."""
    rows = [[0, *(sum(word.encode()) * 2 + 2 for word in text.lower().split())] for text in texts]
    return {"input_ids": [[*row[: max_length - 1 if truncation else None], 1] for row in rows]}


def reader(max_tokens):
    return TextReader(words, {"max_length": max_tokens})


LYON = CityName("Lyon", "Auvergne-Rhône-Alpes", "France")
# With 2 special ones, its prompt has 24 tokens, and 16 without the region; Lyon's has 19.
LONG = CityName("Lyon sur Rhône", "a very long region", "France")


def test_prompts_that_fit_are_those_of_the_patterns(caplog):
    texts = fit_city_prompts(reader(24), FULL_PROMPTS, [LYON, LONG])
    assert texts == [city_prompts(FULL_PROMPTS, *each) for each in (LYON, LONG)]
    assert check_country_prompts(reader(8), PAPER_PROMPTS, ["France"]) == [
        ["A Street View photo in France."]
    ]
    assert not caplog.records


def test_a_long_city_prompt_leaves_out_the_region_and_the_others_keep_theirs(caplog):
    texts = fit_city_prompts(reader(19), FULL_PROMPTS, [LYON, LONG])
    assert texts == [
        city_prompts(FULL_PROMPTS, *LYON),
        ["A Street View photo close to the town of Lyon sur Rhône in France."],
    ]
    assert not caplog.records


def test_of_several_patterns_only_the_long_one_is_shortened():
    prompts = PromptSet("x", ("{country}",), ("{city}[ in {region}]", *FULL_PROMPTS.city))
    [[short, long]] = fit_city_prompts(reader(19), prompts, [LONG])
    assert short == "Lyon sur Rhône in a very long region"
    assert long == "A Street View photo close to the town of Lyon sur Rhône in France."


def test_a_city_prompt_that_stays_too_long_is_told_of(caplog):
    fit_city_prompts(reader(12), FULL_PROMPTS, [LONG])
    assert "1 prompts are longer than the 12 tokens" in caplog.text
    assert "'A Street View photo close to the town of Lyon sur Rhône in France.'" in caplog.text


def test_cities_of_one_country_that_cannot_be_told_apart_are_named(caplog):
    cities = [
        CityName("Portland", "Maine", "United States"),
        CityName("Portland", "Oregon", "United States"),
        CityName("Portland", None, "Jamaica"),
    ]
    fit_city_prompts(reader(20), PAPER_PROMPTS, cities)
    [record] = caplog.records
    assert record.message.startswith("1 places cannot be distinguished from another")
    assert "'Portland (Maine)' = 'Portland (Oregon)' in 'United States'" in record.message
    caplog.clear()
    fit_city_prompts(reader(30), FULL_PROMPTS, cities)
    assert not caplog.records


def test_cities_that_are_cut_off_to_the_same_tokens_are_named(caplog):
    names = ["Saint John of the Cross", "Saint John of the Lake"]
    fit_city_prompts(reader(10), PAPER_PROMPTS, [CityName(n, None, "Peru") for n in names])
    assert "'Saint John of the Cross' = 'Saint John of the Lake' in 'Peru'" in caplog.text


def test_countries_that_are_the_same_tokens_are_named(caplog):
    check_country_prompts(reader(20), PAPER_PROMPTS, ["Chad", "CHAD", "Peru"])
    assert "'Chad' = 'CHAD'" in caplog.text
    assert "Peru" not in caplog.text


def test_a_country_that_is_cut_off_is_refused():
    with pytest.raises(TemplateError) as caught:
        check_country_prompts(reader(8), FULL_PROMPTS, ["Peru", "Gambia", "Sierra Leone"])
    assert "2 of 3 country prompts name the country after the 8 tokens" in str(caught.value)
    assert "'A Street View photo in the Gambia.'" in str(caught.value)


def test_a_prompt_that_is_cut_off_after_the_country_is_told_of(caplog):
    prompts = PromptSet("x", ("In {country}: a wide road with a house",), ("{city}",))
    check_country_prompts(reader(6), prompts, ["Peru", "Chad"])
    assert "2 prompts are longer than the 6 tokens" in caplog.text


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
    features = class_features(encoder, [["a", "b"], ["b"], ["a", "b"]])
    assert sorted(seen) == ["a", "b"]
    torch.testing.assert_close(features[0], features[2])


def test_a_class_without_texts_is_refused(encoder):
    with pytest.raises(ValueError, match="class 1 of 2 has no texts"):
        class_features(encoder, [["a"], []])


def test_no_classes_give_no_rows(encoder):
    assert class_features(encoder, []).shape == (0, 16)
