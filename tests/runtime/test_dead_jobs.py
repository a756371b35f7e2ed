"""Jobs whose record was taken from them, and jobs that ended without a word."""

import subprocess
import sys
import time

import pytest

from streetclip.process_identity import find_process
from streetclip.runtime import (
    JOB_STATES,
    JobProgress,
    attach_job,
    beat_job,
    claim_job,
    end_job,
    find_dead_jobs,
    interrupt_dead_jobs,
    live_runner,
    request_cancel,
    requeue_job,
    runs_of_job,
    trainings_of_job,
)
from streetclip.runtime.job_records import STALE_AFTER_S
from streetclip.store import (
    TrainingSpec,
    get_run,
    list_trainings,
    open_store,
    set_run_state,
    set_training_state,
    start_run,
    start_training,
)
from tests.runtime.heartbeats import set_heartbeat

PROGRESS = JobProgress("training", "step", 5, 9, 2.5, {"loss": 1.5})


def start_work(queue, job_id):
    """Runs and trainings of a job, in every state, and a running one of another job."""
    spec = TrainingSpec(
        name="t", model_source="m", train_csv="a", val_csv="b", output_dir="o", config={}
    )
    trainings = {}
    for state in ("running", "done", "failed"):
        trainings[state] = start_training(queue.store, spec, job_id=job_id)
        set_training_state(queue.store, trainings[state], state)
    trainings["other"] = start_training(queue.store, spec, job_id=job_id + 1)
    trainings["nobody's"] = start_training(queue.store, spec)
    return trainings


def states_of_trainings(queue, trainings):
    frame = list_trainings(queue.store).set_index("id")
    return {name: frame.loc[training, "state"] for name, training in trainings.items()}


# An attempt that is not the record's own any more.


def test_a_job_that_was_resumed_elsewhere_writes_nothing_and_learns_it(queue):
    job_id = queue.start()
    end_job(queue.store, job_id, 1, "interrupted")
    requeue_job(queue.store, job_id, [])
    queue.claim()
    attach_job(queue.store, job_id, queue.process)
    trainings = start_work(queue, job_id)
    before = queue.get(job_id)
    assert beat_job(queue.store, job_id, 1, PROGRESS) == (False, False)
    assert not end_job(queue.store, job_id, 1, "failed", error="late", outputs=["late"])
    assert queue.get(job_id) == before
    assert states_of_trainings(queue, trainings)["running"] == "running"
    assert beat_job(queue.store, job_id, 2, PROGRESS) == (True, False)


@pytest.mark.parametrize("state", JOB_STATES)
def test_only_a_running_job_beats(queue, state):
    job_id = queue.bring(state)
    before = queue.get(job_id)
    orders = beat_job(queue.store, job_id, before["attempt"], PROGRESS)
    assert orders == (state == "running", False)
    assert (queue.get(job_id)["done"] == 5) == (state == "running")
    if state != "running":
        assert queue.get(job_id) == before


def test_a_beat_writes_nothing_when_the_record_was_taken(queue):
    job_id = queue.start()

    def version(reader):
        return reader.rows("PRAGMA data_version")

    with open_store(queue.path, read_only=True) as reader:
        before = version(reader)
        for attempt, number in ((2, job_id), (0, job_id), (1, job_id + 1)):
            assert not beat_job(queue.store, number, attempt, PROGRESS).is_ours
        assert version(reader) == before
        assert beat_job(queue.store, job_id, 1, PROGRESS).is_ours
        assert version(reader) != before


def test_a_beat_is_found_by_its_key(queue):
    plan = queue.store.rows(
        "EXPLAIN QUERY PLAN UPDATE jobs SET heartbeat_at = '' "
        "WHERE id = 1 AND attempt = 1 AND state = 'running'"
    )
    assert [row[3] for row in plan] == ["SEARCH jobs USING INTEGER PRIMARY KEY (rowid=?)"]


# Processes that are gone.


