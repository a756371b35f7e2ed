"""Heartbeats of other machines are judged by the observer's own clock alone."""

import pytest

from streetclip.errors import OutputError
from streetclip.runtime import interrupt_dead_jobs
from streetclip.runtime.job_records import STALE_AFTER_S
from tests.runtime.heartbeats import set_heartbeat


@pytest.mark.parametrize("ahead_s", [-7200, -60, 60, 7200])
def test_the_clock_of_another_machine_decides_nothing(queue, clock, ahead_s):
    job_id = queue.start(queue.other(host="elsewhere.invalid"))
    for beat in range(40):
        set_heartbeat(queue, job_id, ahead_s + 2 * beat)
        assert interrupt_dead_jobs(queue.store) == []
        clock.sleep(2)
    clock.sleep(STALE_AFTER_S)
    assert interrupt_dead_jobs(queue.store) == [job_id]


def test_a_step_of_a_clock_interrupts_no_job_that_beats(queue, clock):
    job_id = queue.start(queue.other(host="elsewhere.invalid"))
    for ahead_s in (0, -3600, 3600, 0):
        set_heartbeat(queue, job_id, ahead_s)
        assert interrupt_dead_jobs(queue.store) == []
        clock.sleep(STALE_AFTER_S)


def test_a_job_in_a_shell_watches_one_elsewhere_that_holds_its_folder(queue, clock):
    folder = queue.folder / "outputs"
    far = queue.start(queue.other(host="elsewhere.invalid"), output_dir=folder)
    began_s = clock.now_s
    ticket = queue.register(output_dir=folder)
    assert clock.now_s - began_s == pytest.approx(STALE_AFTER_S, abs=1)
    assert (queue.state(far), queue.state(ticket.job_id)) == ("interrupted", "running")


def test_a_sign_of_life_ends_the_watch_and_keeps_the_folder(queue, clock, monkeypatch):
    folder = queue.folder / "outputs"
    far = queue.start(queue.other(host="elsewhere.invalid"), output_dir=folder)
    monkeypatch.setattr(clock, "sleep", lambda _: set_heartbeat(queue, far, -60))
    with pytest.raises(OutputError, match=f"job {far} .* is running there"):
        queue.register(output_dir=folder)
    assert queue.state(far) == "running"
