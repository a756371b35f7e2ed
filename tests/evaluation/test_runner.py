"""A real evaluation of the small untrained model on the small drawn world."""

import contextlib
import dataclasses
import functools
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from streetclip import store
from streetclip.captions.prompts import FULL_PROMPTS
from streetclip.data.manifest import read_manifest
from streetclip.errors import ImageError, ManifestError, OutputError
from streetclip.evaluation import preparation
from streetclip.evaluation.predictor import build_classifier
from streetclip.evaluation.preparation import load_inputs
from streetclip.evaluation.runner import evaluate
from streetclip.progress import no_progress
from tests.evaluation.configs import config_in


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    torch.set_num_threads(1)


EACH_FORMAT = pytest.mark.parametrize("precision", ["fp32", "bf16"])


@pytest.fixture
def precision():
    """One number format, where the test asks for no other."""
    return "fp32"


@pytest.fixture
def config(small_world, tmp_path, precision):
    return config_in(small_world, tmp_path, precision=precision)


def run_of(config, progress=None):
    inputs = load_inputs(config)
    return evaluate(
        inputs,
        lambda task, _unit: contextlib.nullcontext(
            progress if progress and task == "evaluate" else no_progress
        ),
    )


def predictions_of(config, run_id):
    with store.open_store(config.db, read_only=True) as database:
        return store.read_predictions(database, run_id)


def plain_country_accuracy(predictions):
    right = sum(
        true == predicted
        for true, predicted in zip(
            predictions["true_country"], predictions["pred_country"], strict=True
        )
    )
    return right / len(predictions)


def stop_after(num_images):
    def progress(done, total, **numbers):
        if done >= num_images:
            raise KeyboardInterrupt

    return progress


@EACH_FORMAT
def test_all_strategies_come_of_one_pass(config):
    config = dataclasses.replace(config, strategy=("all",))
    seen = []
    runs = run_of(config, lambda done, total, **numbers: seen.append((done, total)))
    assert [run.strategy for run in runs] == ["hierarchical", "flat", "marginal"]
    folders = [config.output_dir, config.output_dir / "flat", config.output_dir / "marginal"]
    assert [run.output_dir for run in runs] == folders
    assert seen == [(0, 50), (16, 50), (32, 50), (48, 50), (50, 50)]
    for run in runs:
        written = json.loads((run.output_dir / "metrics.json").read_text(encoding="utf-8"))
        table = pd.read_csv(run.output_dir / "predictions.csv", keep_default_na=False)
        stored = predictions_of(config, run.run_id)
        assert written["strategy"] == run.strategy
        assert len(table) == len(stored) == written["num_images"] == 50
        assert table["image_filename"].tolist() == stored["image_filename"].tolist()
        assert written["country_accuracy"]["value"] == pytest.approx(plain_country_accuracy(stored))


def test_a_run_holds_the_countries_that_it_could_predict(config):
    """Also those that it never predicted: chance is judged by all of them."""
    (run,) = run_of(config)
    with store.open_store(config.db, read_only=True) as database:
        held = store.get_run(database, run.run_id)["config"]["candidate_countries"]
    assert held == sorted(load_inputs(config).candidates.country_codes)
    assert set(held) > set(predictions_of(config, run.run_id)["pred_country"])


