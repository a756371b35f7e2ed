"""Form texts become the config of a job, or a problem for each bad value."""

import dataclasses
from pathlib import Path

import pytest

from dashboard.views.jobs import form_defaults
from dashboard.views.jobs.form_fields import (
    FORMS,
    GENERAL,
    draft_of,
    read_draft,
    sections_of,
    settings_of,
    with_new_output,
)
from streetclip.config import JOB_CONFIGS
from streetclip.config.arguments import to_arguments
from streetclip.config.train_options import PartsOptions
from streetclip.runtime import Roots
from tests.dashboard.job_records import Records

SHARED_FLAGS = ("db", "log_level")
DB = Path("outputs/s.db")
TRAIN = {"train_csv": "data/train.csv", "val_csv": "data/val.csv", "image_dir": "data/images"}


@pytest.fixture
def records(tmp_path):
    return Records(tmp_path)


@pytest.fixture
def roots(records):
    return Roots((records.folder / "data", records.folder / "outputs"), records.folder)


def read(roots, kind="train", **changes):
    given = TRAIN if kind == "train" else {}
    return read_draft(kind, draft_of(kind, {}) | given | changes, roots, DB)


@pytest.mark.parametrize("kind", FORMS)
def test_every_field_of_the_config_is_a_setting_but_the_store_and_the_log_level(kind):
    fields = {field.name for field in dataclasses.fields(JOB_CONFIGS[kind])}
    settings = settings_of(kind)
    assert {each.name for each in settings} == fields - {"db", "log_level"}
    assert len({each.label for each in settings}) == len(settings)


def test_required_settings_come_first_then_the_usual():
    groups = [each.group for each in settings_of("train")]
    assert groups == sorted(groups, key=["required", "usual", "more"].index)
    assert [each.name for each in settings_of("train")[:4]] == [*TRAIN, "model_name"]


def test_each_setting_of_a_training_is_in_one_section():
    settings = settings_of("train")
    sections = sections_of(settings)
    held = [each.name for group in sections.values() for each in group]
    assert sorted(held) == sorted(each.name for each in settings if each.group == "more")
    assert [each.name for each in sections["Which parts of the model learn"]] == [
        field.name for field in dataclasses.fields(PartsOptions) if field.name not in SHARED_FLAGS
    ]
    assert len(sections) == 6
    assert max(map(len, sections.values())) <= 13
    assert list(sections)[-1] == "More settings"


def test_a_job_without_sections_has_one():
    assert list(sections_of(settings_of("evaluate"))) == ["More settings"]


def test_a_recipe_leaves_nothing_of_another_and_no_path_changed():
    first, second = (
        form_defaults.recipe_draft("train", "paper"),
        form_defaults.recipe_draft("train", "demo"),
    )
    assert first["negatives"] == "micro_batch"
    assert second["negatives"] == "global"
    assert second["learning_rate"] == "0.001"
    assert "model_name" in first
    assert not {"model_name", "train_csv", "output_dir", "run_name"} & set(second)


def test_a_help_says_flag_bounds_and_default():
    (rate,) = (each for each in settings_of("train") if each.name == "learning_rate")
    assert rate.help == (
        "--learning_rate: peak learning rate of AdamW; above 0 and at most 1; default: 1e-06"
    )


def test_the_defaults_of_a_form_make_the_default_config(roots):
    config, problems = read(roots)
    assert problems == {}
    paths = {name: Path(text) for name, text in TRAIN.items()}
    assert config == JOB_CONFIGS["train"](**paths, db=DB)


def test_texts_become_what_the_config_takes(roots):
    config, problems = read(
        roots,
        num_epochs=" 3 ",
        learning_rate="2.5e-4",
        run_name=' a; "b"\n',
        templates="full\n\n  paper \n",
        resume=True,
        precision="fp32",
        num_workers="0",
    )
    assert problems == {}
    assert (config.num_epochs, config.learning_rate, config.num_workers) == (3, 2.5e-4, 0)
    assert (config.run_name, config.templates) == (' a; "b"\n', ("full", "paper"))
    assert (config.resume, config.precision) == (True, "fp32")
    assert '--run_name= a; "b"\n' in to_arguments(config)


def test_an_empty_field_means_the_default(roots):
    config, problems = read(roots, num_epochs="", learning_rate=" ", templates="\n", run_name="")
    assert problems == {}
    assert (config.num_epochs, config.learning_rate) == (10, 1e-6)
    assert (config.templates, config.run_name) == (("full", "full", "paper"), None)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("batch_size", "1", "expected at least 2"),
        ("batch_size", "32.5", "expected a whole number"),
        ("batch_size", "many", "expected a whole number"),
        ("batch_size", "9" * 19, "expected a whole number"),
        ("batch_size", "9" * 400, "expected a whole number"),  # no float is so large
        ("seed", "-" + "9" * 6000, "expected a whole number"),
        ("learning_rate", "0", "expected above 0"),
        ("learning_rate", "nan", "expected a number"),
        ("max_grad_norm", "inf", "expected a number"),
        ("max_grad_norm", "1e999", "expected a number"),
        ("learning_rate", "1e-6; rm", "expected a number"),
        ("num_workers", "257", "at most 256"),
        ("precision", "fp7", "expected one of"),
        ("train_csv", "", "not given"),
        ("train_csv", "data/gone.csv", "no file is there"),
        ("train_csv", "data/images", "no file is there"),
        ("image_dir", "data/train.csv", "no folder is there"),
        ("image_dir", "/srv/photos", "outside"),
        ("val_csv", "data/../data/val.csv", "upwards"),
        ("output_dir", "/tmp", "outside"),
        ("output_dir", "data/train.csv", "is a file"),
        ("model_name", "/etc/model", "outside"),
        ("model_name", "data/gone.pt", "no such path"),
        ("template_file", "data/gone.txt", "no file is there"),
        ("image_dir", "data/\0", "no path"),
    ],
)
def test_a_bad_value_is_reported_at_its_setting(roots, name, value, why):
    config, problems = read(roots, **{name: value})
    assert config is None
    assert list(problems) == [name]
    assert why in problems[name]
    label = next(each.label for each in settings_of("train") if each.name == name)
    assert problems[name].startswith(f"{label} is ")
    assert f"--{name}" not in problems[name]


