"""The life of a job: which step leads where, and which is refused."""

import math
from pathlib import Path

import pytest

from streetclip.errors import OutputError, StoreError
from streetclip.runtime import (
    JOB_STATES,
    JobProgress,
    attach_job,
    beat_job,
    end_job,
    enqueue_job,
    get_job,
    process_of,
    request_cancel,
    requeue_job,
)
from streetclip.store import open_store

ENDS = ("done", "failed", "cancelled", "interrupted")


@pytest.fixture
def by_chance_alive(monkeypatch):
    """Every process counts as alive, so that a made-up one is not found dead."""
    monkeypatch.setattr("streetclip.process_identity.is_alive", lambda _: True)


def test_a_queued_job_is_claimed_attached_and_done(queue):
    job_id = queue.add()
    assert queue.get(job_id)["attempt"] == 0
    ticket = queue.claim()
    assert (ticket.job_id, ticket.attempt, ticket.kind) == (job_id, 1, "train")
    assert (ticket.arguments, ticket.cwd) == (("--num_epochs=3",), queue.folder)
    assert attach_job(queue.store, job_id, queue.process, attempt=1) == ticket
    assert end_job(queue.store, job_id, 1, "done", outputs=["a", "b"])
    job = queue.get(job_id)
    assert (job["state"], job["attempt"], job["outputs"]) == ("done", 1, ["a", "b"])
    times = [job[name] for name in ("created_at", "started_at", "heartbeat_at", "ended_at")]
    assert times == sorted(times)


def test_a_job_from_a_shell_runs_at_once_as_its_process(queue):
    ticket = queue.register()
    job = queue.get(ticket.job_id)
    assert (job["state"], ticket.attempt, job["attempt"]) == ("running", 1, 1)
    assert process_of(job) == queue.process
    assert job["heartbeat_at"] is not None


def test_the_log_lies_beside_the_store(queue):
    first, second = queue.add(), queue.add(kind="evaluate")
    folder = queue.folder / "streetclip-logs"
    assert queue.get(first)["log_path"] == str(folder / "job-1-train.log")
    assert queue.get(second)["log_path"] == str(folder / "job-2-evaluate.log")
    assert queue.claim().log_path == folder / "job-1-train.log"
    assert not folder.exists()  # who writes it makes it


@pytest.mark.parametrize("state", JOB_STATES)
def test_only_a_queued_job_is_claimed(queue, state):
    job_id = queue.bring(state)
    before = queue.get(job_id)
    ticket = queue.claim()
    if state == "queued":
        assert ticket.job_id == job_id
    else:
        assert ticket is None
        assert queue.get(job_id) == before


@pytest.mark.parametrize("state", JOB_STATES)
def test_a_job_that_does_not_wait_for_its_process_is_not_attached(queue, state):
    job_id = queue.bring(state)
    before = queue.get(job_id)
    with pytest.raises(StoreError, match=f"job {job_id} is {state}.*expected one that waits"):
        attach_job(queue.store, job_id, queue.process)
    assert queue.get(job_id) == before


def test_a_second_process_cannot_attach(queue, by_chance_alive):
    job_id = queue.start()
    text = rf"attempt 1, process {queue.process.pid} on '.+'; expected one that waits"
    with pytest.raises(StoreError, match=text):
        attach_job(queue.store, job_id, queue.other())
    assert queue.get(job_id)["pid"] == queue.process.pid


def test_a_process_of_an_earlier_attempt_cannot_attach(queue):
    job_id = queue.bring("failed")
    requeue_job(queue.store, job_id, [])
    queue.claim()
    with pytest.raises(StoreError, match="is running, attempt 2"):
        attach_job(queue.store, job_id, queue.process, attempt=1)
    assert attach_job(queue.store, job_id, queue.process, attempt=2).attempt == 2


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("state", JOB_STATES)
def test_only_a_running_job_ends(queue, state, end):
    job_id = queue.bring(state)
    before = queue.get(job_id)
    ended = end_job(queue.store, job_id, before["attempt"], end, error="why", outputs=["x"])
    assert ended == (state == "running")
    if ended:
        job = queue.get(job_id)
        assert (job["state"], job["error"], job["outputs"]) == (end, "why", ["x"])
    else:
        assert queue.get(job_id) == before


@pytest.mark.parametrize("state", ["queued", "running", "stopped"])
def test_a_job_cannot_end_in_a_state_that_is_no_end(queue, state):
    job_id = queue.start()
    with pytest.raises(ValueError, match=f"state is '{state}'; expected one of done, failed"):
        end_job(queue.store, job_id, 1, state)


