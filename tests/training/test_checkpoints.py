import pytest
import torch

from streetclip.errors import ConfigError, ModelError, OutputError
from streetclip.training.checkpoints import (
    TrainingState,
    check_output_dir,
    check_same_training,
    load_state,
)
from streetclip.training.curves import Curves, Point
from streetclip.training.results import EpochRecord


@pytest.fixture
def precision():
    """Name one number format: nothing here depends on it."""
    return "fp32"


def record(correct, loss, epoch=1):
    return EpochRecord(epoch, 4 * epoch, 1.5, loss, num_correct=correct, num_images=10)


def test_better_is_more_correct_then_a_lower_loss():
    assert record(5, 2.0).is_better_than(None)
    assert record(6, 9.0).is_better_than(record(5, 1.0))
    assert record(5, 0.9).is_better_than(record(5, 1.0))
    assert not record(5, 1.0).is_better_than(record(5, 1.0))
    assert not record(4, 0.1).is_better_than(record(5, 1.0))


def test_a_state_survives_the_file(tmp_path):
    state = TrainingState(
        step=7, epochs=[record(1, 3.0, epoch=0), record(2, 2.0)], best=record(2, 2.0),
        num_skipped_batches=1, seconds=2.5, training_id=3,
        curves=Curves([Point(4, 0.5, "loss", 1.25)], [(1.0, 2.0)], [1.25]),
    )  # fmt: skip
    torch.save(state.to_dict(), tmp_path / "a.pt")
    read = torch.load(tmp_path / "a.pt", weights_only=True)
    assert TrainingState.from_dict(read).to_dict() == state.to_dict()
    assert TrainingState.from_dict(read).best == state.best


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 damaged", b"text"])
def test_a_damaged_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "last_checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"last_checkpoint\.pt"):
        load_state(path, None, {})


def test_a_model_is_no_training_to_resume(tmp_path):
    path = tmp_path / "last_checkpoint.pt"
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(ModelError, match="no training that this version can resume"):
        load_state(path, None, {})


def test_a_best_model_alone_is_not_trained_over_even_with_resume(world):
    config = world.config(resume=True)
    config.output_dir.mkdir()
    (config.output_dir / "best_model.pt").write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"best_model\.pt.*Without last_checkpoint\.pt"):
        check_output_dir(config)


def test_a_folder_with_other_files_may_be_trained_into(world):
    config = world.config()
    config.output_dir.mkdir()
    (config.output_dir / "notes.txt").write_text("mine", encoding="utf-8")
    check_output_dir(config)


def test_a_file_in_place_of_the_folder_is_refused(world):
    config = world.config()
    config.output_dir.write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file"):
        check_output_dir(config)


def test_every_difference_is_named(tmp_path):
    before = {"--seed": 1, "--beta2": 0.9, "gone": "x"}
    now = {"--seed": 2, "--beta2": 0.9}
    with pytest.raises(ConfigError) as caught:
        check_same_training(tmp_path / "last_checkpoint.pt", before, now)
    message = str(caught.value)
    assert "--seed was '1', is '2'" in message
    assert "gone was 'x', is 'None'" in message
    assert "--beta2" not in message


def test_long_values_are_shown_where_they_differ(tmp_path):
    pattern = "A Street View photo [close to the town of {city} ][in the region of {region} ]"
    before, now = {"--templates": [pattern]}, {"--templates": [pattern, pattern, "In {country}."]}
    with pytest.raises(ConfigError) as caught:
        check_same_training(tmp_path / "last_checkpoint.pt", before, now)
    was, _, now_is = str(caught.value).partition(", is ")
    assert "egion of {region} ]']" in was
    assert "egion of {region} ]', 'A Street View" in now_is


def test_what_an_earlier_version_did_not_record_is_named(tmp_path):
    with pytest.raises(ConfigError, match="new was not recorded by the version"):
        check_same_training(tmp_path / "last_checkpoint.pt", {"--seed": 1}, {"--seed": 1, "new": 2})


def test_a_resume_finishes_a_folder_that_a_kill_left_without_its_name(world):
    config = world.config(resume=True)
    (config.output_dir / ".streetclip-abcdefgh.tmp" / "old" / "best_model").mkdir(parents=True)
    new = config.output_dir / ".streetclip-abcdefgh.tmp" / "new" / "best_model"
    new.mkdir(parents=True)
    (new / "model.safetensors").write_bytes(b"newer")
    (config.output_dir / "last_checkpoint.pt").write_bytes(b"")
    check_output_dir(config)
    names = {str(each.relative_to(config.output_dir)) for each in config.output_dir.rglob("*")}
    assert names == {"last_checkpoint.pt", "best_model", "best_model/model.safetensors"}
