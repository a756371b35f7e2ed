import pytest

from streetclip.datasets.manifest import read_manifest
from streetclip.errors import ManifestError
from streetclip.training.data import load_training_data

HEADER = "image_filename,city,region,country,continent"


@pytest.fixture
def load(tmp_path):
    """Write both manifests from lines and load them."""

    def load(world, train, val):
        world.folder.joinpath("train.csv").write_text("\n".join(train), encoding="utf-8")
        world.folder.joinpath("val.csv").write_text("\n".join(val), encoding="utf-8")
        config = world.config(templates=("paper",))
        manifests = [read_manifest(path) for path in (config.train_csv, config.val_csv)]
        return load_training_data(config, *manifests)

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
