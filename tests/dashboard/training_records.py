"""A store with trainings of known points, in any state."""

from dashboard.shell import formats
from streetclip.store import (
    TrainingSpec,
    log_training_points,
    open_store,
    set_training_best,
    set_training_state,
    start_training,
)

NUM_VAL = 40
# Steps 1 to 7 in epochs of 3; the windows are of 2 steps, but for the last of an epoch.
LOSSES = {2: 4.0, 3: 1.0, 5: 2.0, 6: 0.5, 7: 0.25}


NUM_HELD_OUT = 16


def points(num_epochs=2, *, correct=(3, 20, 17), held_out=None):
    """A training's points; `held_out`: images of held-out countries that are right, by epoch."""
    made = []
    for step, loss in LOSSES.items():
        values = {"loss": loss, "lr": 1e-4 * step, "images_per_s": 30.0 + step}
        values |= {"memory_mib": 900.0 + step, "grad_norm": 2.0, "logit_scale": 14.0}
        made += [(step, step / 3, name, value) for name, value in values.items()]
    for epoch in range(num_epochs + 1):
        values = {"val_loss": 3.0 - epoch, "val_country_accuracy": correct[epoch] / NUM_VAL}
        values |= {"val_num_correct": correct[epoch], "val_num_images": NUM_VAL}
        if held_out:
            values |= {"holdout_country_accuracy": held_out[epoch] / NUM_HELD_OUT}
            values |= {"holdout_num_correct": held_out[epoch], "holdout_num_images": NUM_HELD_OUT}
        made += [(3 * epoch, epoch, name, value) for name, value in values.items()]
    return sorted(made)


def spec(text="", **changes):
    values = {
        "name": f"b32{text}",
        "model_source": f"openai/clip{text}",
        "train_csv": f"train.csv{text}",
        "val_csv": "val.csv",
        "output_dir": f"outputs/training{text}",
        "config": {"num_epochs": 3, "batch_size": 5, "image_dir": f"photos{text}"},
        "versions": {"torch": "2.13.0"},
        "commit": "e3a0417",
    }
    return TrainingSpec(**(values | changes))


class Trainings:
    """A store that tests write trainings into, as the train job does."""

    def __init__(self, path):
        self.path = path

    def add(self, state="done", rows=None, *, best=True, error=None, text="", why="", **changes):
        with open_store(self.path) as store:
            training = start_training(store, spec(text, **changes))
            log_training_points(store, training, points() if rows is None else rows)
            if best:
                set_training_best(
                    store, training, self.best(text) | ({"stop_reason": why} if why else {})
                )
            set_training_state(store, training, state, error)
        return training

    def best(self, text=""):
        return {
            "epoch": 1,
            "step": 3,
            "checkpoint": str(self.path.parent / f"best_model{text}.pt"),
            "sha256": "abc",
            "reason": f"20 of 40 are right{text}",
        }

    def set_state(self, training, state):
        with open_store(self.path) as store:
            set_training_state(store, training, state)

    def log(self, training, rows):
        with open_store(self.path) as store:
            log_training_points(store, training, rows)


def epoch_table(page):
    return next(each.value for each in page.dataframe if "val_loss" in each.value)


def label(number, name="b32"):
    return f"{number} · {formats.isolated(name)}"
