import itertools

import pytest

from streetclip.captions.patterns import PLACE_FIELDS
from streetclip.captions.templates import (
    BUILTIN,
    DROPOUT,
    FULL,
    PAPER,
    CaptionTemplate,
    load_templates,
    make_captions,
)
from streetclip.errors import TemplateError
from tests.captions.captioning import make_caption

UTRECHT = {"city": "Utrecht", "region": "Utrecht Province", "country": "Netherlands"}


def caption(template, fields, image="a.jpg", seed=42):
    return make_caption([template], fields, seed=seed, image_filename=image)[0]


def many(templates, fields, count=4000, seed=42):
    return [
        make_caption(templates, fields, seed=seed, image_filename=f"{i}.jpg") for i in range(count)
    ]


@pytest.mark.parametrize(
    ("city", "region", "expected"),
    [
        ("Utrecht", "U", "A Street View photo close to the town of Utrecht in the region of U in "),
        ("Utrecht", "", "A Street View photo close to the town of Utrecht in "),
        ("", "U", "A Street View photo in the region of U in "),
        ("", "", "A Street View photo in "),
        ("  ", "\t", "A Street View photo in "),
    ],
)
def test_blank_fields_drop_their_segment(city, region, expected):
    fields = {"city": city, "region": region, "country": "Netherlands"}
    assert caption(FULL, fields) == expected + "the Netherlands."


def test_the_papers_caption_has_the_country_as_written():
    assert caption(PAPER, UTRECHT) == "A Street View photo in Netherlands."


def test_dropout_keeps_towns_with_04_and_regions_with_06():
    captions = [text for text, _ in many([DROPOUT], UTRECHT, count=10_000)]
    towns = sum("close to the town of Utrecht" in text for text in captions) / len(captions)
    regions = sum("in the region of" in text for text in captions) / len(captions)
    both = sum("town" in text and "region" in text for text in captions) / len(captions)
    # four standard errors of 10,000 draws
    assert towns == pytest.approx(0.4, abs=0.02)
    assert regions == pytest.approx(0.6, abs=0.02)
    assert both == pytest.approx(0.24, abs=0.02)  # the two draws are independent
    assert len(set(captions)) == 4


def test_a_caption_depends_on_image_and_seed_only():
    fields = [{**UTRECHT, "city": f"City {i}"} for i in range(300)]
    names = [f"{i}.jpg" for i in range(300)]

    def run(order, seed=1):
        return {
            names[i]: make_caption(
                [FULL, DROPOUT, PAPER], fields[i], seed=seed, image_filename=names[i]
            )
            for i in order
        }

    assert run(range(300)) == run(reversed(range(300)))
    assert run(range(300)) != run(range(300), seed=2)


def test_captions_are_the_same_on_every_machine():
    # Written down once: a change here changes every existing caption file.
    drawn = [make_caption([FULL, DROPOUT, PAPER], UTRECHT, seed=42, image_filename=f"{i}.jpg")
             for i in range(6)]  # fmt: skip
    assert [name for _, name in drawn] == ["full", "full", "paper", "full", "full", "dropout"]
    kept = [
        ("town" in text, "region" in text)
        for text in (caption(DROPOUT, UTRECHT, image=f"{i}.jpg") for i in range(4))
    ]
    assert kept == [(False, True), (True, True), (False, False), (False, True)]


def test_templates_are_drawn_evenly_and_one_named_twice_twice_as_often():
    names = [name for _, name in many([FULL, PAPER, PAPER], UTRECHT, count=9000)]
    assert names.count("paper") / 9000 == pytest.approx(2 / 3, abs=0.02)


def test_a_template_that_cannot_be_filled_is_not_drawn():
    needy = CaptionTemplate("needy", "A photo of {city}, {country}.")
    drawn = many([needy, FULL, PAPER], {"country": "France"}, count=3000)
    names = [name for _, name in drawn]
    assert set(names) == {"full", "paper"}
    assert names.count("full") / 3000 == pytest.approx(0.5, abs=0.04)
    drawn = many([needy, PAPER], UTRECHT, count=100)
    assert {name for _, name in drawn} == {"needy", "paper"}


def test_no_template_that_can_be_filled_is_an_error_that_names_the_image():
    needy = CaptionTemplate("needy", "A photo of {city}.")
    with pytest.raises(TemplateError, match=r"'b\.jpg' has blank fields .*\(needy\)"):
        make_caption([needy], {"country": "France"}, seed=1, image_filename="b.jpg")


def test_text_from_a_manifest_is_never_a_pattern():
    fields = {"city": "{country} [0.1: x] {0.__class__}", "country": "%s {city}"}
    assert caption(FULL, fields) == (
        "A Street View photo close to the town of {country} [0.1: x] {0.__class__} in %s {city}."
    )


def test_space_is_tidied_where_segments_drop_out():
    template = CaptionTemplate("t", "A photo [of {city}] [, {region}] in {country} [near {city}].")
    assert caption(template, {"country": "France"}) == "A photo in France."
    assert caption(template, {"country": "Fr\nance", "city": " Aix  en "}) == (
        "A photo of Aix en in Fr ance near Aix en."
    )


