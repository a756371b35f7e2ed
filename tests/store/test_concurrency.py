"""Jobs write, each in its own process, while the dashboard reads and runners share the queue."""

import subprocess
import sys

import numpy as np
import pytest

from streetclip.runtime import claim_job, interrupt_dead_jobs
from streetclip.store import (
    Flag,
    dataset_columns,
    get_run,
    list_runs,
    open_store,
    predicted_places,
    run_columns,
)

JOB = """
import sys
import pandas as pd
from streetclip.store import open_store, write_predictions

path, frame_path, run_id, batch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
predictions = pd.read_pickle(frame_path)
with open_store(path) as store:
    for start in range(0, len(predictions), batch):
        write_predictions(store, {run_id: predictions[start : start + batch]})
"""

OPENER = """
import sys
from streetclip.store import open_store, start_training, TrainingSpec

input()
with open_store(sys.argv[1]) as store:
    print(start_training(store, TrainingSpec(
        name="t", model_source="m", train_csv="a", val_csv="b", output_dir="o", config={})))
"""


def start_process(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_two_jobs_write_while_a_reader_sees_whole_batches(make_filled):
    filled = make_filled(900)
    frame_path = filled.folder / "predictions.pickle"
    filled.predictions().to_pickle(frame_path)
    run_ids = [filled.run_id, filled.start(name="second")]
    image_ids = np.sort(filled.dataset.image_ids)
    jobs = [start_process(JOB, filled.path, frame_path, run_id, 30) for run_id in run_ids]
    seen = set()
    with open_store(filled.path, read_only=True, busy_timeout_s=5.0) as reader:
        while any(job.poll() is None for job in jobs):
            for run_id in run_ids:
                with reader.snapshot():
                    n = get_run(reader, run_id)["num_done"]
                    columns = run_columns(reader, run_id, ["flags"], image_ids)
                    assert columns["done"].sum() == n
                    correct = list_runs(reader).set_index("id").loc[run_id, "country_correct"]
                    assert np.count_nonzero(columns["flags"] & Flag.COUNTRY_CORRECT) == correct
                assert n % 30 == 0
                seen.add(n)
        outputs = [job.communicate() for job in jobs]
        assert [job.returncode for job in jobs] == [0, 0], outputs
        totals = list_runs(reader)
    assert totals["num_done"].tolist() == [900, 900]
    assert totals["country_correct"].nunique() == 1
    assert len(seen) > 2  # something was seen on the way


def test_two_jobs_may_make_the_store_at_the_same_time(tmp_path):
    path = tmp_path / "streetclip.db"
    jobs = [start_process(OPENER, path) for _ in range(3)]
    outputs = [job.communicate("go\n") for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0, 0], outputs
    assert sorted(out.strip() for out, _ in outputs) == ["1", "2", "3"]


FINISHER = """
import sys
import pandas as pd
from streetclip.store import finish_run, open_store, write_predictions

path, frame_path, run_id, batch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
predictions = pd.read_pickle(frame_path)
with open_store(path) as store:
    for start in range(0, len(predictions), batch):
        write_predictions(store, {run_id: predictions[start : start + batch]})
    finish_run(store, run_id, {})
"""


@pytest.mark.slow
def test_a_reader_of_columns_sees_whole_batches_while_a_job_writes_and_finishes(make_filled):
    filled = make_filled(900)
    predictions = filled.predictions()
    # Each batch brings places that were not predicted before.
    cities = np.where(predictions["pred_city"].isna(), None, [f"c{i // 7}" for i in range(900)])
    predictions = predictions.assign(pred_city=cities).sample(frac=1, random_state=8)
    frame_path = filled.folder / "predictions.pickle"
    predictions.to_pickle(frame_path)
    expected = predictions.set_index("image_id")
    job = start_process(FINISHER, filled.path, frame_path, filled.run_id, 30)
    seen, ended = set(), False
    with open_store(filled.path, read_only=True, busy_timeout_s=5.0) as reader:
        image_ids = dataset_columns(reader, filled.dataset.id).image_ids
        while not ended:
            ended = job.poll() is not None
            with reader.snapshot():
                columns = run_columns(reader, filled.run_id, ["pred_place", "margin"], image_ids)
                places = predicted_places(reader, filled.run_id)
            done = np.flatnonzero(columns["done"])
            assert len(done) % 30 == 0
            seen.add(len(done))
            found = places.iloc[columns["pred_place"][done]]["city"]
            wanted = expected.loc[image_ids[done], "pred_city"].fillna("")
            assert found.tolist() == wanted.tolist()
    output = job.communicate()
    assert job.returncode == 0, output
    assert max(seen) == 900
    assert len(seen) > 2


CLAIMER = """
import sys, time
from streetclip.process_identity import current_process
from streetclip.runtime import attach_job, beat_job, claim_job, end_job, list_jobs
from streetclip.store import open_store

path, most_running, process = sys.argv[1], int(sys.argv[2]), current_process()
with open_store(path) as store:
    print("ready", flush=True)
    input()
    while not list_jobs(store, states=["queued", "running"], limit=1).empty:
        ticket = claim_job(store, process, most_running=most_running)
        if ticket is None:
            time.sleep(0.001)
            continue
        assert attach_job(store, ticket.job_id, process) == ticket
        assert beat_job(store, ticket.job_id, 1, None) == (True, False)
        time.sleep(0.002)
        assert end_job(store, ticket.job_id, 1, "done")
        print(ticket.job_id)
"""


@pytest.mark.slow
def test_eight_runners_claim_200_queued_jobs_each_exactly_once(queue):
    job_ids = [queue.add() for _ in range(200)]
    runners = [start_process(CLAIMER, queue.path, 5) for _ in range(8)]
    assert [runner.stdout.readline() for runner in runners] == ["ready\n"] * 8
    with queue.store.transaction():
        # After they have opened it, which refuses triggers of others, the store
        # itself notes each claim, and how many jobs run from then on.
        queue.store.rows("CREATE TABLE claims (job_id INTEGER, num_running INTEGER)")
        queue.store.rows(
            "CREATE TRIGGER claimed AFTER UPDATE OF attempt ON jobs BEGIN "
            "INSERT INTO claims SELECT new.id, count(*) FROM jobs WHERE state = 'running'; END"
        )
    for runner in runners:
        runner.stdin.write("go\n")
        runner.stdin.flush()
    outputs = [runner.communicate() for runner in runners]
    assert [runner.returncode for runner in runners] == [0] * 8, outputs
    assert sorted(int(line) for out, _ in outputs for line in out.split()) == job_ids
    assert sum(out != "" for out, _ in outputs) > 1  # they did share
    claims = queue.store.rows("SELECT job_id, num_running FROM claims ORDER BY rowid")
    assert [job_id for job_id, _ in claims] == job_ids  # the longest queued first
    assert max(num_running for _, num_running in claims) <= 5
    assert queue.store.rows("SELECT DISTINCT state, attempt FROM jobs") == [("done", 1)]


def test_who_finds_nothing_to_do_waits_for_no_writer(queue):
    queue.start()
    with open_store(queue.path, busy_timeout_s=0.0) as other, queue.store.transaction():
        assert claim_job(other, queue.process, most_running=99) is None
        assert interrupt_dead_jobs(other) == []
