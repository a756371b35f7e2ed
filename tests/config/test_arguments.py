import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.support.cli import build_config_parser
from streetclip.config import (
    JOB_CONFIGS,
    CaptionConfig,
    CheckDataConfig,
    EvaluateConfig,
    TrainConfig,
)
from streetclip.config.arguments import from_parameters, resume_arguments, to_arguments

ROOT = Path(__file__).parents[2]
TEXTS = st.text(
    alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1
).filter(lambda text: str(Path(text)) == text)


def parsed(config):
    """The config that the job's own parser makes of the arguments."""
    parser = build_config_parser(type(config), "x")
    values = vars(parser.parse_args(list(to_arguments(config))))
    return type(config)(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


@example("--", "--", 0.5, ["--"], False)
@example("a", "b", 0.5, ["--", "c", "--"], True)
@given(TEXTS, TEXTS, st.floats(1e-12, 1.0), st.lists(TEXTS, min_size=1, max_size=3), st.booleans())
def test_a_job_understands_the_arguments_as_they_were_meant(name, path, rate, words, resume):
    config = TrainConfig(
        train_csv=Path(path),
        val_csv=Path("val.csv"),
        image_dir=Path("images"),
        run_name=name,
        learning_rate=rate,
        templates=tuple(words),
        resume=resume,
    )
    assert parsed(config) == config


@pytest.mark.parametrize("name", ["--resume", "-x", "a b", "'; rm -rf /", "a\nb", '"', "$(x)", "="])
def test_no_value_is_taken_for_a_flag_or_a_command(name):
    config = EvaluateConfig(
        test_csv=Path("a.csv"), image_dir=Path("b"), run_name=name, strategy=("flat", "marginal")
    )
    assert parsed(config) == config


def test_defaults_are_left_out_but_for_the_store():
    config = CheckDataConfig(csv=(Path("a.csv"), Path("b c.csv")))
    assert to_arguments(config) == ("--db=outputs/streetclip.db", "--csv=a.csv", "--csv=b c.csv")


def test_a_stored_config_can_be_made_again():
    config = EvaluateConfig(
        test_csv=Path("a.csv"), image_dir=Path("b"), strategy=("flat",), seed=3, precision="bf16"
    )
    stored = json.loads(json.dumps(config.to_dict())) | {"of_a_later_version": 1}
    assert EvaluateConfig(**from_parameters(EvaluateConfig, stored)) == config


def test_missing_values_stay_missing():
    assert from_parameters(CaptionConfig, {"val_csv": None}) == {"val_csv": None}


def test_resuming_adds_one_flag_once():
    once = resume_arguments("train", ("--seed=1",), begun=True)
    assert once == ("--seed=1", "--resume")
    assert resume_arguments("train", once, begun=True) == once


def test_captions_replace_only_what_they_had_begun_to_write():
    assert resume_arguments("generate_captions", (), begun=True) == ("--overwrite",)
    assert resume_arguments("generate_captions", (), begun=False) == ()


def test_a_check_is_repeated_as_it_is():
    assert resume_arguments("check_data", ("--csv=a",), begun=True) == ("--csv=a",)


def test_every_job_has_a_config_that_names_its_file():
    files = {path.stem for path in (ROOT / "jobs").glob("*.py") if "__main__" in path.read_text()}
    # To submit is over at once and keeps no record: the evaluation that runs then keeps its own.
    # The gazetteer's tables are part of the source, remade when GeoNames' package is replaced.
    # The launcher starts other jobs.
    assert set(JOB_CONFIGS) == files - {"submit_slurm", "build_place_tables", "launch"}


def test_every_config_has_a_store():
    for config_class in JOB_CONFIGS.values():
        assert "db" in {field.name for field in dataclasses.fields(config_class)}