@pytest.mark.parametrize("state", JOB_STATES)
def test_a_queued_job_is_cancelled_at_once_and_a_running_one_is_asked(queue, state):
    job_id = queue.bring(state)
    before = queue.get(job_id)
    if state in ENDS:
        with pytest.raises(StoreError, match=f"job {job_id} is {state} already; expected"):
            request_cancel(queue.store, job_id)
        assert queue.get(job_id) == before
        return
    request_cancel(queue.store, job_id)
    job = queue.get(job_id)
    assert job["state"] == {"queued": "cancelled", "running": "running"}[state]
    assert (job["cancel_requested_at"] is None) == (state == "queued")
    assert (job["ended_at"] is None) == (state == "running")


def test_a_running_job_hears_of_the_cancel_and_when_it_was_first_asked(queue):
    job_id = queue.start()
    assert beat_job(queue.store, job_id, 1, None) == (True, False)
    request_cancel(queue.store, job_id)
    asked_at = queue.get(job_id)["cancel_requested_at"]
    request_cancel(queue.store, job_id)
    assert queue.get(job_id)["cancel_requested_at"] == asked_at
    assert beat_job(queue.store, job_id, 1, None) == (True, True)


@pytest.mark.parametrize("state", JOB_STATES)
def test_only_a_job_that_ended_early_is_queued_again(queue, state):
    job_id = queue.bring(state)
    before = queue.get(job_id)
    if state in {"queued", "running", "done"}:
        with pytest.raises(StoreError, match=f"job {job_id} is {state}; expected one that failed"):
            requeue_job(queue.store, job_id, ["--resume"])
        assert queue.get(job_id) == before
        return
    requeue_job(queue.store, job_id, ["--resume"])
    assert queue.state(job_id) == "queued"
    ticket = queue.claim()
    assert (ticket.job_id, ticket.attempt, ticket.arguments) == (job_id, 2, ("--resume",))


def test_a_job_queued_again_has_nothing_of_the_attempt_before_but_its_outputs(queue):
    job_id = queue.start()
    beat_job(queue.store, job_id, 1, JobProgress("training", "step", 5, 9, 2.0, {"loss": 1.5}))
    request_cancel(queue.store, job_id)
    end_job(queue.store, job_id, 1, "failed", error="out of memory", outputs=["a"])
    requeue_job(queue.store, job_id, [])
    job = queue.get(job_id)
    gone = (
        "error",
        "cancel_requested_at",
        "host",
        "pid",
        "process_started_at",
        "process_boot_id",
        "heartbeat_at",
    )
    gone += ("started_at", "ended_at", "rate")
    assert {name: job[name] for name in gone} == dict.fromkeys(gone)
    queue.claim()
    job = queue.get(job_id)
    assert (job["task"], job["done"], job["total"], job["numbers"]) == ("", 0, 0, {})
    assert end_job(queue.store, job_id, 2, "done", outputs=["b", "a"])
    assert queue.get(job_id)["outputs"] == ["a", "b"]


def test_jobs_are_claimed_in_the_order_in_which_they_were_queued(queue, monkeypatch):
    clock = iter(f"2026-01-01T00:00:{second:02}.000+00:00" for second in range(60))
    monkeypatch.setattr("streetclip.runtime.jobs.utc_now", lambda: next(clock))
    first, second, third = (queue.add() for _ in range(3))
    assert queue.claim().job_id == first
    end_job(queue.store, first, 1, "failed")
    requeue_job(queue.store, first, [])
    assert [queue.claim().job_id for _ in range(3)] == [second, third, first]


def test_nothing_is_claimed_while_enough_is_running(queue):
    first, second = queue.add(), queue.add()
    queue.register(kind="run_queue", output_dir=None)  # does not count
    assert queue.claim(most_running=0) is None
    assert queue.claim(most_running=1).job_id == first
    assert queue.claim(most_running=1) is None
    assert queue.claim(most_running=2).job_id == second
    assert queue.claim(most_running=9) is None


@pytest.mark.parametrize("state", ENDS)
def test_a_resume_takes_over_the_record_unless_it_is_done(queue, state):
    first = queue.register()
    end_job(queue.store, first.job_id, 1, state, error="why", outputs=["a"])
    ticket = queue.register(resume=True, name="again", arguments=("--resume",))
    job = queue.get(ticket.job_id)
    taken_over = state != "done"
    assert (ticket.job_id == first.job_id) == taken_over
    assert ticket.attempt == 1 + taken_over
    assert ticket.arguments == ("--resume",)
    assert (job["name"], job["error"], job["ended_at"]) == ("again", None, None)


def test_a_resume_takes_over_the_newest_job_of_its_kind_and_folder(queue):
    for changes in (
        {},
        {"name": "newest"},
        {"kind": "evaluate"},
        {"output_dir": Path("elsewhere")},
        {"output_dir": None},
    ):
        ticket = queue.register(**changes)
        end_job(queue.store, ticket.job_id, 1, "interrupted")
    assert queue.register(resume=True).job_id == 2
    assert queue.register(resume=True, output_dir=None).job_id == 6
    assert queue.register(output_dir=Path("elsewhere")).job_id == 7


