import dataclasses
import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jobs.support.cli import build_config_parser, resolve_flags, run_job
from streetclip.config import TrainConfig
from streetclip.config.arguments import to_arguments
from streetclip.config.recipes import load_recipe, recipe_names, reproduce_command, save_config
from streetclip.errors import ConfigError

ROOT = Path(__file__).parents[2]
NEEDED = ["--train_csv=t.csv", "--val_csv=v.csv", "--image_dir=images"]
NOT_DEFAULTS = [
    *("--train_csv=/a b/t.csv", "--val_csv=/v.csv", "--image_dir=/images", "--db=/x/é.db"),
    *("--output_dir=/outputs/it's", "--batch_size=7", "--learning_rate=0.1234567890123"),
    *("--templates", "full", "my own", "--gradient_checkpointing", "--holdout_countries=Fiji"),
    *("--run_name=x; y", "--template_file=/caf\udce9.txt", "--beta2=0.5", "--seed=3"),
]


def parsed(argv):
    parser = build_config_parser(TrainConfig, "x")
    values, said = resolve_flags(parser, TrainConfig, vars(parser.parse_args(argv)))
    return TrainConfig(**values), said


def written(folder, text, name="my.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_recipe_sets_what_its_file_says(name):
    text = (ROOT / "streetclip" / "config" / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    config, _ = parsed([*NEEDED, "--recipe", name])
    for key, value in tomllib.loads(text).items():
        found = getattr(config, key)
        assert (list(found) if isinstance(found, tuple) else found) == value


def test_every_line_of_the_paper_recipe_says_whether_it_is_known_or_inferred():
    lines = (ROOT / "streetclip" / "config" / "recipes" / "paper.toml").read_text().splitlines()
    settings = [line for line in lines if line and not line.startswith("#")]
    assert len(settings) > 15
    for line in settings:
        comment = line.partition("#")[2]
        assert comment.startswith((" known [card]", " known [PIGEON]", " inferred: ")), line


def test_the_paper_recipe_is_that_of_the_facts():
    config, _ = parsed([*NEEDED, "--recipe=paper"])
    assert (config.num_epochs, config.learning_rate, config.weight_decay) == (3, 1e-6, 1e-3)
    assert (config.batch_size, config.gradient_accumulation_steps) == (32, 12)
    assert (config.negatives, config.duplicates) == ("micro_batch", "ignore")
    assert (config.templates, config.redraw_captions) == (("dropout",), True)


def test_the_demo_recipe_is_what_the_makefile_trains_with():
    (line,) = [
        line for line in (ROOT / "Makefile").read_text().splitlines() if "--mode train" in line
    ]
    words = shlex.split(line)
    if "--recipe" not in words:
        for name, value in load_recipe("demo", TrainConfig).items():
            assert float(words[words.index(f"--{name}") + 1]) == value


def test_flags_go_before_the_recipe_and_the_recipe_before_the_defaults(tmp_path):
    recipe = written(tmp_path, "num_epochs = 3\nbatch_size = 9\ntemplates = ['full', 'paper']")
    config, said = parsed([*NEEDED, f"--recipe={recipe}", "--num_epochs=4", "--templates=dropout"])
    assert (config.num_epochs, config.batch_size, config.templates) == (4, 9, ("dropout",))
    assert config.weight_decay == 1e-4
    assert said == [
        f"recipe {recipe} sets num_epochs 3, batch_size 9, templates full paper",
        "flags override the recipe: num_epochs 4, templates dropout",
    ]


def test_a_flag_with_its_default_value_still_goes_before_the_recipe(tmp_path):
    recipe = written(tmp_path, "num_epochs = 3\ngradient_checkpointing = true")
    argv = [*NEEDED, f"--recipe={recipe}", "--num_epochs=10", "--no_gradient_checkpointing"]
    assert parsed(argv)[0] == parsed(NEEDED)[0]


def test_a_recipe_may_name_the_files(tmp_path):
    recipe = written(tmp_path, "train_csv = 'a'\nval_csv = 'b'\nimage_dir = 'c'")
    config, _ = parsed([f"--recipe={recipe}"])
    assert (config.train_csv, config.val_csv, config.image_dir) == (Path("a"), Path("b"), Path("c"))


def test_what_neither_flags_nor_recipe_name_is_asked_for_in_one_line(capsys):
    with pytest.raises(SystemExit) as stop:
        parsed(["--recipe=paper", "--val_csv=v.csv"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "the following arguments are required: --train_csv, --image_dir (see" in error
    assert error.count("\n") == 1


def test_without_a_flag_or_recipe_the_store_is_that_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("STREETCLIP_DB", "/env.db")
    assert parsed(NEEDED)[0].db == Path("/env.db")
    recipe = written(tmp_path, "db = '/recipe.db'")
    assert parsed([*NEEDED, f"--recipe={recipe}"])[0].db == Path("/recipe.db")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("num_epoch = 3", "'num_epoch' is no setting of train. Is num_epochs meant?"),
        ("recipe = 'paper'", "'recipe' is no setting of train"),
        ("num_epochs = 3.0", "num_epochs is '3.0' (float); expected a whole number."),
        ("num_epochs = '3'", "num_epochs is '3' (str); expected a whole number."),
        ("num_epochs = true", "num_epochs is 'True' (bool); expected a whole number."),
        ("learning_rate = false", "learning_rate is 'False' (bool); expected a finite number."),
        ("max_grad_norm = inf", "max_grad_norm is 'inf' (float); expected a finite number."),
        ("redraw_captions = 1", "redraw_captions is '1' (int); expected true or false."),
        ("model_name = 3", "model_name is '3' (int); expected a text."),
        ("train_csv = ['a']", "(list); expected a path."),
        ("templates = 'full'", "templates is 'full'; expected a list of at least one, each a text"),
        ("templates = []", "templates is empty; expected a list of at least one, each a text."),
        ("templates = ['a', 1]", "templates[1] is '1' (int); expected a text."),
        ("learning_rate = 0", "--learning_rate is 0; expected above 0 and at most 1."),
        ("loss = 'l2'", "--loss is 'l2'; expected one of softmax, sigmoid."),
        ("[loss]\nx = 1", "loss is"),
        ("num_epochs = ", "is no TOML that can be read"),
        ("num_epochs = 1\nnum_epochs = 2", "is no TOML that can be read"),
        (f"beta2 = 1{'0' * 400}", "expected a finite number."),
    ],
)
def test_a_recipe_that_cannot_be_used_is_refused_with_file_and_setting(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as refusal:
        load_recipe(path, TrainConfig)
    assert str(refusal.value).startswith(f"{path}: ")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "holds a list"),
        ("{", "is no JSON"),
        ('{"seed": NaN}', r"nan' \(float\); expected a whole"),
    ],
)
def test_json_that_cannot_be_used_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        load_recipe(written(tmp_path, text, "my.json"), TrainConfig)


