"""Captions longer than the model reads: shortened, told of, or refused."""

import re

import numpy as np
import pytest

from streetclip.data.manifest import read_manifest
from streetclip.errors import ManifestError, TemplateError
from streetclip.training.training_data import load_training_data

from .conftest import WordTokenizer, word_reader

HEADER = "image_filename,city,region,country,continent"
OWN = HEADER + ",caption"
LONG = "a wide road with a car and a pole and a house and a tree "  # 15 words
VAL = ["v.png,Lyon,,France,,in France."]


@pytest.fixture
def precision():
    """Name one number format: nothing here depends on it."""
    return "fp32"


@pytest.fixture
def load(world):
    """Load a training of captions of which the model reads so many tokens."""

    def load(train, val=VAL, *, header=OWN, val_header=OWN, max_tokens=20, **changes):
        rows = {"train": [header, *train], "val": [val_header, *val]}
        for name, lines in rows.items():
            path = world.folder / f"{name}.csv"
            path.write_text("\n".join(lines), encoding="utf-8")
        config = world.config(**changes)
        manifests = [read_manifest(path) for path in (config.train_csv, config.val_csv)]
        return load_training_data(config, *manifests, word_reader(max_tokens))

    return load


def captions_of(images):
    return [images.captions[row] for row in images.caption_ids_N]


# Captions of the manifest


def test_countries_that_are_cut_off_are_refused(load):
    rows = [f"{i}.png,,,{c},,{LONG * 2}in {c}." for i, c in enumerate(["Peru", "France", "Chad"])]
    with pytest.raises(ManifestError) as caught:
        load(["a.png,,,Peru,,in Peru.", *rows])
    message = str(caught.value)
    assert "3 of 4 captions name their country after the 20 tokens" in message
    assert "train.csv:3: 'a wide road" in message
    assert "remove the column" in message


@pytest.mark.parametrize(
    ("row", "caption"),
    [("USA", "the United States"), ("US", "the United States"), ("Gambia", "The Gambia")],
)
def test_a_country_under_another_of_its_names_is_found_to_be_cut_off(load, row, caption):
    with pytest.raises(ManifestError, match="1 of 2 captions name their country after"):
        load([f"a.png,,,{row},,{LONG * 2}in {caption}.", "b.png,,,Peru,,in Peru."])


def test_a_country_of_which_the_last_word_is_cut_off_is_refused(load):
    rows = ["a.png,,,Sierra Leone,,{}in Sierra Leone.", "b.png,,,Peru,,in Peru."]
    filler = "one " * 15  # start, 15 words, in, Sierra, Leone, the stop, end: 21
    load([rows[0].format(filler), rows[1]], max_tokens=20)
    with pytest.raises(ManifestError, match="1 of 2 captions name their country after"):
        load([rows[0].format(filler), rows[1]], max_tokens=18)


def test_a_name_within_a_longer_one_is_no_mention(load):
    """Niger is not named by a caption that begins with Nigeria."""
    rows = [f"a.png,,,Niger,,from Nigeria {LONG * 2}in Niger.", "b.png,,,Peru,,in Peru."]
    with pytest.raises(ManifestError, match="1 of 2 captions name their country after"):
        load(rows)


def test_captions_that_differ_only_in_what_is_cut_off_are_refused(load):
    rows = [f"{i}.png,,,Peru,,Peru: {LONG * 2}number {i}" for i in range(40)]
    with pytest.raises(ManifestError) as caught:
        load(["a.png,,,France,,in France.", *rows])
    message = str(caught.value)
    assert "39 of 41 captions equal an earlier one in the 20 tokens" in message
    assert "train.csv:4: " in message
    assert "as that of line 3" in message


def test_a_caption_that_is_cut_off_to_a_whole_other_one_is_refused(load):
    words = [f"w{i}" for i in range(17)]
    whole = " ".join(["Peru", *words])  # 20 tokens with start and end
    rows = [f"a.png,,,Peru,,{whole}", f"b.png,,,Peru,,{whole} more", "c.png,,,Chad,,in Chad."]
    with pytest.raises(ManifestError, match="1 of 3 captions equal an earlier one"):
        load(rows)


