"""A second evaluation of the same images reads none of them, and says the same."""

import dataclasses
import functools
import json
import logging
import shutil

import numpy as np
import pandas as pd
import pytest

from streetclip import provenance, store
from streetclip.evaluation import features
from streetclip.evaluation.features import Encoding
from streetclip.evaluation.preparation import load_inputs
from streetclip.evaluation.runner import evaluate
from tests.evaluation.configs import config_in


@pytest.fixture
def config(small_world, tmp_path):
    shutil.copytree(small_world / "images", tmp_path / "images")
    return config_in(
        small_world, tmp_path, image_dir=tmp_path / "images", output_dir=tmp_path / "first"
    )


def predictions(config, name, **changes):
    """Evaluate into a folder of that name; what is stored of it."""
    config = dataclasses.replace(config, output_dir=config.db.parent / name, **changes)
    (run,) = evaluate(load_inputs(config))
    with store.open_store(config.db, read_only=True) as opened:
        return store.read_predictions(opened, run.run_id)


def decoded(monkeypatch):
    """The names of the images that are decoded from now on, in either way."""
    from streetclip.data import image_batches

    names = set()

    def noted(decode):
        return lambda path, *a, **k: names.add(path.name) or decode(path, *a, **k)

    for name in ("decode_image", "decode_crop"):
        monkeypatch.setattr(image_batches, name, noted(getattr(image_batches, name)))
    return names


def test_a_second_evaluation_reads_no_image_and_says_the_same(config, monkeypatch):
    first = predictions(config, "first")
    names = decoded(monkeypatch)
    second = predictions(config, "second")
    assert names == set()
    pd.testing.assert_frame_equal(first, second)


def test_other_prompts_and_strategies_need_no_image_either(config, monkeypatch):
    predictions(config, "first")
    names = decoded(monkeypatch)
    other = predictions(config, "other", prompts="full", strategy=("flat",), batch_size=7)
    assert names == set()
    fresh = predictions(config, "fresh", prompts="full", strategy=("flat",), no_cache=True)
    assert len(names) == len(other) == 50
    pd.testing.assert_frame_equal(other, fresh)


def test_without_a_cache_nothing_is_kept(config):
    predictions(config, "first", no_cache=True)
    assert not config.features_dir.exists()


def test_another_precision_computes_its_own(config, monkeypatch):
    predictions(config, "first")
    names = decoded(monkeypatch)
    predictions(config, "bf16", precision="bf16")
    assert len(names) == 50


@pytest.mark.parametrize("part", ["weights", "model_config", "image_processing"])
def test_each_part_of_a_model_that_decides_image_features_has_a_cache_of_its_own(config, part):
    inputs = load_inputs(config)
    encoding = Encoding(inputs.encoder, inputs.preprocess, 4, 0)
    other = dataclasses.replace(inputs.identity, **{part: "other"})
    same = dataclasses.replace(inputs.identity, tokenizer="other")
    folder = encoding.open_cache(config.features_dir, inputs.identity).folder
    assert encoding.open_cache(config.features_dir, other).folder != folder
    assert encoding.open_cache(config.features_dir, same).folder == folder
    exact = dataclasses.replace(encoding, preprocess=inputs.encoder.preprocess)
    assert exact.open_cache(config.features_dir, inputs.identity).folder != folder


@pytest.mark.parametrize("package", ["pillow", "torch", "transformers"])
def test_another_version_of_what_computes_has_a_cache_of_its_own(config, monkeypatch, package):
    inputs = load_inputs(config)
    encoding = Encoding(inputs.encoder, inputs.preprocess, 4, 0)
    folder = encoding.open_cache(config.features_dir, inputs.identity).folder
    found = provenance.versions() | {package: "0.1"}
    monkeypatch.setattr(features, "versions", lambda: found)
    assert encoding.open_cache(config.features_dir, inputs.identity).folder != folder


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("preprocessor_config.json", ("image_mean",), [0.1, 0.9, 0.5]),
        ("preprocessor_config.json", ("do_rescale",), False),
        ("config.json", ("vision_config", "num_attention_heads"), 1),
        ("config.json", ("vision_config", "hidden_act"), "relu"),
    ],
)
def test_a_changed_file_of_the_model_is_noticed_by_the_cache(config, tmp_path, name, path, value):
    model = tmp_path / "model"
    shutil.copytree(config.model_name, model)
    config = dataclasses.replace(config, model_name=str(model))
    first = predictions(config, "first")
    values = json.loads((model / name).read_text(encoding="utf-8"))
    *parents, last = path
    functools.reduce(dict.__getitem__, parents, values)[last] = value
    (model / name).write_text(json.dumps(values), encoding="utf-8")
    cached, true = predictions(config, "cached"), predictions(config, "true", no_cache=True)
    pd.testing.assert_frame_equal(cached, true)
    assert not first["country_probability"].equals(true["country_probability"])


def test_a_changed_image_is_read_again(config, monkeypatch):
    first = predictions(config, "first")
    names_of = first["image_filename"].tolist()
    shutil.copy(config.image_dir / names_of[3], config.image_dir / names_of[8])
    names = decoded(monkeypatch)
    second = predictions(config, "second")
    assert names == set()  # it is the content of an image that is known
    assert second["country_probability"][8] == first["country_probability"][3]
    path = config.image_dir / names_of[8]
    path.write_bytes(path.read_bytes() + b"\0")
    predictions(config, "third")
    assert names == {path.name}


def test_an_image_that_cannot_be_read_is_tried_again_each_time(config):
    first = predictions(config, "first")
    path = config.image_dir / first["image_filename"][5]
    good = path.read_bytes()
    path.write_bytes(b"no image")
    for name in ("broken", "still broken"):
        status = predictions(config, name)["status"]
        assert status.eq("unreadable").to_numpy().nonzero()[0] == [5]
    path.write_bytes(good)
    pd.testing.assert_frame_equal(predictions(config, "mended"), first)


@pytest.mark.parametrize("suffix", ["features", "index"])
def test_a_damaged_cache_changes_nothing_but_the_time(config, monkeypatch, suffix):
    first = predictions(config, "first")
    (path,) = config.features_dir.glob(f"*/*.{suffix}")
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    data[len(data) // 2] ^= 255
    path.write_bytes(data[: len(data) - 7].tobytes())
    names = decoded(monkeypatch)
    pd.testing.assert_frame_equal(predictions(config, "second"), first)
    assert 1 <= len(names) < 50


def test_a_cache_that_cannot_be_written_is_told_and_done_without(config, caplog):
    expected = predictions(config, "first", no_cache=True)
    config.features_dir.write_text("a file")
    with caplog.at_level(logging.WARNING):
        found = predictions(config, "second")
    assert "features are not kept" in caplog.text
    pd.testing.assert_frame_equal(found, expected)