def test_a_job_that_began_afresh_and_is_done_leaves_nothing_to_resume(queue):
    end_job(queue.store, queue.register().job_id, 1, "interrupted")
    end_job(queue.store, queue.register().job_id, 1, "done")
    assert queue.register(resume=True).job_id == 3


@pytest.mark.parametrize("again", ["enqueue", "register", "resume", "requeue"])
@pytest.mark.parametrize("first", ["queued", "running"])
def test_a_second_job_on_the_same_folder_is_refused_with_the_name_of_the_first(queue, first, again):
    ended = queue.register()
    end_job(queue.store, ended.job_id, 1, "failed")
    (queue.folder / "link").symlink_to("outputs")
    busy = enqueue_job(queue.store, queue.spec(output_dir=Path("link"), name="the\nfirst"))
    since = queue.get(busy)["created_at"]
    where = ""
    if first == "running":
        queue.claim()
        since = queue.get(busy)["started_at"]
        where = f", process {queue.process.pid} on '{queue.process.host}'"
    before = queue.get(ended.job_id)
    ask = {
        "enqueue": lambda: enqueue_job(
            queue.store, queue.spec(cwd=queue.folder / "sub", output_dir=Path("../outputs"))
        ),
        "register": lambda: queue.register(output_dir=queue.folder / "outputs"),
        "resume": lambda: queue.register(resume=True),
        "requeue": lambda: requeue_job(queue.store, ended.job_id, []),
    }[again]
    with pytest.raises(OutputError) as caught:
        ask()
    assert str(caught.value) == (
        f"{queue.folder / 'outputs'}: job {busy} (train, 'the\\nfirst') is {first} there since "
        f"{since}{where}. Wait for it, cancel it, or name another --output_dir."
    )
    assert queue.get(ended.job_id) == before
    assert queue.store.rows("SELECT count(*) FROM jobs") == [(2,)]


@pytest.mark.parametrize("end", ENDS)
def test_a_folder_is_free_again_when_its_job_has_ended(queue, end):
    job_id = queue.start(output_dir=Path("outputs"))
    end_job(queue.store, job_id, 1, end)
    assert queue.register().job_id == 2


def test_jobs_without_an_output_folder_never_meet(queue):
    tickets = [queue.register(output_dir=None) for _ in range(3)]
    assert [each.job_id for each in tickets] == [1, 2, 3]
    assert queue.get(1)["output_dir"] == ""


def test_the_store_itself_refuses_two_live_jobs_on_one_folder(queue):
    job_id = queue.bring("failed")
    queue.register(output_dir=Path(queue.get(job_id)["output_dir"]))
    with (
        pytest.raises(Exception, match=r"UNIQUE constraint failed: jobs\.output_dir"),
        queue.store.transaction(),
    ):
        queue.store.rows("UPDATE jobs SET state = 'queued' WHERE id = ?", (job_id,))
    assert queue.state(job_id) == "failed"


def test_progress_is_kept_until_the_next(queue):
    job_id = queue.start()
    beat_job(queue.store, job_id, 1, JobProgress("training", "step", 5, 9, 2.5, {"loss": 1.5}))
    beat_job(queue.store, job_id, 1, None)
    job = queue.get(job_id)
    assert (job["task"], job["unit"], job["done"], job["total"]) == ("training", "step", 5, 9)
    assert (job["rate"], job["numbers"]) == (2.5, {"loss": 1.5})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_kept_as_missing(queue, value):
    job_id = queue.start()
    progress = JobProgress("training", "step", 1, 2, value, {"loss": value, "lr": 0.5})
    assert beat_job(queue.store, job_id, 1, progress).is_ours
    job = queue.get(job_id)
    assert (job["rate"], job["numbers"]) == (None, {"loss": None, "lr": 0.5})


@pytest.mark.parametrize("missing", [0, 5, -1, 2**70])
def test_a_job_that_is_not_there_is_told(queue, missing):
    queue.add()
    for ask in (
        lambda: get_job(queue.store, missing),
        lambda: request_cancel(queue.store, missing),
        lambda: requeue_job(queue.store, missing, []),
        lambda: attach_job(queue.store, missing, queue.process),
    ):
        with pytest.raises(StoreError, match=r"has (no job|nothing with the id).* Choose one"):
            ask()


def test_a_reader_cannot_change_a_job(queue):
    job_id = queue.start()
    with open_store(queue.path, read_only=True) as reader:
        for change in (
            lambda: beat_job(reader, job_id, 1, None),
            lambda: request_cancel(reader, job_id),
            lambda: enqueue_job(reader, queue.spec()),
        ):
            with pytest.raises(StoreError, match=r"cannot be opened .*readonly"):
                change()
    assert queue.get(job_id)["cancel_requested_at"] is None