def test_captions_that_are_cut_off_but_differ_before_are_told_of(load, caplog):
    rows = [f"{c}.png,,,{c},,In {c}: {LONG * 2}" for c in ("Peru", "France")]
    data = load(["a.png,,,Chad,,in Chad.", *rows, rows[0].replace("Peru.png", "b.png")])
    assert len(data.train.captions) == 3
    [record] = [each for each in caplog.records if "cut off" in each.message]
    assert "3 of 4 captions are longer than the 20 tokens" in record.message
    assert "(the longest has 35)" in record.message
    assert "train.csv:3: 'In Peru: a wide" in record.message


def test_equal_captions_that_are_cut_off_are_one_caption(load):
    rows = [f"{name}.png,,,Peru,,Peru: {LONG * 2}" for name in "abc"]
    data = load([*rows, "d.png,,,Chad,,in Chad."])
    assert data.train.caption_ids_N.tolist() == [0, 0, 0, 1]


def test_captions_of_the_validation_images_are_checked_too(load):
    rows = ["a.png,,,Peru,,in Peru.", "b.png,,,France,,in France."]
    with pytest.raises(ManifestError, match=r"val\.csv: 1 of 2 captions"):
        load(rows, ["c.png,,,Peru,,in Peru.", f"d.png,,,Peru,,{LONG * 2} in Peru."])


def test_captions_that_fit_are_not_told_of(load, caplog):
    load(["a.png,,,Peru,,in Peru.", "b.png,,,France,,in France."])
    assert not [each for each in caplog.records if "tokens" in each.message]


# Captions that are the same to the tokenizer


def test_captions_of_the_same_tokens_are_one_caption(load):
    rows = ["a.png,,,Peru,,in Peru.", "b.png,,,Peru,,In  PERU .", "c.png,,,Chad,,in Chad."]
    data = load(rows)
    assert data.train.caption_ids_N.tolist() == [0, 0, 1]
    assert data.train.captions == ("in Peru.", "in Chad.")


def test_captions_that_a_tokenizer_does_not_tell_apart_are_told_of(load, caplog, monkeypatch):
    def unknowing(self, texts, **_options):
        known = {"in": 2, "Chad": 3, "France": 4}
        return {"input_ids": [[known.get(word, 1) for word in text.split()] for text in texts]}

    monkeypatch.setattr(WordTokenizer, "__call__", unknowing)
    rows = ["a.png,,,Peru,,in ペルー", "b.png,,,Chad,,in Chad", "c.png,,,Japan,,in 日本"]
    data = load(rows, ["v.png,,,Chad,,in Chad"])
    assert data.train.caption_ids_N.tolist() == [0, 1, 0]
    assert "train.csv: 1 captions are the same as another to the model's tokenizer" in caplog.text
    assert "'in ペルー' and 'in 日本'" in caplog.text


def test_training_on_captions_that_are_all_the_same_tokens_is_refused(load):
    with pytest.raises(ManifestError, match="all 2 captions are equal to the model"):
        load(["a.png,,,Peru,,in peru", "b.png,,,Peru,,in PERU"])


# Captions made of templates

FULL_ROWS = [
    "a.png,One Two Three Four,Five Six,Peru,",
    "b.png,One Two Three Four Five Six Seven,Eight Nine,Peru,",
    "c.png,Lima,Lima,Peru,",
]
SHORTENED = [
    "A Street View photo close to the town of One Two Three Four in Peru.",
    "A Street View photo in Peru.",
    "A Street View photo close to the town of Lima in the region of Lima in Peru.",
]


def test_made_captions_leave_out_the_region_and_then_the_city(load, caplog):
    data = load(FULL_ROWS, header=HEADER, templates=("full",))
    assert captions_of(data.train) == SHORTENED
    [record] = [each for each in caplog.records if "longer than" in each.message]
    assert "2 of 3 captions are longer than the 20 tokens" in record.message
    assert "train.csv:2: 'A Street View photo close to the town of One" in record.message


