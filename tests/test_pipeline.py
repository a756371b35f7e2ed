"""The README's three commands, word for word, on a small drawn world; and `jobs/*.py` the same.

The default model is a hub id. No hub is asked: the hub's cache folder holds the small model under
that id, so that the code that loads from a hub runs as it does for a user who has it cached.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.nn.functional import normalize

from streetclip import gazetteer, store
from streetclip.captions.prompts import country_prompts, load_prompts
from streetclip.config import STORE_VARIABLE
from tests import warm

ROOT = Path(__file__).parents[1]
TWO_PROMPTS = {
    "country": ["A Street View photo in {country}.", "{country}"],
    "city": ["A Street View photo from {city}."],
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def promised_commands():
    """The lines that begin with `python main.py`, in the README's section that promises them."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## The three commands")[1]
    block = section.split("```")[1]
    return [line for line in block.splitlines() if line.startswith("python main.py")]


@pytest.fixture(scope="module")
def workplace(small_world, tmp_path_factory):
    """A folder laid out as a user's checkout, with the demo's files in `data/`."""
    folder = tmp_path_factory.mktemp("workplace")
    shutil.copytree(small_world, folder / "data", ignore=shutil.ignore_patterns("model"))
    (folder / "main.py").symlink_to(ROOT / "main.py")
    (folder / "jobs").symlink_to(ROOT / "jobs")
    cached = folder / "hub" / "models--openai--clip-vit-large-patch14-336"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text(COMMIT)
    shutil.copytree(small_world / "model", cached / "snapshots" / COMMIT)
    return folder


def by_job(command):
    """The same command as a call of the job itself."""
    _, _, _, mode, *flags = command.split(" ")
    return " ".join(["python", f"jobs/{mode}.py", *flags])


def in_float32(command):
    """The command in a precision that every machine has, where it has one."""
    return command if "generate_captions" in command else f"{command} --precision fp32"


