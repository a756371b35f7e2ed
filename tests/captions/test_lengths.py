import pytest

from streetclip.captions.patterns import bare_name, fill_pattern
from streetclip.captions.templates import DROPOUT, FULL, estimate_tokens, shorter_captions
from tests.captions.captioning import make_caption

PLACE = ("Lyon", "Rhône", "Netherlands", "Europe")


def test_the_region_is_left_out_before_the_city_and_the_country_never():
    caption = fill_pattern(FULL.pattern, city="Lyon", region="Rhône", country="Netherlands")
    assert shorter_captions(caption, FULL.pattern, PLACE) == [
        "A Street View photo close to the town of Lyon in the Netherlands.",
        "A Street View photo in the Netherlands.",
    ]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A Street View photo in the Netherlands.", []),
        (
            "A Street View photo close to the town of Lyon in the Netherlands.",
            ["A Street View photo in the Netherlands."],
        ),
        (
            "A Street View photo in the region of Rhône in the Netherlands.",
            ["A Street View photo in the Netherlands."],
        ),
    ],
)
def test_what_chance_left_out_stays_out(caption, expected):
    assert shorter_captions(caption, DROPOUT.pattern, PLACE) == expected


def test_every_drawn_caption_is_recognised():
    fields = dict(zip(("city", "region", "country", "continent"), PLACE, strict=True))
    for seed in range(40):
        caption, _ = make_caption([DROPOUT], fields, seed=seed, image_filename="a")
        is_shortest = caption == "A Street View photo in the Netherlands."
        assert bool(shorter_captions(caption, DROPOUT.pattern, PLACE)) != is_shortest


@pytest.mark.parametrize(
    "pattern",
    [
        "{city}, {region} in {country}",  # no segment to leave out
        "A photo[ near {city}, {region}, {country}].",  # the country would go too
        "A photo[ in {region}].",  # nothing would be named
    ],
)
def test_what_cannot_be_left_out_is_not(pattern):
    fields = dict(zip(("city", "region", "country", "continent"), PLACE, strict=True))
    assert shorter_captions(fill_pattern(pattern, **fields), pattern, PLACE) == []


def test_a_region_outside_of_brackets_stays_while_the_rest_is_left_out():
    pattern = "{region}[ near {city}][ on {continent}], {country}"
    fields = dict(zip(("city", "region", "country", "continent"), PLACE, strict=True))
    assert shorter_captions(fill_pattern(pattern, **fields), pattern, PLACE) == [
        "Rhône near Lyon, Netherlands",
        "Rhône, Netherlands",
    ]


def test_a_caption_of_another_making_has_no_shorter_ones():
    assert shorter_captions("A poem about Lyon.", FULL.pattern, PLACE) == []


def test_many_chances_are_tried_only_at_their_fullest():
    pattern = "[0.5: a][0.5: b][0.5: c][0.5: d][0.5: e][0.5: f]" * 2 + "[ in {region}] {country}"
    full = fill_pattern(pattern, region="Rhône", country="Peru")
    place = ("", "Rhône", "Peru", "")
    assert shorter_captions(full, pattern, place) == [fill_pattern(pattern, country="Peru")]
    assert shorter_captions("Peru", pattern, place) == []


def test_names_are_bare_of_articles():
    names = ["The Gambia", "Bahamas, The", "Netherlands", " United  States "]
    expected = ["Gambia", "Bahamas", "Netherlands", "United States"]
    assert [bare_name(name) for name in names] == expected


def test_the_estimate_is_near_the_tokens_of_clip():
    """CLIP's own tokenizer makes 11 tokens of the first text, special ones included."""
    assert estimate_tokens("A Street View photo close to Paris.") == pytest.approx(11, abs=2)
    assert estimate_tokens("A Street View photo in " + "กรุงเทพมหานคร" * 3) > 77
