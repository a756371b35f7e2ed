import dataclasses
import math

import pytest

from streetclip.config import (
    CaptionConfig,
    CheckDataConfig,
    DemoConfig,
    EvaluateConfig,
    TrainConfig,
)
from streetclip.errors import ConfigError


def train_config(**changes):
    return TrainConfig(train_csv="t.csv", val_csv="v.csv", image_dir="images", **changes)


def test_defaults_of_training_are_those_of_the_documentation():
    config = train_config()
    assert config.batch_size == 32
    assert config.num_epochs == 10
    assert config.learning_rate == 1e-6
    assert config.weight_decay == 1e-4
    assert config.model_name == "openai/clip-vit-large-patch14-336"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 1}, "--batch_size is 1; expected at least 2"),
        ({"learning_rate": 0.0}, "--learning_rate is 0; expected above 0 and at most 1"),
        ({"learning_rate": math.nan}, "--learning_rate is nan"),
        ({"weight_decay": -1.0}, "--weight_decay is -1; expected at least 0"),
        ({"precision": "int4"}, "--precision is 'int4'; expected one of auto, fp32, bf16, fp16"),
    ],
)
def test_value_out_of_range_is_named_with_its_bounds(changes, message):
    with pytest.raises(ConfigError, match=message):
        train_config(**changes)


def test_a_bound_itself_is_allowed():
    assert train_config(batch_size=2, weight_decay=0.0, warmup_fraction=1.0).batch_size == 2


def test_all_strategies_are_spelled_out():
    config = EvaluateConfig(test_csv="t.csv", image_dir="i", strategy=("all",))
    assert config.strategy == ("hierarchical", "flat", "marginal")


def test_a_strategy_named_twice_counts_once():
    config = EvaluateConfig(test_csv="t.csv", image_dir="i", strategy=("flat", "flat"))
    assert config.strategy == ("flat",)


def test_checkpoint_goes_before_the_base_model():
    config = EvaluateConfig(test_csv="t.csv", image_dir="i", checkpoint_path="best.pt")
    assert config.model_source == "best.pt"
    assert dataclasses.replace(config, checkpoint_path=None).model_source == config.model_name


def test_captions_need_a_csv():
    with pytest.raises(ConfigError, match="no CSV was given"):
        CaptionConfig()


def test_every_field_has_a_help_text():
    for config_class in (CaptionConfig, TrainConfig, EvaluateConfig, DemoConfig, CheckDataConfig):
        for field in dataclasses.fields(config_class):
            assert field.metadata["help"]


def test_plain_values_hold_no_path_and_no_tuple():
    plain = EvaluateConfig(test_csv="t.csv", image_dir="i").to_dict()
    assert plain["output_dir"] == "outputs/evaluation"
    assert plain["strategy"] == ["hierarchical"]
