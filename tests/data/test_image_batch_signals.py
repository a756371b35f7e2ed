"""Processes that decode images when the job is interrupted, asked to end, or killed."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests import warm

ENDLESS = """
    import signal, sys, time
    from pathlib import Path
    import numpy as np
    from streetclip.data.image_batches import iterate_batches
    from streetclip.process_identity import raise_interrupt

    def slow(image):
        time.sleep(0.05)
        return np.asarray(image)

    signal.signal(signal.SIGTERM, raise_interrupt)  # as a job does
    paths = [Path(sys.argv[1])] * 1000
    batches = iterate_batches(paths, slow, batch_size=2, num_workers=2)
    try:
        for batch in batches:
            print("batch", flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.fixture
def decoding_process(paths):
    """A process that decodes in two workers, the three in a group of their own."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ENDLESS), str(paths[0])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "batch\n"
        yield process


def is_gone(group, within_s):
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_signal_to_all_reaches_the_job_alone_and_leaves_no_worker_behind(
    decoding_process, number
):
    os.killpg(decoding_process.pid, number)
    output, errors = decoding_process.communicate(timeout=60)
    assert output.splitlines()[-1] == "interrupted"
    assert errors == ""
    assert is_gone(decoding_process.pid, within_s=5)


INTERRUPTED_AT_A_FORK = """
import os, signal, threading
from streetclip.data import image_batches

forks, sent = threading.Event(), threading.Event()

def interrupt():  # by a thread that does not block it
    forks.wait()
    os.kill(os.getpid(), signal.SIGINT)
    sent.set()

threading.Thread(target=interrupt).start()
os.register_at_fork(after_in_parent=lambda: (forks.set(), sent.wait()))
try:
    image_batches._Worker(print)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_while_a_worker_starts_is_not_lost(tmp_path):
    (tmp_path / "script.py").write_text(INTERRUPTED_AT_A_FORK)
    job = warm.Job([str(tmp_path / "script.py")], stdout=subprocess.PIPE, text=True)
    assert job.communicate(timeout=60)[0] == "interrupted\n"


@pytest.mark.slow
def test_workers_go_on_through_a_term_that_is_not_their_parents(decoding_process):
    workers = (
        Path(f"/proc/{decoding_process.pid}/task/{decoding_process.pid}/children")
        .read_text()
        .split()
    )
    assert len(workers) == 2
    for worker in workers:
        os.kill(int(worker), signal.SIGTERM)
    for _ in range(12):  # more than were decoded ahead
        assert decoding_process.stdout.readline() == "batch\n"
    os.killpg(decoding_process.pid, signal.SIGINT)
    assert decoding_process.communicate(timeout=60)[0].endswith("interrupted\n")


@pytest.mark.slow
def test_workers_end_when_the_job_is_killed_alone(decoding_process):
    os.kill(decoding_process.pid, signal.SIGKILL)
    decoding_process.communicate(timeout=60)
    assert is_gone(decoding_process.pid, within_s=30)
