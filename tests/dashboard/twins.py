"""Two stores with the same ids, names, counts and times, and what can happen to one of them."""

import os
import sqlite3
from contextlib import closing

from streetclip.evaluation.run_metrics import measure
from streetclip.results import RunTable
from streetclip.runtime import JobSpec, enqueue_job
from streetclip.store import (
    TrainingSpec,
    annotate,
    finish_run,
    log_training_points,
    open_store,
    start_training,
    undo,
    write_predictions,
)
from tests.dashboard.worlds import CODES, World, predictions

NUM_IMAGES = 50
NOW = "2026-01-01T00:00:00.000+00:00"


class Twin(World):
    """A store with two runs and a training, like its twin but for what the seed decides."""

    def __init__(self, folder, seed):
        folder.mkdir(parents=True)
        super().__init__(folder, num_images=NUM_IMAGES, seed=seed, with_files=False)
        self.add_run(seed=seed + 1, skill=0.7, num_done=40, state="interrupted")
        self.add_run("other", seed=seed + 2, skill=0.4)
        with open_store(self.path) as store:
            annotate(store, range(seed, seed + 5), add_tags=["a"], status="reviewed")
            annotate(store, [1], add_tags=[f"tag {seed}"])
            enqueue_job(
                store,
                JobSpec(
                    kind="train",
                    name=f"job {seed}",
                    arguments=(),
                    parameters={},
                    output_dir="o",
                    cwd=folder,
                ),
            )
            start_training(store, TRAINING)
            points = [(i, i / 10, "loss", seed + i / 7) for i in range(1, 6)]
            log_training_points(store, 1, points)
            write_sql(
                store.path,
                f"UPDATE runs SET created_at = '{NOW}', updated_at = '{NOW}', fingerprint = 'f'",
                f"UPDATE trainings SET created_at = '{NOW}', updated_at = '{NOW}'",
                f"UPDATE datasets SET created_at = '{NOW}', csv_sha256 = 'c'",
                f"UPDATE attribute_values SET value = 'snow {seed}' WHERE value = 'snow'",
                f"UPDATE places SET region = 'region {seed}' WHERE city = 'Rennes'",
            )
        settle(self.path)


TRAINING = TrainingSpec(
    name="t", model_source="m", train_csv="a", val_csv="b", output_dir="o", config={}
)


def write_sql(path, *statements):
    with closing(sqlite3.connect(path)) as connection, connection:
        for each in statements:
            connection.execute(each)


def settle(path):
    """Move what is in the log into the file itself, and remove the log."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def put_in_place(source, path):
    """Overwrite a store in place, as `cp` does: the same inode, and the time of before."""
    times = path.stat()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with path.open("r+b") as file:
        file.truncate()
        file.write(source.read_bytes())
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def overwrite(path, twins):
    put_in_place(twins[1].path, path)


def go_on(path, twins):
    frame = predictions(twins[0].rows, twins[0].dataset.image_ids, 6, 0.7)
    with open_store(path) as store:
        write_predictions(store, {1: frame})
        found = measure(RunTable.open(path, 1), candidate_codes=CODES)
        finish_run(store, 1, found)


def go_on_otherwise(path, twins):
    """What a backup that was restored may come to: the same images, judged otherwise."""
    frame = predictions(twins[0].rows, twins[0].dataset.image_ids, 77, 0.2)
    with open_store(path) as store:
        write_predictions(store, {1: frame})


def make_the_run_again(path, twins):
    """Another run and another training in the place of ones that were removed."""
    write_sql(
        path,
        "DELETE FROM training_points",
        "DELETE FROM trainings",
        *(f"DELETE FROM {table} WHERE run_id = 2" for table in RUN_TABLES),
        "DELETE FROM column_parts WHERE owner = 'run' AND owner_id = 2",
        "DELETE FROM runs WHERE id = 2",
    )
    again = object.__new__(World)
    vars(again).update(vars(twins[0]) | {"path": path})
    assert again.add_run("other", seed=99, skill=0.9) == 2
    with open_store(path) as store:
        assert start_training(store, TRAINING) == 1
        log_training_points(store, 1, [(i, i / 10, "loss", i / 3) for i in range(1, 6)])
    times = f"created_at = '{NOW}', updated_at = '{NOW}'"
    write_sql(path, f"UPDATE runs SET {times}, fingerprint = 'f'", f"UPDATE trainings SET {times}")


RUN_TABLES = ("predictions", "prediction_rankings", "predicted_places")


def annotate_more(path, twins):
    with open_store(path) as store:
        annotate(store, [20], add_tags=["a", "c"], status="to check")
        undo(store)
        annotate(store, [21], add_tags=["a"], status="reviewed")


def train_on(path, value):
    with open_store(path) as store:
        log_training_points(store, 1, [(4, 0.4, "loss", value), (9, 0.9, "loss", value)])
