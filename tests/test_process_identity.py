import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from streetclip.process_identity import (
    ProcessId,
    current_process,
    find_process,
    is_alive,
    raise_interrupt,
    signal_group,
)

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
WITH_A_CHILD = (
    "import subprocess, sys\n"
    f"child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}])\n"
    "print(child.pid, flush=True)\n"
    "child.wait()\n"
)


@pytest.fixture
def start():
    started = []

    def run(code, **options):
        command = [sys.executable, "-c", code]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
        started.append(process)
        return process, process.stdout.readline().strip()

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_process_lives_until_it_is_killed(start):
    process, _ = start(SLEEP)
    found = find_process(process.pid)
    assert is_alive(found)
    process.kill()
    process.wait()
    assert is_alive(found) is False
    assert find_process(process.pid) is None


def test_a_zombie_is_dead(start):
    process, _ = start("print('gone')")
    found = find_process(process.pid)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert find_process(process.pid) is None
    assert found is None or not is_alive(found)


def test_the_same_number_with_another_start_is_another_process(start):
    process, _ = start(SLEEP)
    other = dataclasses.replace(find_process(process.pid), started_at=1.0)
    assert is_alive(other) is False
    assert not signal_group(other, signal.SIGKILL)
    assert process.poll() is None


def test_a_step_of_the_clock_changes_no_process(start, monkeypatch):
    process, _ = start(SLEEP)
    found = find_process(process.pid)
    created_s = psutil.Process(process.pid).create_time()
    # The system adds the start since the boot to the time of the boot, which moves with the clock.
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: created_s + 7200)
    assert is_alive(found)
    assert find_process(process.pid) == found
    assert signal_group(found, signal.SIGKILL)


def test_a_number_given_out_again_within_a_tick_is_another_process(start):
    process, _ = start(SLEEP)
    found = find_process(process.pid)
    for changes in ({"started_at": found.started_at - 1}, {"boot_id": "another boot"}):
        other = dataclasses.replace(found, **changes)
        assert is_alive(other) is False
        assert not signal_group(other, signal.SIGKILL)
    assert process.poll() is None


def test_a_record_of_before_is_known_by_its_time_and_never_signalled(start):
    process, _ = start(SLEEP)
    host, started_at = socket.gethostname(), psutil.Process(process.pid).create_time()
    assert is_alive(ProcessId(host, process.pid, started_at + 1))
    assert is_alive(ProcessId(host, process.pid, started_at + 60)) is False
    assert not signal_group(ProcessId(host, process.pid, started_at), signal.SIGKILL)
    assert process.poll() is None


def test_without_boot_ids_a_process_is_known_by_its_time(start, monkeypatch, tmp_path):
    monkeypatch.setattr("streetclip.process_identity._BOOT_ID", tmp_path / "none")
    process, _ = start(SLEEP)
    found = find_process(process.pid)
    assert found.boot_id == ""
    assert abs(found.started_at - time.time()) < 60
    assert signal_group(found, signal.SIGKILL)
    process.wait()
    assert not is_alive(found)


def test_of_another_host_nothing_is_known_and_nothing_is_signalled(start):
    process, _ = start(SLEEP)
    elsewhere = dataclasses.replace(find_process(process.pid), host="elsewhere")
    assert is_alive(elsewhere) is None
    assert not signal_group(elsewhere, signal.SIGKILL)
    assert process.poll() is None


def test_the_group_of_a_leader_is_signalled(start):
    process, child = start(WITH_A_CHILD, start_new_session=True)
    child = find_process(int(child))
    assert signal_group(find_process(process.pid), signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    deadline = time.monotonic() + 20
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)  # a signal to a group reaches its members one after another
    assert not is_alive(child)


def test_the_group_of_a_script_is_spared(start):
    process, _ = start(SLEEP)
    assert os.getpgid(process.pid) == os.getpgid(0)
    assert signal_group(find_process(process.pid), signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert is_alive(current_process())


@pytest.mark.parametrize("number", [-1, 2**70])
def test_impossible_numbers_are_no_process(number):
    assert find_process(number) is None


def test_raise_interrupt_is_ctrl_c():
    with pytest.raises(KeyboardInterrupt):
        raise_interrupt(signal.SIGTERM, None)