def test_a_city_whose_prompt_is_too_long_is_scored_without_its_region(config):
    """Else its country would be cut off, as that of every city with so long a region."""
    inputs = load_inputs(config)
    regions = ["a very long region " * 30, *["Region"] * (len(inputs.candidates.city_names) - 1)]
    expected = [None, *regions[1:]]
    ours, theirs = (
        build_classifier(
            inputs.encoder,
            dataclasses.replace(inputs.candidates, city_regions=tuple(each)),
            FULL_PROMPTS,
        ).city_features_MD
        for each in (regions, expected)
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@EACH_FORMAT
def test_predictions_are_those_of_the_features(config):
    """The stored rows against a plain product of features, country by country."""
    (run,) = run_of(config)
    inputs = load_inputs(dataclasses.replace(config, output_dir=config.output_dir / "other"))
    stored = predictions_of(config, run.run_id)
    classifier = build_classifier(inputs.encoder, inputs.candidates, inputs.prompts)
    from streetclip.data.decoding import decode_image

    for row in stored.iloc[::7].itertuples():
        image = decode_image(config.image_dir / row.image_filename)
        pixels = torch.from_numpy(inputs.encoder.preprocess(image)).permute(2, 0, 1)[None]
        feature = inputs.encoder.encode_images(pixels)[0]
        countries = classifier.country_features_CD @ feature * inputs.encoder.logit_scale
        probabilities = countries.softmax(0)
        assert row.country_probability == pytest.approx(float(probabilities.max()), abs=1e-5)
        assert row.pred_country == inputs.candidates.country_codes[int(probabilities.argmax())]
        top = json.loads(row.top_countries)
        assert top[0][0] == row.pred_country
        assert [p for _, p in top] == sorted((p for _, p in top), reverse=True)


@EACH_FORMAT
def test_the_same_seed_gives_identical_predictions(config, tmp_path):
    other = dataclasses.replace(config, output_dir=tmp_path / "again", num_workers=1)
    (first,), (second,) = run_of(config), run_of(other)
    pd.testing.assert_frame_equal(
        predictions_of(config, first.run_id), predictions_of(config, second.run_id)
    )
    assert first.metrics == second.metrics


@EACH_FORMAT
def test_an_interrupted_run_is_kept_and_resumes_to_the_same(config, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_of(config, stop_after(20))
    with store.open_store(config.db, read_only=True) as database:
        (partial,) = store.list_runs(database).to_dict("records")
    assert partial["state"] == "interrupted"
    assert 0 < partial["num_done"] < 50
    with pytest.raises(OutputError, match="unfinished"):
        run_of(config)
    (resumed,) = run_of(dataclasses.replace(config, resume=True))
    assert resumed.run_id == partial["id"]
    (whole,) = run_of(dataclasses.replace(config, output_dir=tmp_path / "whole"))
    columns = [
        name
        for name in predictions_of(config, whole.run_id).columns
        if not name.endswith("probability") and not name.startswith("top_")
    ]
    pd.testing.assert_frame_equal(
        predictions_of(config, resumed.run_id)[columns],
        predictions_of(config, whole.run_id)[columns],
    )
    assert resumed.metrics["country_accuracy"] == whole.metrics["country_accuracy"]


def test_resuming_a_finished_run_does_nothing(config):
    (first,) = run_of(config)
    (again,) = run_of(dataclasses.replace(config, resume=True))
    assert again.existed_already
    assert (again.run_id, again.metrics) == (first.run_id, first.metrics)


def test_what_an_older_program_measured_is_measured_again(config):
    (first,) = run_of(config)
    older = {name: value for name, value in first.metrics.items() if name != "version"}
    older["distance"] = {"median_km": "by another method"}
    with store.open_store(config.db) as database:
        store.finish_run(database, first.run_id, older)
    (again,) = run_of(dataclasses.replace(config, resume=True))
    assert (again.run_id, again.metrics) == (first.run_id, first.metrics)
    written = json.loads((config.output_dir / "metrics.json").read_text(encoding="utf-8"))
    assert written["distance"] == first.metrics["distance"]
    with store.open_store(config.db, read_only=True) as database:
        assert store.get_run(database, first.run_id)["metrics"] == first.metrics


@pytest.mark.parametrize(
    ("name", "path", "value", "part"),
    [
        ("config.json", ("text_config", "num_attention_heads"), 2, "model_config"),
        ("preprocessor_config.json", ("image_std",), [0.2, 0.5, 0.5], "image_processing"),
        ("tokenizer_config.json", ("model_max_length",), 12, "tokenizer"),
    ],
)
def test_a_resume_with_a_changed_file_of_the_model_is_refused(
    config, tmp_path, name, path, value, part
):
    model = tmp_path / "model"
    shutil.copytree(config.model_name, model)
    config = dataclasses.replace(config, model_name=str(model))
    with pytest.raises(KeyboardInterrupt):
        run_of(config, stop_after(20))
    values = json.loads((model / name).read_text(encoding="utf-8"))
    *parents, last = path
    functools.reduce(dict.__getitem__, parents, values)[last] = value
    (model / name).write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(OutputError, match=rf"another evaluation \(it differs in {part}\)"):
        run_of(dataclasses.replace(config, resume=True))


def test_a_resume_by_another_version_is_refused(config, monkeypatch):
    run_of(config)
    monkeypatch.setattr(preparation, "__version__", "99.0")
    with pytest.raises(OutputError, match=r"it differs in streetclip_version"):
        run_of(dataclasses.replace(config, resume=True))


def test_a_resume_whose_labels_are_read_otherwise_is_refused(config, monkeypatch):
    run_of(config)

    def read(*arguments, **options):
        manifest = read_manifest(*arguments, **options)
        frame = manifest.frame.assign(region="elsewhere")
        return dataclasses.replace(manifest, frame=frame)

    monkeypatch.setattr(preparation, "read_manifest", read)
    with pytest.raises(OutputError, match=r"labels of .*test\.csv were read differently"):
        run_of(dataclasses.replace(config, resume=True))


def test_a_resume_of_an_earlier_version_names_what_that_did_not_record(config):
    run_of(config)
    path = config.output_dir / "config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    del settings["decisive"]["tokenizer"]
    path.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(OutputError, match=r"earlier version .* did not record tokenizer"):
        run_of(dataclasses.replace(config, resume=True))


@pytest.fixture
def own_images(config, tmp_path):
    """The same with images that a test may change, and two that cannot be read."""
    shutil.copytree(config.image_dir, tmp_path / "images")
    names = pd.read_csv(config.test_csv)["image_filename"]
    (tmp_path / "images" / names[4]).write_bytes(b"no image")
    (tmp_path / "images" / names[6]).unlink()
    return dataclasses.replace(config, image_dir=tmp_path / "images"), names


@pytest.mark.parametrize(
    ("row", "finished", "no_cache"),
    [(0, False, False), (0, True, True), (4, True, False), (6, False, True)],
)
def test_a_resume_with_a_changed_image_is_refused(own_images, row, finished, no_cache):
    config, names = own_images
    config = dataclasses.replace(config, no_cache=no_cache)
    if finished:
        run_of(config)
    else:
        with pytest.raises(KeyboardInterrupt):
            run_of(config, stop_after(20))
    shutil.copy(config.image_dir / names[40], config.image_dir / names[row])
    with pytest.raises(OutputError, match=rf"1 of \d+ images changed .*\('{names[row]}'\)"):
        run_of(dataclasses.replace(config, resume=True))


def test_a_resume_knows_images_from_the_cache_too(own_images, tmp_path):
    config, names = own_images
    run_of(dataclasses.replace(config, output_dir=tmp_path / "first"))
    run_of(config)
    shutil.copy(config.image_dir / names[40], config.image_dir / names[0])
    with pytest.raises(OutputError, match="1 of 50 images changed"):
        run_of(dataclasses.replace(config, resume=True))


def test_an_image_that_changes_while_it_is_predicted_is_not_taken_for_the_same(own_images):
    config, names = own_images

    def change(done, total, **numbers):
        if not done:
            shutil.copy(config.image_dir / names[40], config.image_dir / names[0])

    run_of(config, change)
    with pytest.raises(OutputError, match="1 of 50 images changed"):
        run_of(dataclasses.replace(config, resume=True))


def test_a_resume_goes_on_with_images_that_were_touched_or_copied(own_images):
    config, names = own_images
    with pytest.raises(KeyboardInterrupt):
        run_of(config, stop_after(20))
    for name in names.drop([6]):
        os.utime(config.image_dir / name, (1, 2))
    (run,) = run_of(dataclasses.replace(config, resume=True))
    assert run.metrics["num_images"] == 50
    assert run_of(dataclasses.replace(config, resume=True))[0].existed_already


def test_a_fault_marks_the_run_as_failed(config):
    def break_down(done, total, **numbers):
        if done:
            msg = "the lamp went out"
            raise RuntimeError(msg)

    with pytest.raises(RuntimeError):
        run_of(config, break_down)
    with store.open_store(config.db, read_only=True) as database:
        (run,) = store.list_runs(database).to_dict("records")
    assert run["state"] == "failed"
    assert "the lamp went out" in run["error"]


@EACH_FORMAT
def test_unreadable_images_count_as_wrong(config, small_world, tmp_path):
    images = tmp_path / "images"
    shutil.copytree(small_world / "images", images)
    names = pd.read_csv(config.test_csv)["image_filename"]
    (images / names[3]).write_bytes(b"")
    (images / names[7]).write_text("no image")
    (images / names[40]).unlink()
    (run,) = run_of(dataclasses.replace(config, image_dir=images))
    assert run.metrics["num_images"] == run.metrics["country_accuracy"]["n"] == 50
    assert run.metrics["num_unreadable"] == 3
    stored = predictions_of(config, run.run_id)
    broken = stored[stored["status"] == "unreadable"]
    assert broken["image_filename"].tolist() == [names[3], names[7], names[40]]
    assert broken["country_correct"].sum() == 0
    assert broken["error"].str.len().min() > 10
    assert np.isnan(broken["distance_km"]).all()


def test_skipped_rows_are_counted_apart(config, tmp_path):
    lines = config.test_csv.read_text(encoding="utf-8").splitlines()
    assert "Nowhereland" not in lines[4]
    country = pd.read_csv(config.test_csv)["country"][3]
    lines[4] = lines[4].replace(f",{country},", ",Nowhereland,")
    path = tmp_path / "bad.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ManifestError, match=r"bad\.csv:5: country 'Nowhereland' is unknown"):
        load_inputs(dataclasses.replace(config, test_csv=path))
    (run,) = run_of(dataclasses.replace(config, test_csv=path, on_bad_rows="skip"))
    assert (run.metrics["num_skipped_rows"], run.metrics["num_images"]) == (1, 49)


def test_a_wrong_image_folder_is_told_before_any_work(config, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="has none of the first 50 images"):
        load_inputs(dataclasses.replace(config, image_dir=tmp_path / "empty"))
    with pytest.raises(ImageError, match="no such folder"):
        load_inputs(dataclasses.replace(config, image_dir=tmp_path / "missing"))


def test_a_true_country_that_is_no_candidate_is_wrong_and_lowers_the_ceiling(config, tmp_path):
    candidates = json.loads(config.candidates_file.read_text(encoding="utf-8"))
    kept = dict(list(candidates.items())[:30])
    path = tmp_path / "fewer.json"
    path.write_text(json.dumps(kept), encoding="utf-8")
    (run,) = run_of(dataclasses.replace(config, candidates_file=path))
    stored = predictions_of(config, run.run_id)
    reachable = stored["country_reachable"].mean()
    assert 0 < reachable < 1
    assert run.metrics["country_accuracy"]["ceiling"] == pytest.approx(reachable)
    assert run.metrics["country_accuracy"]["n"] == 50
    absent = stored[stored["country_reachable"] == 0]
    assert absent["country_correct"].sum() == 0
    assert absent["true_country_rank"].isna().all()
