import json

import pytest

from streetclip.captions.prompts import (
    FULL_PROMPTS,
    PAPER_PROMPTS,
    PromptSet,
    city_prompts,
    country_prompts,
    load_prompts,
    prompts_of_templates,
)
from streetclip.captions.templates import DROPOUT, FULL, PAPER, CaptionTemplate
from streetclip.errors import TemplateError
from tests.captions.captioning import make_caption


def test_the_papers_prompts_are_those_of_the_paper():
    assert country_prompts(PAPER_PROMPTS, "Netherlands") == ["A Street View photo in Netherlands."]
    assert city_prompts(PAPER_PROMPTS, "Utrecht", "U", "Netherlands") == [
        "A Street View photo from Utrecht."
    ]


def test_full_prompts_are_the_full_captions():
    place = {"city": "Reno", "region": "Nevada", "country": "United States"}
    for region in ("Nevada", None):
        fields = {**place, "region": region or ""}
        caption, _ = make_caption([FULL], fields, seed=1, image_filename="a")
        assert city_prompts(FULL_PROMPTS, "Reno", region, "United States") == [caption]
    caption, _ = make_caption([FULL], {"country": "Fiji"}, seed=1, image_filename="a")
    assert country_prompts(FULL_PROMPTS, "Fiji") == [caption]


@pytest.mark.parametrize("template", [FULL, DROPOUT])
def test_chances_are_no_part_of_prompts(template):
    prompts = prompts_of_templates([template])
    assert prompts.country == ("A Street View photo in {the_country}.",)
    assert prompts.city == (FULL.pattern,)


def test_a_template_without_a_city_takes_the_papers_city_prompt():
    prompts = prompts_of_templates([PAPER])
    assert prompts.country == PAPER_PROMPTS.country
    assert prompts.city == PAPER_PROMPTS.city


def test_several_templates_give_several_prompts_each_once():
    prompts = prompts_of_templates([DROPOUT, PAPER, FULL])
    assert prompts.country == ("A Street View photo in {the_country}.", PAPER.pattern)
    assert prompts.city == (FULL.pattern,)
    assert len(country_prompts(prompts, "France")) == 2


@pytest.mark.parametrize(
    ("pattern", "country", "city"),
    [
        ("{city}, {country}", None, "{city}, {country}"),
        ("[{city}, ]{country}", "{country}", "[{city}, ]{country}"),
        ("{country} in {continent}", None, None),
        ("{country}[ in {continent}]", "{country}", None),
        ("[{city} of {region} ]{country}", "{country}", "[{city} of {region} ]{country}"),
        ("{city} of {region}", None, None),
        ("[0.2: at night ]{country}", "[at night ]{country}", None),
    ],
)
def test_each_level_takes_the_templates_that_can_name_it(pattern, country, city):
    prompts = prompts_of_templates([CaptionTemplate("t", pattern)])
    assert prompts.country == ((country,) if country else PAPER_PROMPTS.country)
    assert prompts.city == ((city,) if city else PAPER_PROMPTS.city)


def test_prompts_survive_a_checkpoint():
    prompts = prompts_of_templates([FULL, PAPER])
    assert PromptSet.from_dict(json.loads(json.dumps(prompts.to_dict()))) == prompts


def test_prompts_are_read_by_name_and_from_a_file(tmp_path):
    assert load_prompts("paper") is PAPER_PROMPTS
    assert load_prompts("full") is FULL_PROMPTS
    path = tmp_path / "mine.json"
    path.write_text('{"country": "in {country}", "city": ["{city}", "at {city}[, {region}]"]}')
    prompts = load_prompts(str(path))
    assert prompts.name == "mine"
    assert country_prompts(prompts, "Chad") == ["in Chad"]
    assert city_prompts(prompts, "Reno", None, "United States") == ["Reno", "at Reno"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "expected"),
        ('{"country": ["{country}"]}', "city is nothing; expected a list"),
        ('{"country": [], "city": ["{city}"]}', "no pattern for country"),
        ('{"country": [1], "city": ["{city}"]}', r"country is '\[1\]'"),
        ('{"country": ["here"], "city": ["{city}"]}', r"expected \{country\} or"),
        ('{"country": ["{city} {country}"], "city": ["{city}"]}', "the rest only inside"),
        ('{"country": ["{country}"], "city": ["{country}"]}', r"expected \{city\}"),
        ('{"country": ["{country}"], "city": ["{city} {region}"]}', "only inside a segment"),
        ('{"country": ["[0.5: a ]{country}"], "city": ["{city}"]}', "no chance"),
        ('{"country": ["{land}"], "city": ["{city}"]}', "is unknown"),
        ('{"country": ["{country}"], "city": ["{city}"], "x": 1}', "found 'x'"),
    ],
)
def test_a_bad_prompt_file_is_named_with_its_fault(tmp_path, content, complaint):
    path = tmp_path / "p.json"
    path.write_text(content)
    with pytest.raises(TemplateError, match=complaint) as caught:
        load_prompts(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["papre", "", "no/such.json", "a\0b", "x" * 5000])
def test_an_unknown_name_of_prompts_is_an_error(name):
    with pytest.raises(TemplateError, match="no such name or file"):
        load_prompts(name)