@pytest.mark.parametrize(
    ("alive", "silent_s", "is_dead"),
    [
        (False, 0, True),
        (False, 999, True),
        (True, 0, False),
        (True, 999, False),  # as after the machine slept
        (None, STALE_AFTER_S - 5, False),
        (None, STALE_AFTER_S + 1, True),
    ],
)
def test_a_job_is_dead_if_its_process_is_gone_or_silent_elsewhere(
    queue, monkeypatch, clock, alive, silent_s, is_dead
):
    job_id = queue.start()
    last = set_heartbeat(queue, job_id, 0)
    if alive is not False:  # it is silent from the first look on
        monkeypatch.setattr("streetclip.process_identity.is_alive", lambda _: alive)
        assert find_dead_jobs(queue.store) == []
    clock.sleep(silent_s)
    asked = []
    monkeypatch.setattr(
        "streetclip.process_identity.is_alive", lambda each: asked.append(each) or alive
    )
    dead = [job_id] if is_dead else []
    before = queue.get(job_id)
    assert find_dead_jobs(queue.store) == dead
    assert asked == [queue.process]
    assert queue.get(job_id) == before
    assert interrupt_dead_jobs(queue.store) == dead
    assert find_dead_jobs(queue.store) == []
    job = queue.get(job_id)
    if not is_dead:
        assert job == before
        return
    assert (job["state"], job["ended_at"]) == ("interrupted", last)
    assert f"process {queue.process.pid} on '{queue.process.host}'" in job["error"]
    cause = "no sign of life after" if alive is None else "ended without an error message"
    assert cause in job["error"]
    assert last in job["error"]


@pytest.mark.parametrize("state", [state for state in JOB_STATES if state != "running"])
def test_a_job_that_does_not_run_is_never_dead(queue, monkeypatch, state):
    job_id = queue.bring(state)
    monkeypatch.setattr("streetclip.process_identity.is_alive", lambda _: False)
    assert find_dead_jobs(queue.store) == interrupt_dead_jobs(queue.store) == []
    assert queue.state(job_id) == state


def test_a_killed_process_is_noticed_and_its_record_goes_on_in_a_resume(queue):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    ticket = queue.register(find_process(child.pid))
    assert interrupt_dead_jobs(queue.store) == []
    child.kill()
    deadline = time.monotonic() + 30
    while not find_dead_jobs(queue.store):  # also before it is reaped
        assert time.monotonic() < deadline
    child.wait()
    child.stdin.close()
    again = queue.register(resume=True)  # whose own look makes the first one interrupted
    assert (again.job_id, again.attempt) == (ticket.job_id, 2)
    assert not end_job(queue.store, ticket.job_id, 1, "done")
    assert queue.state(ticket.job_id) == "running"


def test_another_process_that_was_given_the_number_is_not_the_job(queue):
    started_at = queue.process.started_at - 3600
    alive = queue.start()
    job_id = queue.start(queue.other(pid=queue.process.pid, started_at=started_at))
    assert find_dead_jobs(queue.store) == interrupt_dead_jobs(queue.store) == [job_id]
    assert queue.state(alive) == "running"


def test_a_job_on_another_machine_is_left_alone_until_it_is_silent(queue, clock):
    job_id = queue.start(queue.other(host="elsewhere.invalid", pid=queue.process.pid))
    assert interrupt_dead_jobs(queue.store) == []
    clock.sleep(STALE_AFTER_S + 1)
    assert interrupt_dead_jobs(queue.store) == [job_id]
    assert beat_job(queue.store, job_id, 1, None) == (False, False)  # it was only slow: it stops


def test_a_claimed_job_is_dead_with_the_runner_that_started_no_process(queue):
    job_id = queue.add()
    queue.claim(queue.other())
    started_at = queue.get(job_id)["started_at"]
    assert interrupt_dead_jobs(queue.store) == [job_id]
    assert queue.get(job_id)["ended_at"] == started_at


@pytest.mark.parametrize("attached", ["already", "while it is looked"])
def test_a_job_whose_process_has_attached_survives_its_runner(queue, monkeypatch, attached):
    job_id = queue.add()
    runner = queue.other()
    queue.claim(runner)

    def is_alive(process):
        if process == runner and queue.get(job_id)["heartbeat_at"] is None:
            attach_job(queue.store, job_id, queue.process)
        return process != runner

    monkeypatch.setattr("streetclip.process_identity.is_alive", is_alive)
    if attached == "already":
        attach_job(queue.store, job_id, queue.process)
    assert interrupt_dead_jobs(queue.store) == []
    assert queue.state(job_id) == "running"


def test_a_job_that_somebody_else_found_dead_and_resumed_goes_on(queue, monkeypatch):
    job_id = queue.add()
    queue.claim(queue.other())

    def is_alive(_):
        monkeypatch.setattr("streetclip.process_identity.is_alive", lambda _: True)
        end_job(queue.store, job_id, 1, "interrupted")
        requeue_job(queue.store, job_id, [])
        queue.claim()
        return False

    monkeypatch.setattr("streetclip.process_identity.is_alive", is_alive)
    assert interrupt_dead_jobs(queue.store) == []
    assert (queue.state(job_id), queue.get(job_id)["attempt"]) == ("running", 2)