def test_bytes_that_are_no_text_and_missing_files_are_refused(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"model_name = '\xe9'")
    for name, message in (
        ("a.toml", "is no TOML"),
        ("b.toml", "No such file"),
        (".json", "--recipe"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_recipe(str(tmp_path / name), TrainConfig)


def test_an_unknown_name_is_told_with_the_known_ones():
    with pytest.raises(ConfigError) as refusal:
        load_recipe("papper", TrainConfig)
    said = "--recipe is 'papper'; expected one of demo, lora, paper, or a .toml or .json file."
    assert str(refusal.value) == f"{said} Is paper meant?"


def test_a_wrong_recipe_ends_a_job_with_2_and_one_line(capsys):
    assert run_job(TrainConfig, "x", [*NEEDED, "--recipe=x"], print) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_saved_config_gives_the_same_config_again_but_for_its_output(tmp_path):
    config, _ = parsed(NOT_DEFAULTS)
    save_config(config, tmp_path / "config.json")
    again, _ = parsed([f"--recipe={tmp_path / 'config.json'}", "--output_dir=/other"])
    assert again == dataclasses.replace(config, output_dir=Path("/other"))
    assert set(json.loads((tmp_path / "config.json").read_text())) == {
        field.name for field in dataclasses.fields(TrainConfig)
    }


def test_a_record_made_with_a_recipe_starts_the_same_job_without_it():
    config, _ = parsed([*NEEDED, "--recipe=lora", "--no_redraw_captions"])
    assert parsed(list(to_arguments(config)))[0] == config


def test_a_saved_config_is_good_from_any_folder_and_starts_afresh(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    config, _ = parsed([*NEEDED, "--model_name=model", "--resume"])
    save_config(config, tmp_path / "config.json")
    monkeypatch.chdir("/")
    again, _ = parsed([f"--recipe={tmp_path / 'config.json'}"])
    assert again.train_csv == tmp_path / "t.csv"
    assert again.model_name == str(tmp_path / "model")
    assert again.db.is_absolute()
    assert not again.resume


def test_a_hub_id_stays_a_hub_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config, _ = parsed([*NEEDED, "--model_name=geolocal/StreetCLIP"])
    save_config(config, tmp_path / "config.json")
    assert load_recipe("config.json", TrainConfig)["model_name"] == "geolocal/StreetCLIP"


@pytest.mark.parametrize("folder", ["outputs/training", "it's; rm -rf x", "-x", ".", "a/.."])
def test_the_command_of_a_run_is_understood_by_a_shell_and_the_job(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config, _ = parsed([*NEEDED, f"--output_dir={folder}"])
    save_config(config, config.output_dir / "config.json")
    program, script, *argv = shlex.split(reproduce_command(config))
    assert (program, script) == ("python", "jobs/train.py")
    again, _ = parsed(argv)
    there = os.path.normpath(config.output_dir.absolute())
    assert os.path.normpath(again.output_dir.absolute()) == f"{there}-again"
    assert again.train_csv == tmp_path / "t.csv"


def test_a_run_of_several_processes_is_repeated_with_as_many():
    config, _ = parsed(NEEDED)
    command = reproduce_command(config, num_processes=3)
    assert command.startswith("python jobs/launch.py --nproc_per_node 3 jobs/train.py --recipe=")


def test_help_names_the_recipes_and_loads_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "jobs/train.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "(demo, lora, paper)" in " ".join(done.stdout.split())
    assert not {"torch", "numpy", "tomllib"} & {
        line.rpartition("|")[2].strip() for line in done.stderr.splitlines()
    }
