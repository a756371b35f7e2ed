import pandas as pd
import pytest

from streetclip.runtime import (
    JobProgress,
    beat_job,
    list_jobs,
    runs_of_job,
    trainings_of_job,
)
from streetclip.store import list_runs, open_store, set_run_state


def test_jobs_are_listed_newest_first_as_they_are(queue):
    first, second = queue.start(), queue.add(name="second", output_dir=None)
    beat_job(queue.store, first, 1, JobProgress("training", "step", 5, 9, 2.5, {"loss": 1.5}))
    frame = list_jobs(queue.store)
    assert frame["id"].tolist() == [second, first]
    for row in frame.to_dict("records"):
        job = queue.get(row["id"])
        assert row.keys() == job.keys()
        for name, value in job.items():
            assert pd.isna(row[name]) if value is None else row[name] == value


def test_an_empty_list_has_the_columns_and_types_of_a_full_one(queue):
    queue.add()
    full, empty = list_jobs(queue.store), list_jobs(queue.store, states=["done"])
    assert empty.empty
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()


def test_a_list_ends_at_its_limit(queue):
    ids = [queue.add() for _ in range(4)]
    assert list_jobs(queue.store, limit=3)["id"].tolist() == ids[:0:-1]


@pytest.mark.parametrize("limit", [0, -1])
def test_no_rows_are_given_where_none_are_wanted(queue, limit):
    queue.add()
    assert list_jobs(queue.store, limit=limit).empty


def test_a_list_is_filtered_by_kind_and_state(queue):
    train, evaluate = queue.bring("done"), queue.start(kind="evaluate")
    runner = queue.register(kind="run_queue", output_dir=None).job_id
    queued = queue.add(kind="evaluate")

    def ids(**filters):
        return list_jobs(queue.store, **filters)["id"].tolist()

    assert ids() == [queued, evaluate, train]
    assert ids(kinds=["run_queue"]) == [runner]
    assert ids(kinds=["run_queue", "train"]) == [runner, train]
    assert ids(kinds=["evaluate"], states=["running", "done"]) == [evaluate]
    assert ids(states=["running", "done"]) == [evaluate, train]
    assert ids(kinds=["'; DROP TABLE jobs; --"]) == []


def test_a_reader_sees_jobs(queue):
    job_id = queue.start()
    with open_store(queue.path, read_only=True) as reader:
        assert list_jobs(reader)["id"].tolist() == [job_id]
        assert runs_of_job(reader, job_id) == trainings_of_job(reader, job_id) == []


def test_a_list_of_runs_says_which_job_made_them(filled):
    other = filled.start()
    set_run_state(filled.store, other, "failed", "why", job_id=4)
    listed = list_runs(filled.store).set_index("id")["job_id"]
    assert listed[other] == 4
    assert pd.isna(listed[filled.run_id])