def run(workplace, command, *, is_warm=False):
    """Run a command of the README; a warm process does not read HF_HUB_CACHE again."""
    program, *flags = shlex.split(in_float32(command))
    assert program == "python"
    named = {name: value for name, value in os.environ.items() if name != STORE_VARIABLE}
    environment = named | {"HF_HUB_CACHE": str(workplace / "hub"), "OMP_NUM_THREADS": "1"}
    if is_warm:
        done = warm.run(flags, cwd=workplace, env=environment)
    else:
        done = subprocess.run(
            [sys.executable, *flags],
            cwd=workplace,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def finished(workplace):
    """What each promised command printed, after all three have run."""
    return [run(workplace, command) for command in promised_commands()]


def test_three_commands_are_promised():
    modes = [shlex.split(command)[3] for command in promised_commands()]
    assert modes == ["generate_captions", "train", "evaluate"]


def test_the_commands_write_what_is_documented(workplace, finished):
    assert len(finished) == 3
    outputs = workplace / "outputs"
    for split in ("train", "val", "test"):
        captions = pd.read_csv(outputs / "captions" / f"{split}_captions.csv")
        assert {"caption", "template"} <= set(captions.columns)
        assert len(captions) == len(pd.read_csv(workplace / "data" / f"{split}.csv"))
        assert captions["caption"].str.startswith("A Street View photo").all()
    for name in ("best_model.pt", "last_checkpoint.pt", "best_model/model.safetensors"):
        assert (outputs / "training" / name).is_file()
    for name in ("metrics.json", "predictions.csv", "config.json"):
        assert (outputs / "evaluation" / name).is_file()


def test_the_exported_folder_is_labelled_as_drawn_and_readable_by_others(workplace, finished):
    assert finished
    folder = workplace / "outputs" / "training" / "best_model"
    assert "Trained on drawn scenes" in (folder / "README.md").read_text(encoding="utf-8")
    modes = {file.stat().st_mode & 0o777 for file in folder.iterdir()}
    assert modes == {folder.stat().st_mode & 0o666}


def test_results_go_to_stdout_and_progress_to_stderr(finished):
    assert "country accuracy" in finished[2].stdout
    assert "image/s" in finished[2].stderr
    assert "image/s" not in finished[2].stdout


def test_the_store_holds_the_run_and_the_training(workplace, finished):
    assert finished
    with store.open_store(workplace / "outputs" / "streetclip.db", read_only=True) as database:
        (run_row,) = store.list_runs(database).to_dict("records")
        (training,) = store.list_trainings(database).to_dict("records")
        curves = store.training_curves(database, training["id"])
    assert (run_row["state"], run_row["num_done"], run_row["drawn"]) == ("done", 50, True)
    assert training["state"] == "done"
    per_epoch = curves[curves["name"] == "val_country_accuracy"]
    assert len(per_epoch) == 11  # before training, and after each of ten epochs
    metrics = json.loads((workplace / "outputs/evaluation/metrics.json").read_text())
    assert metrics["country_accuracy"]["successes"] == run_row["country_correct"]


def test_captions_of_the_job_are_the_same(workplace, finished):
    assert finished
    command = by_job(promised_commands()[0])
    run(workplace, command.replace("outputs/captions", "outputs/captions_by_job"), is_warm=True)
    for split in ("train", "val", "test"):
        name = f"{split}_captions.csv"
        written = (workplace / "outputs/captions_by_job" / name).read_bytes()
        assert written == (workplace / "outputs/captions" / name).read_bytes()


def test_training_by_the_job_gives_the_same_weights(workplace, finished):
    assert finished
    command = by_job(promised_commands()[1])
    run(workplace, command.replace("outputs/training", "outputs/training_by_job"))
    weights = [
        torch.load(workplace / folder / "best_model.pt", weights_only=True)["model"]
        for folder in ("outputs/training", "outputs/training_by_job")
    ]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_evaluation_by_the_job_gives_the_same_predictions(workplace, finished):
    assert finished
    command = by_job(promised_commands()[2])
    run(workplace, command.replace("outputs/evaluation", "outputs/evaluation_by_job"), is_warm=True)
    tables = [
        pd.read_csv(workplace / folder / "predictions.csv").drop(columns=["image_id"])
        for folder in ("outputs/evaluation", "outputs/evaluation_by_job")
    ]
    pd.testing.assert_frame_equal(*tables)


def test_the_exported_folder_agrees_with_the_zero_shot_pipeline(workplace, finished):
    """Countries of the test images by the parts of transformers' pipeline, over all prompts."""
    assert finished
    (workplace / "two.json").write_text(json.dumps(TWO_PROMPTS))
    command = by_job(promised_commands()[2]) + " --exact_preprocessing --prompts two.json"
    run(workplace, command.replace("outputs/evaluation", "outputs/evaluation_exact"), is_warm=True)
    folder = workplace / "outputs/evaluation_exact"
    predictions = pd.read_csv(folder / "predictions.csv", keep_default_na=False)
    prompts = load_prompts(str(workplace / "two.json"))
    names = list(json.loads((workplace / "data/candidates.json").read_text()))
    codes = [gazetteer.resolve_country(name).code for name in names]
    from transformers import pipeline

    classify = pipeline(
        "zero-shot-image-classification",
        model=str(workplace / "outputs/training/best_model"),
        dtype=torch.float32,
        device="cpu",
    )
    texts = [text for name in names for text in country_prompts(prompts, name)]
    photos = [
        Image.open(workplace / "data/images" / name) for name in predictions["image_filename"]
    ]
    with torch.no_grad():
        tokens = classify.tokenizer(texts, return_tensors="pt", padding=True)
        texts_TD = normalize(classify.model.get_text_features(**tokens).pooler_output)
        pixels = classify.image_processor(photos, return_tensors="pt")
        images_ND = normalize(classify.model.get_image_features(**pixels).pooler_output)
        classes_CD = normalize(texts_TD.unflatten(0, (len(names), -1)).mean(dim=1))
        scale = classify.model.logit_scale.exp()
        probabilities_NC = (scale * images_ND @ classes_CD.T).softmax(dim=1)
    best_N, country_N = probabilities_NC.max(dim=1)
    assert [codes[index] for index in country_N] == predictions["pred_country"].tolist()
    expected_N = predictions["country_probability"].to_numpy(np.float32)
    np.testing.assert_allclose(best_N.numpy(), expected_N, atol=0.01)
    # The pipeline itself, on the sentences of the first pattern.
    first = texts[:: len(prompts.country)]
    answers = classify(photos[0], candidate_labels=first, hypothesis_template="{}")
    logits_C = scale * images_ND[0] @ texts_TD[:: len(prompts.country)].T
    assert answers[0]["label"] == first[int(logits_C.argmax())]