def test_captions_of_generate_captions_are_shortened_as_made_ones(load):
    header = HEADER + ",caption,template"
    where = "A Street View photo close to the town of {} in the region of {} in Peru."
    places = [row.split(",")[1:3] for row in FULL_ROWS]
    rows = [f"{row},{where.format(*p)},full" for row, p in zip(FULL_ROWS, places, strict=True)]
    assert captions_of(load(rows, header=header).train) == SHORTENED


def test_a_caption_that_its_template_did_not_make_is_not_shortened(load):
    rows = [f"a.png,Lima,,Peru,,{LONG * 2}in Peru.,full", "b.png,,,Chad,,in Chad.,full"]
    with pytest.raises(ManifestError, match="1 of 2 captions name their country after"):
        load(rows, header=HEADER + ",caption,template")


def test_redrawn_captions_are_shortened_in_every_epoch(load):
    data = load(FULL_ROWS, header=HEADER, templates=("dropout",), redraw_captions=True)
    drawn = set()
    for epoch in range(1, 30):
        texts, rows_N = data.train.distinct_captions(np.array([0, 1, 2]), epoch)
        drawn.update((image, texts[row]) for image, row in enumerate(rows_N))
    of_first = {text for image, text in drawn if image == 0}
    assert SHORTENED[0] in of_first
    assert "A Street View photo in the region of Five Six in Peru." in of_first
    assert not any("Five" in text and "One" in text for text in of_first)
    assert all(len(re.findall(r"\w+|\.", text)) + 2 <= 20 for _, text in drawn)


def test_what_is_known_of_redrawn_captions_may_be_forgotten(load, monkeypatch):
    arguments = {"header": HEADER, "templates": ("dropout",), "redraw_captions": True}
    kept = load(FULL_ROWS, **arguments).train
    monkeypatch.setattr("streetclip.training.captioned_images._MOST_KNOWN", 0)
    forgotten = load(FULL_ROWS, **arguments).train
    for epoch in range(1, 6):
        ours, theirs = (each.distinct_captions(np.arange(3), epoch) for each in (forgotten, kept))
        assert ours[0] == theirs[0]
        assert ours[1].tolist() == theirs[1].tolist()
    assert len(forgotten.redraw.known) <= 9


def test_templates_that_fit_no_image_are_named_when_captions_are_redrawn(load, world):
    path = world.folder / "templates.txt"
    path.write_text("near: [0.5: near ]{city}")
    with pytest.raises(TemplateError, match="blank fields that every template given needs"):
        load(["a.png,,,Peru,", "b.png,,,Chad,"], header=HEADER, templates=("near",),
             template_file=path, redraw_captions=True)  # fmt: skip


def test_redrawn_captions_of_the_same_tokens_are_one_caption(load):
    rows = ["a.png,LIMA,,Peru,", "b.png,Lima,,Peru,", "c.png,Oslo,,Norway,"]
    data = load(rows, header=HEADER, templates=("full",), redraw_captions=True)
    texts, rows_N = data.train.distinct_captions(np.array([2, 1, 0]), 1)
    assert len(texts) == 2
    assert rows_N[1] == rows_N[2] != rows_N[0]


def test_redrawn_captions_are_checked_at_their_longest(load, world):
    """Few draws keep a segment whose chance is small; it is checked before the first epoch."""
    path = world.folder / "templates.txt"
    path.write_text("rare: [0.001: " + LONG * 2 + "]in {country}.")
    rows = ["a.png,,,Peru,", "b.png,,,Chad,"]
    with pytest.raises(ManifestError, match="name their country after") as caught:
        load(rows, header=HEADER, templates=("rare",), template_file=path, redraw_captions=True)
    assert "--templates that are shorter" in str(caught.value)


def test_a_country_prompt_that_is_cut_off_is_refused(load, world):
    path = world.folder / "templates.txt"
    path.write_text(
        "late: {country}[ near {city} " + LONG * 2 + "]\nlong: " + LONG * 2 + "{country}"
    )
    rows = ["a.png,,,Peru,,Peru,long", "b.png,,,Chad,,Chad,long"]
    with pytest.raises(TemplateError, match="country prompts name the country after the 20"):
        load(rows, header=HEADER + ",caption,template", template_file=path)
