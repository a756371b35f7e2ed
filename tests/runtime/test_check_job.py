"""Where a job starts, its arguments are checked as if they came from anywhere."""

import pytest

from streetclip.config import JOB_CONFIGS
from streetclip.config.arguments import from_arguments, to_arguments
from streetclip.errors import ConfigError
from streetclip.runtime import Roots, check_job
from tests.dashboard.job_records import NEEDED


@pytest.fixture
def check(tmp_path):
    roots = Roots((tmp_path / "data", tmp_path / "outputs"), tmp_path)

    def run(*arguments, kind="train", db="outputs/streetclip.db"):
        needed = [f"--{name}={value}" for name, value in NEEDED.get(kind, {}).items()]
        given = [f"--db={db}", *needed, *arguments]
        check_job(tmp_path / "outputs" / "streetclip.db", kind, given, roots)

    return run


@pytest.mark.parametrize("kind", sorted(NEEDED))
def test_flags_are_read_as_they_are_written(kind):
    config = JOB_CONFIGS[kind](**NEEDED[kind])
    assert from_arguments(kind, to_arguments(config)) == config


def test_a_job_within_the_roots_is_started(check):
    check("--resume", "--num_epochs=3", "--templates=full", "--templates=paper")
    check("--model_name=openai/clip-vit-base-patch32", "--prompts=paper", kind="evaluate")


@pytest.mark.parametrize(
    "argument",
    [
        "--output_dir=/etc",
        "--output_dir=data/../../x",
        "--image_dir=/",
        "--template_file=elsewhere/t.txt",
        "--model_name=/srv/model.pt",
        "--model_name=data/../..",
    ],
)
def test_a_path_outside_the_roots_is_refused(check, argument):
    flag, _, value = argument.partition("=")
    with pytest.raises(ConfigError, match=f"{flag} is '{value}'"):
        check(argument)


@pytest.mark.parametrize(
    "argument",
    ["--recipe=/etc/x", "--no_such=1", "output", "-x", "--resume=1", "--seed", "--seed=x", ""],
)
def test_an_argument_in_another_form_is_refused(check, argument):
    with pytest.raises(ConfigError, match="expected a"):
        check(argument)


def test_a_path_without_a_name_is_the_working_folder(check):
    with pytest.raises(ConfigError, match=r"--output_dir is '\.': lies outside"):
        check("--output_dir=")


def test_a_link_that_leads_out_is_refused(check, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "out").symlink_to("/")
    with pytest.raises(ConfigError, match="outside"):
        check("--output_dir=data/out")


def test_another_store_is_refused(check):
    with pytest.raises(ConfigError, match="the store that holds the job"):
        check(db="outputs/other.db")


@pytest.mark.parametrize("kind", ["run_queue", "../x", "", "submit_slurm"])
def test_another_kind_is_refused(check, kind):
    with pytest.raises(ConfigError, match="kind is '"):
        check(kind=kind)


def test_a_setting_that_is_required_is_missing(tmp_path):
    with pytest.raises(ConfigError, match="--image_dir, --train_csv, --val_csv missing"):
        from_arguments("train", [])
