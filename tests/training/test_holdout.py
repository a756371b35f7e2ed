import logging

import pytest

from streetclip.data.manifest import read_manifest
from streetclip.errors import ConfigError
from streetclip.training.training_data import load_training_data

from .conftest import word_reader

HEADER = "image_filename,city,region,country,continent"
COUNTRIES = ["France", "Peru", "Georgia", "Peru", "Norway", "France", "United States"]


@pytest.fixture
def precision():
    """Name one number format: nothing here depends on it."""
    return "fp32"


@pytest.fixture
def load(world):
    """Write manifests of these countries and load them with countries held out."""

    def load(held_out, train=COUNTRIES, val=COUNTRIES):
        for name, countries in (("train", train), ("val", val)):
            rows = [f"{name}{i}.png,,,{country}," for i, country in enumerate(countries)]
            world.folder.joinpath(f"{name}.csv").write_text("\n".join([HEADER, *rows]))
        config = world.config(templates=("paper",), holdout_countries=held_out)
        return load_training_data(
            config, read_manifest(config.train_csv), read_manifest(config.val_csv), word_reader()
        )

    return load


def test_held_out_countries_are_neither_trained_on_nor_validated_by(load):
    data = load(("Sakartvelo", "PER"), val=[*COUNTRIES, "Peru"])
    assert data.train.country_codes == ("FR", "NO", "FR", "US")
    assert [path.name for path in data.train.paths] == [f"train{i}.png" for i in (0, 4, 5, 6)]
    assert data.val.country_codes == ("FR", "NO", "FR", "US")
    assert data.holdout is not None
    assert data.holdout.country_codes == ("PE", "GE", "PE", "PE")
    assert [path.name for path in data.holdout.paths] == [f"val{i}.png" for i in (1, 2, 3, 7)]


def test_captions_go_with_the_images_that_are_left(load):
    data = load(("Peru",))
    for images in (data.train, data.val, data.holdout):
        captions = [images.captions[row] for row in images.caption_ids_N]
        names = [COUNTRIES[int(path.stem.lstrip("trainvl"))] for path in images.paths]
        assert captions == [f"A Street View photo in {name}." for name in names]
        assert len(images.captions) == len(set(names))


def test_they_remain_classes_of_the_validation(load):
    assert load(("Peru",)).country_codes == load(()).country_codes == ("FR", "GE", "NO", "PE", "US")


def test_how_many_are_held_out_is_told(load, caplog):
    caplog.set_level(logging.INFO)
    load(("Peru", "US"), val=[*COUNTRIES, "Peru"])
    assert "--holdout_countries Peru, US: 3 of 7 training images are left out" in caplog.text
    assert "4 of 8 validation images" in caplog.text


def test_a_country_may_be_held_out_that_training_never_had(load):
    data = load(("Chad",), val=[*COUNTRIES, "Chad"])
    assert len(data.train) == 7
    assert data.holdout.country_codes == ("TD",)


@pytest.mark.parametrize(
    ("held_out", "sets", "message"),
    [
        (("Pru",), {}, "--holdout_countries: country 'Pru' is unknown.*Did you mean.*Peru"),
        ((" ",), {}, "--holdout_countries: country ' ' is unknown"),
        (("Peru", "Chad"), {}, "--holdout_countries: .*val.csv has no image of 'Chad'"),
        (("Peru",), {"train": ["Peru"] * 3}, "all 3 images of .*train.csv .* to train on. Name"),
        (("Peru",), {"val": ["Peru"] * 2}, "all 2 images of .*val.csv .* to validate by. Name"),
    ],
)
def test_what_leaves_nothing_to_do_is_refused(load, held_out, sets, message):
    with pytest.raises(ConfigError, match=message):
        load(held_out, **sets)
