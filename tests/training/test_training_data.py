import logging
from collections import Counter

import numpy as np
import pytest

from streetclip.captions.templates import DROPOUT
from streetclip.data.manifest import read_manifest
from streetclip.errors import ManifestError
from streetclip.training.training_data import load_training_data
from tests.captions.captioning import make_caption

from .conftest import word_reader

HEADER = "image_filename,city,region,country,continent"


@pytest.fixture
def precision():
    """Name one number format: nothing here depends on it."""
    return "fp32"


@pytest.fixture
def load(tmp_path):
    """Write both manifests from lines and load them."""

    def load(world, train, val, **changes):
        world.folder.joinpath("train.csv").write_text("\n".join(train), encoding="utf-8")
        world.folder.joinpath("val.csv").write_text("\n".join(val), encoding="utf-8")
        config = world.config(**({"templates": ("paper",)} | changes))
        manifests = [read_manifest(path) for path in (config.train_csv, config.val_csv)]
        return load_training_data(config, *manifests, word_reader())

    return load


def test_equal_captions_share_an_id(world, load):
    rows = ["a.png,Lyon,,France,", "b.png,Lima,,Peru,", "c.png,Paris,,France,"]
    data = load(world, [HEADER, *rows], [HEADER, "d.png,Lyon,,France,"])
    assert data.train.captions == (
        "A Street View photo in France.",
        "A Street View photo in Peru.",
    )
    assert data.train.caption_ids_N.tolist() == [0, 1, 0]
    assert [path.name for path in data.train.paths] == ["a.png", "b.png", "c.png"]
    assert data.prompts.country == ("A Street View photo in {country}.",)


def test_countries_are_those_of_both_files_as_they_are_written(world, load):
    rows = ["a.png,,,USA,", "b.png,,,United States,", "c.png,,,USA,", "d.png,,,Peru,"]
    data = load(world, [HEADER, *rows], [HEADER, "e.png,,,Deutschland,", "f.png,,,US,"])
    assert data.country_codes == ("DE", "PE", "US")
    assert data.country_names == ("Deutschland", "Peru", "USA")


def test_captions_and_templates_of_a_captions_csv_are_used(world, load):
    header = HEADER + ",caption,template"
    rows = ["a.png,Lyon,,France,,Near Lyon.,full", "b.png,Lima,,Peru,,Near Lima.,full"]
    data = load(world, [header, *rows], [HEADER, "c.png,Lyon,,France,"])
    assert data.train.captions == ("Near Lyon.", "Near Lima.")
    assert data.val.captions == ("A Street View photo in France.",)
    assert data.prompts.country == ("A Street View photo in {the_country}.",)


def test_captions_of_unknown_templates_are_told_of(world, load, caplog):
    header = HEADER + ",caption,template"
    rows = ["a.png,Lyon,,France,,Near Lyon.,poem", "b.png,Lima,,Peru,,Near Lima.,poem"]
    data = load(world, [header, *rows], [HEADER, "c.png,Lyon,,France,"])
    assert "'poem' is unknown" in caplog.text
    assert "--templates paper" in caplog.text
    assert data.prompts.country == ("A Street View photo in {country}.",)


def test_one_image_is_not_enough(world, load):
    with pytest.raises(ManifestError, match="has 1 image; expected at least 2"):
        load(world, [HEADER, "a.png,Lyon,,France,"], [HEADER, "b.png,Lyon,,France,"])


def test_one_image_of_each_country_is_enough(world, load):
    rows = ["a.png,Lyon,,France,", "b.png,Lima,,Peru,", "c.png,Oslo,,Norway,"]
    data = load(world, [HEADER, *rows], [HEADER, *rows])
    assert len(data.train) == len(data.val) == len(data.train.captions) == 3
    assert data.holdout is None


def test_countries_without_a_validation_image_are_told_of(world, load, caplog):
    names = ["Chad", "Cuba", "Fiji", "Iran", "Iraq", "Mali", "Oman", "Peru"]
    rows = [f"{name}.png,,,{name}," for name in names]
    load(world, [HEADER, *rows], [HEADER, "a.png,,,Peru,", "b.png,,,Togo,"])
    assert "7 of the countries to train on have no validation image" in caplog.text
    assert "(Chad, Cuba, Fiji, Iran, Iraq, …)" in caplog.text
    caplog.clear()
    load(world, [HEADER, *rows], [HEADER, *rows, "b.png,,,Togo,"])
    assert not caplog.records


# Captions of a step