def test_a_dead_job_that_was_asked_to_end_is_cancelled_and_its_work_interrupted(queue):
    job_id = queue.start()
    request_cancel(queue.store, job_id)
    trainings = start_work(queue, job_id)
    with queue.store.transaction():
        queue.store.rows("UPDATE jobs SET pid = 7, process_started_at = 1e9")
    assert interrupt_dead_jobs(queue.store) == [job_id]
    assert queue.state(job_id) == "cancelled"
    assert "ended without an error message" in queue.get(job_id)["error"]
    assert states_of_trainings(queue, trainings)["running"] == "interrupted"


@pytest.mark.parametrize("way", ["enqueue", "register", "requeue"])
def test_a_dead_job_does_not_keep_its_folder(queue, way):
    ended = queue.register()
    end_job(queue.store, ended.job_id, 1, "failed")
    dead = queue.start(queue.other(), output_dir=queue.folder / "outputs")
    if way == "enqueue":
        queue.add(output_dir=queue.folder / "outputs")
    elif way == "register":
        queue.register()
    else:
        requeue_job(queue.store, ended.job_id, [])
    assert queue.state(dead) == "interrupted"


def test_dead_jobs_make_room_once_they_are_interrupted(queue):
    dead, waiting = queue.add(), queue.add()
    queue.claim(queue.other())
    assert claim_job(queue.store, queue.process, most_running=1) is None
    assert interrupt_dead_jobs(queue.store) == [dead]
    assert claim_job(queue.store, queue.process, most_running=1).job_id == waiting


def test_a_runner_lives_as_long_as_its_process(queue, clock):
    runner = {"kind": "run_queue", "output_dir": None}
    queue.start()
    assert not live_runner(queue.store)
    dead = queue.register(queue.other(), **runner)
    assert not live_runner(queue.store)
    assert queue.state(dead.job_id) == "running"  # only looked at
    queue.register(queue.other(host="elsewhere.invalid"), **runner)
    assert live_runner(queue.store)
    clock.sleep(STALE_AFTER_S + 1)
    assert not live_runner(queue.store)
    ticket = queue.register(**runner)
    assert live_runner(queue.store)
    end_job(queue.store, ticket.job_id, 1, "done")
    assert not live_runner(queue.store)


# What a job's end means to its runs and trainings.


@pytest.mark.parametrize(
    ("end", "state"),
    [
        ("failed", "failed"),
        ("cancelled", "interrupted"),
        ("interrupted", "interrupted"),
        ("done", "running"),
    ],
)
def test_the_end_of_a_job_ends_its_running_trainings(queue, end, state):
    job_id = queue.start()
    trainings = start_work(queue, job_id)
    end_job(queue.store, job_id, 1, end, error="why")
    assert states_of_trainings(queue, trainings) == {
        "running": state,
        "done": "done",
        "failed": "failed",
        "other": "running",
        "nobody's": "running",
    }
    errors = list_trainings(queue.store).set_index("id")["error"]
    has_error = [name for name, each in trainings.items() if errors[each] == "why"]
    assert has_error == ([] if end == "done" else ["running"])


def test_the_runs_and_trainings_of_a_dead_job_are_interrupted(filled, queue):
    queue.store.close()
    queue.store = filled.store
    job_id = queue.start(queue.other())
    trainings = start_work(queue, job_id)
    mine = start_run(filled.store, filled.run_spec(), job_id=job_id)
    resumed, finished = filled.start(), filled.start()
    set_run_state(filled.store, resumed, "running", job_id=job_id)
    set_run_state(filled.store, finished, "failed", "x", job_id=job_id)
    set_run_state(filled.store, mine, "running")  # keeps its job
    assert runs_of_job(filled.store, job_id) == [mine, resumed, finished]
    assert trainings_of_job(filled.store, job_id) == [
        trainings[name] for name in ("running", "done", "failed")
    ]
    assert interrupt_dead_jobs(filled.store) == [job_id]
    runs = {run_id: get_run(filled.store, run_id) for run_id in (mine, resumed, finished)}
    assert [run["state"] for run in runs.values()] == ["interrupted", "interrupted", "failed"]
    assert runs[mine]["error"] == runs[resumed]["error"] == queue.get(job_id)["error"]
    assert get_run(filled.store, filled.run_id)["state"] == "running"
    assert states_of_trainings(queue, trainings)["running"] == "interrupted"
    assert states_of_trainings(queue, trainings)["other"] == "running"