def test_all_fields_can_be_named():
    template = CaptionTemplate("t", "{continent}|{country}|{the_country}|{region}|{city}")
    fields = {**UTRECHT, "continent": "Europe"}
    assert caption(template, fields) == (
        "Europe|Netherlands|the Netherlands|Utrecht Province|Utrecht"
    )


def test_unusual_file_names_are_captioned():
    for name in ("", "\udcff.jpg", "日本/写真.jpg", "x" * 10_000):
        assert caption(DROPOUT, UTRECHT, image=name).endswith("the Netherlands.")


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("A photo in {town}.", r"character 12: the field '\{town\}' is unknown; expected one of"),
        ("A photo in {country", r"character 12: a lone '\{'"),
        ("A photo in country}", r"a lone '\}'"),
        ("A [photo in {country}", r"a '\[' is not closed"),
        ("A photo] in {country}", r"character 8: '\]' without '\['"),
        ("A [photo [in {country}]]", r"character 10: segments cannot be nested"),
        ("[1.5: in {city} ]in {country}", r"a chance is 1\.5; expected above 0 and at most 1"),
        ("[0: in {city} ]in {country}", r"a chance is 0"),
        ("A photo.", "names no place"),
        ("", "names no place"),
        ("[0.5: in {country}]", "may come out empty"),
        ("{country}" + "[0.5: x]" * 16, "more than 15 segments"),
        ("{country!r}", "is unknown"),
        ("{country.__class__}", "is unknown"),
    ],
)
def test_a_malformed_pattern_says_what_and_where(pattern, complaint):
    with pytest.raises(TemplateError, match=complaint) as caught:
        CaptionTemplate("mine", pattern)
    assert "template 'mine'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_chance_of_one_is_always_kept():
    template = CaptionTemplate("t", "[1: in {city} ]in {country}")
    texts = {text for text, _ in many([template], UTRECHT, count=200)}
    assert texts == {"in Utrecht in Netherlands"}


def test_fifteen_chances_are_independent():
    template = CaptionTemplate("t", "{country}" + "".join(f"[0.5: {i:x}]" for i in range(15)))
    texts = [text.removeprefix("Netherlands") for text, _ in many([template], UTRECHT)]
    for i, j in itertools.combinations(range(15), 2):
        both = sum(f"{i:x}" in text and f"{j:x}" in text for text in texts) / len(texts)
        assert both == pytest.approx(0.25, abs=0.035)


def test_templates_are_found_by_name_in_order(tmp_path):
    path = tmp_path / "templates.txt"
    path.write_text("\ufeff# mine\n\nshort: Photo in {country}\n  b : [near {city}: ]{country}\n")
    templates = load_templates(["b", "full", "short", "full"], path)
    assert [template.name for template in templates] == ["b", "full", "short", "full"]
    assert templates[0].pattern == "[near {city}: ]{country}"
    assert set(BUILTIN) == {"full", "dropout", "paper"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("no colon here\n", r"templates\.txt:1: found 'no colon here'; expected 'name: pattern'"),
        ("\n: x {country}\n", r"templates\.txt:2: found"),
        ("a b: {country}\n", r":1: found"),
        ("a: {country}\na: {city}\n", r":2: template 'a' is defined above"),
        ("full: {country}\n", r":1: template 'full' is built in"),
        ("a: {country}\nb: {town}\n", r":2: template 'b': at character 1: the field"),
        (b"a: \xff\n", r"byte 3 is not UTF-8"),
        (b"a" * (2**20 + 1), "larger than 1 MiB"),
    ],
)
def test_a_bad_template_file_says_which_line(tmp_path, content, complaint):
    path = tmp_path / "templates.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TemplateError, match=complaint):
        load_templates(["full"], path)


def test_a_missing_file_and_an_unknown_name_are_errors(tmp_path):
    with pytest.raises(TemplateError, match=r"no\.txt: cannot be read"):
        load_templates(["full"], tmp_path / "no.txt")
    with pytest.raises(TemplateError, match=r"cannot be read"):
        load_templates(["full"], tmp_path)
    with pytest.raises(TemplateError, match=r"'ful' is unknown; expected one of full, dropout"):
        load_templates(["ful"])
    with pytest.raises(TemplateError, match=r"no template was named"):
        load_templates([])


@pytest.mark.parametrize("templates", [[FULL], [DROPOUT], [FULL, DROPOUT, PAPER]])
def test_many_captions_are_those_made_one_by_one(templates):
    rows = [
        {"image_filename": f"{i}.jpg", "city": city, "region": region, "country": "France"}
        for i in range(12)
        for city, region in [("Lyon", ""), ("", "Bretagne"), ("Lyon", "Rhône")][i % 3 : i % 3 + 1]
    ]
    columns = {name: [row.get(name, "") for row in rows] for name in (*rows[0], "continent")}
    assert make_captions(templates, columns, seed=5) == [
        make_caption(templates, row, seed=5, image_filename=row["image_filename"]) for row in rows
    ]


def test_an_image_that_no_template_fits_is_named_among_many():
    needy = CaptionTemplate("needy", "A photo of {city}.")
    columns = {name: ["", ""] for name in PLACE_FIELDS} | {"image_filename": ["a.jpg", "b.jpg"]}
    columns["city"] = ["Lyon", ""]
    with pytest.raises(TemplateError, match=r"b\.jpg"):
        make_captions([needy], columns, seed=1)