def test_all_bad_values_are_named_at_once(roots):
    _, problems = read(roots, train_csv="", image_dir="/", num_epochs="x")
    assert set(problems) == {"train_csv", "image_dir", "num_epochs"}


def test_a_problem_of_several_settings_is_reported_for_none(roots):
    config, problems = read(roots, "generate_captions")
    assert config is None
    assert "no CSV was given" in problems[GENERAL]


@pytest.mark.parametrize("prompts", ["auto", "paper", "full", "data/candidates.json"])
def test_prompts_are_a_built_in_name_or_a_file(roots, prompts):
    given = {"test_csv": "data/test.csv", "image_dir": "data/images"}
    given["candidates_file"] = "data/candidates.json"
    config, problems = read(roots, "evaluate", **given, prompts=prompts)
    assert problems == {}
    assert config.prompts == prompts
    assert "prompts" in read(roots, "evaluate", **given, prompts="data/gone.json")[1]


def test_several_choices_are_kept_and_none_means_the_default(roots):
    given = {"test_csv": "data/test.csv", "image_dir": "data/images"}
    given["candidates_file"] = "data/candidates.json"
    config, _ = read(roots, "evaluate", **given, strategy=["flat", "marginal"])
    assert config.strategy == ("flat", "marginal")
    config, _ = read(roots, "evaluate", **given, strategy=[])
    assert config.strategy == ("hierarchical",)
    _, problems = read(roots, "evaluate", **given, strategy=["sideways"])
    assert list(problems) == ["strategy"]


class TestChain:
    def test_again_repeats_all_settings_into_a_free_folder(self, records, roots):
        settings = {"num_epochs": 7, "run_name": "a b", "templates": ("paper", "full")}
        job = records.get(records.add("cancelled", **settings, resume=True))
        prefill = form_defaults.again(job, roots)
        config, problems = read_draft("train", prefill.draft, roots, DB)
        assert problems == {}
        assert {name: getattr(config, name) for name in settings} == settings
        assert config.output_dir == Path("outputs/train")
        assert not config.resume
        (roots.base / "outputs" / "train").mkdir()
        assert form_defaults.again(job, roots).draft["output_dir"] == "outputs/train_2"

    def test_again_knows_paths_of_another_working_folder(self, records, roots):
        job = records.get(records.add("done", cwd=records.folder / "data"))
        draft = form_defaults.again(job, roots).draft
        assert draft["train_csv"] == "data/data/train.csv"
        assert draft["model_name"] == "openai/clip-vit-large-patch14-336"

    def test_training_goes_on_from_captions(self, records, roots):
        settings = {"val_csv": Path("data/val.csv"), "output_dir": Path("outputs/c")}
        job = records.get(records.add("done", "generate_captions", **settings))
        folder = records.folder / "outputs" / "c"
        folder.mkdir()
        for split in ("train", "val"):
            (folder / f"{split}_captions.csv").touch()
        assert form_defaults.next_kind(job) == "train"
        draft = form_defaults.after(job, roots).draft
        assert draft["train_csv"] == "outputs/c/train_captions.csv"
        assert draft["val_csv"] == "outputs/c/val_captions.csv"
        assert draft["image_dir"] == "data/images"

    def test_an_evaluation_goes_on_from_a_training(self, records, roots):
        job = records.get(records.add("done", output_dir=Path("outputs/t"), run_name="x"))
        (records.folder / "outputs" / "t").mkdir()
        (records.folder / "outputs" / "t" / "best_model.pt").touch()
        draft = form_defaults.after(job, roots).draft
        expected = {
            "checkpoint_path": "outputs/t/best_model.pt",
            "image_dir": "data/images",
            "test_csv": "data/test.csv",
            "candidates_file": "data/candidates.json",
            "run_name": "x",
        }
        assert {name: draft[name] for name in expected} == expected

    def test_what_is_gone_or_outside_is_not_proposed(self, records, roots):
        elsewhere = records.folder / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "best_model.pt").touch()
        job = records.get(records.add("done", output_dir=elsewhere))
        (records.folder / "data" / "test.csv").unlink()
        draft = form_defaults.after(job, roots).draft
        assert (draft["checkpoint_path"], draft["test_csv"]) == ("", "")

    @pytest.mark.parametrize("state", ["failed", "running", "cancelled"])
    def test_nothing_goes_on_from_a_job_that_is_not_done(self, records, state):
        assert form_defaults.next_kind(records.get(records.add(state))) is None


def test_a_folder_outside_the_roots_moves_into_the_first(roots):
    only = Roots((roots.folders[0],), roots.base)
    moved = with_new_output({"output_dir": "/elsewhere/training"}, only)
    assert moved == {"output_dir": only.written(only.folders[0] / "training")}


def test_a_free_folder_is_the_next_number(roots):
    draft = {"output_dir": "outputs/t_2"}
    assert with_new_output(draft, roots) == draft
    (roots.base / "outputs" / "t_2").mkdir(parents=True)
    (roots.base / "outputs" / "t_3").mkdir()
    assert with_new_output(draft, roots) == {"output_dir": "outputs/t_4"}