def test_each_distinct_caption_comes_once_with_the_row_of_each_image(world, load):
    names = ["Peru", "France", "Norway", "France", "Chad", "Peru"]
    rows = [f"{number}.png,,,{name}," for number, name in enumerate(names)]
    train = load(world, [HEADER, *rows], [HEADER, *rows]).train
    captions, rows_N = train.distinct_captions(np.array([5, 3, 1, 3, 4]), epoch=2)
    assert len(captions) == len(set(captions)) == 3
    assert [captions[row] for row in rows_N] == [
        f"A Street View photo in {names[number]}." for number in (5, 3, 1, 3, 4)
    ]
    # In an order of their own, so that a text's features do not depend on that of the images.
    assert train.distinct_captions(np.array([4, 1, 5]), epoch=2)[0] == captions


CITIES = ["Lyon", "Lima", "Oslo", "Paris", "Cusco"]
COUNTRIES = ["France", "Peru", "Norway", "France", "Peru"]
TOWNS = [
    f"{i}.png,{CITIES[i % 5]},Region {i % 3},{COUNTRIES[i % 5]}," for i in range(60)
]  # of 15 kinds


def drawn(images, order, epoch):
    captions, rows_N = images.distinct_captions(np.array(order), epoch)
    return [captions[row] for row in rows_N]


def test_captions_are_drawn_anew_in_each_epoch_and_only_then(world, load):
    header = [HEADER, *TOWNS]
    data = load(world, header, header, templates=("dropout",), redraw_captions=True)
    every = list(range(60))
    first, second = (drawn(data.train, every, epoch) for epoch in (1, 2))
    once = [data.train.captions[row] for row in data.train.caption_ids_N]
    assert len({tuple(first), tuple(second), tuple(once)}) == 3
    assert drawn(data.train, every, 0) == once
    # Each image has a caption of its own place, whichever others are asked for.
    assert drawn(data.train, [41, 7, 7], 2) == [second[41], second[7], second[7]]
    backward = np.array(every[::-1])
    texts, _ = data.train.distinct_captions(np.array(every), 2)
    assert data.train.distinct_captions(backward, 2)[0] == texts
    assert len(texts) == len(set(texts))
    assert all(COUNTRIES[i % 5] in first[i] for i in every)
    shares = Counter("close to" in caption for caption in first)
    assert 10 <= shares[True] <= 38  # kept with chance 0.4: 24 of 60 expected
    assert drawn(data.val, every, 1) == drawn(data.val, every, 2)
    fixed = load(world, header, header, templates=("dropout",))
    assert drawn(fixed.train, every, 1) == drawn(fixed.train, every, 2) == once


def test_drawn_captions_depend_on_seed_epoch_and_file_name_alone(world, load):
    settings = {"templates": ("dropout",), "redraw_captions": True}
    whole = load(world, [HEADER, *TOWNS], [HEADER, *TOWNS], **settings).train
    fewer = load(world, [HEADER, *TOWNS[:30:-1]], [HEADER, *TOWNS], **settings).train
    numbers = [int(path.stem) for path in fewer.paths]
    assert drawn(fewer, range(29), 3) == [drawn(whole, range(60), 3)[i] for i in numbers]
    other = load(world, [HEADER, *TOWNS], [HEADER, *TOWNS], seed=43, **settings).train
    # Epoch 4 of seed 42 is not epoch 3 of seed 43.
    for epoch in (3, 4):
        assert drawn(other, range(60), 3) != drawn(whole, range(60), epoch)


def test_captions_drawn_once_are_those_of_the_caption_job(world, load):
    settings = {"templates": ("dropout",), "redraw_captions": True}
    train = load(world, [HEADER, *TOWNS], [HEADER, *TOWNS], **settings).train
    fields = {"city": "Oslo", "region": "Region 2", "country": "Norway", "continent": "Europe"}
    caption, _ = make_caption([DROPOUT], fields, seed=42, image_filename="2.png")
    assert drawn(train, [2], 0) == [caption]


def test_a_caption_column_gives_way_to_drawing_and_that_is_told(world, load, caplog):
    header = HEADER + ",caption,template"
    rows = ["a.png,Lyon,,France,,Near Lyon.,full", "b.png,Lima,,Peru,,Near Lima.,full"]
    data = load(world, [header, *rows], [header, *rows], redraw_captions=True)
    assert drawn(data.train, [1], 1) == ["A Street View photo in Peru."]
    assert "Near Lima." not in data.train.captions
    assert data.prompts.country == ("A Street View photo in {country}.",)
    assert drawn(data.val, [1], 1) == ["Near Lima."]
    assert "its captions are not used" in caplog.text
    assert "--templates paper draws nothing by chance" in caplog.text


def test_drawing_from_several_templates_is_no_reason_to_warn(world, load, caplog):
    caplog.set_level(logging.WARNING)
    settings = {"templates": ("paper", "full"), "redraw_captions": True}
    load(world, [HEADER, *TOWNS], [HEADER, *TOWNS], **settings)
    assert not caplog.records
