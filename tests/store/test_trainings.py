import math

import pytest

from streetclip.errors import StoreError
from streetclip.store import (
    TrainingSpec,
    find_begun_training,
    find_training,
    list_trainings,
    log_training_points,
    open_store,
    restart_training,
    set_training_best,
    set_training_state,
    start_training,
    training_curves,
)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "streetclip.db") as opened:
        yield opened


def spec(**changes):
    values = {
        "name": "demo",
        "model_source": "data/demo/model",
        "train_csv": "train.csv",
        "val_csv": "val.csv",
        "output_dir": "outputs/training",
        "config": {"learning_rate": 1e-6},
        "versions": {"torch": "2.13.0"},
        "commit": "e3a0417",
    }
    return TrainingSpec(**(values | changes))


def test_trainings_are_listed_newest_first(store):
    first = start_training(store, spec())
    second = start_training(store, spec(name="other", commit=None))
    set_training_state(store, first, "failed", "out of memory")
    listed = list_trainings(store)
    assert listed["id"].tolist() == [second, first]
    assert listed["state"].tolist() == ["running", "failed"]
    assert listed["error"].tolist()[1] == "out of memory"
    assert listed["config"].tolist()[0] == {"learning_rate": 1e-6}
    assert listed["versions"].tolist()[1] == {"torch": "2.13.0"}


def test_a_training_stopped_before_its_first_checkpoint_begins_anew_under_its_number(store):
    start_training(store, spec())
    stopped = start_training(store, spec())
    log_training_points(store, stopped, [(3, 0.5, "loss", 4.5)])
    set_training_state(store, stopped, "failed", "a fault")
    assert find_begun_training(store, "outputs/training") == stopped
    restart_training(store, stopped, spec(name="again", config={"seed": 7}), job_id=5)
    listed = list_trainings(store)
    assert listed["name"].tolist() == ["again", "demo"]
    assert listed["state"].tolist() == ["running", "running"]
    assert listed["error"].tolist() == [None, None]
    assert listed["config"].tolist()[0] == {"seed": 7}
    assert listed["job_id"].tolist()[0] == 5
    assert training_curves(store, stopped).empty


def test_a_training_with_a_checkpoint_or_an_end_is_not_begun_anew(store):
    assert find_begun_training(store, "outputs/training") is None
    first = start_training(store, spec())
    set_training_best(store, first, {"epoch": 1})
    assert find_begun_training(store, "outputs/training") is None
    second = start_training(store, spec())
    assert find_begun_training(store, "outputs/other") is None
    set_training_state(store, second, "done")
    assert find_begun_training(store, "outputs/training") is None


def test_points_can_be_read_from_a_step_on(store):
    training = start_training(store, spec())
    points = [
        (1, 0.1, "loss", 3.0),
        (2, 0.2, "loss", 2.0),
        (2, 0.2, "lr", 1.0),
        (3, 0.3, "lr", 2.0),
    ]
    log_training_points(store, training, points)
    found = training_curves(store, training, from_step=2)
    assert list(zip(found["name"], found["step"], strict=True)) == [
        ("loss", 2),
        ("lr", 2),
        ("lr", 3),
    ]


def test_a_list_says_which_checkpoint_was_chosen_and_by_which_job(store):
    first, second = start_training(store, spec(), job_id=7), start_training(store, spec())
    best = {"epoch": 2, "step": 40, "checkpoint": "best_model.pt", "reason": "lowest, “so far”"}
    set_training_best(store, first, {"epoch": 1})
    set_training_best(store, first, best)
    set_training_state(store, first, "done")  # keeps its job
    set_training_state(store, second, "running", job_id=8)
    listed = list_trainings(store)
    assert listed["best"].tolist() == [None, best]
    assert listed["job_id"].tolist() == [8, 7]


def test_no_training_lists_no_rows(store):
    assert list_trainings(store).empty
    assert training_curves(store, 1).empty


def test_the_newest_training_of_a_folder_is_found(store):
    start_training(store, spec())
    newest = start_training(store, spec())
    start_training(store, spec(output_dir="elsewhere"))
    assert find_training(store, "outputs/training") == newest
    assert find_training(store, "nowhere") is None


def test_curves_come_back_by_name_and_step(store):
    first, second = start_training(store, spec()), start_training(store, spec())
    points = [
        (20, 1.0, "val_loss", 2.5),
        (20, 1.0, "train_loss", 3.0),
        (10, 0.5, "train_loss", 3.5),
    ]
    log_training_points(store, first, points)
    log_training_points(store, second, [(10, 0.5, "train_loss", 9.0)])
    assert training_curves(store, first).to_dict("tight")["data"] == [
        [10, 0.5, "train_loss", 3.5],
        [20, 1.0, "train_loss", 3.0],
        [20, 1.0, "val_loss", 2.5],
    ]


def test_a_step_logged_again_after_a_resume_replaces_the_first(store):
    training_id = start_training(store, spec())
    log_training_points(store, training_id, [(10, 0.5, "train_loss", 3.5)])
    log_training_points(store, training_id, [(10, 0.5, "train_loss", 3.25)])
    assert training_curves(store, training_id)["value"].tolist() == [3.25]


def test_a_loss_that_is_not_a_number_is_kept_as_missing(store):
    training_id = start_training(store, spec())
    log_training_points(store, training_id, [(10, 0.5, "train_loss", math.nan)])
    assert training_curves(store, training_id)["value"].isna().tolist() == [True]


def test_a_training_that_is_not_there_is_told(store):
    with pytest.raises(StoreError, match="has no training 5"):
        log_training_points(store, 5, [(10, 0.5, "train_loss", 1.0)])
    with pytest.raises(StoreError, match="has no training 5"):
        set_training_state(store, 5, "done")
    with pytest.raises(StoreError, match="has no training 5"):
        set_training_best(store, 5, {})
