import os
import signal
import threading

import pytest

from streetclip.processes import raise_interrupt
from streetclip.training.interrupts import interrupts_deferred

CTRL_C, TERM = signal.SIGINT, signal.SIGTERM


@pytest.fixture(autouse=True)
def _as_in_a_job():
    """TERM interrupts, as `jobs.record` makes it."""
    before = signal.signal(TERM, raise_interrupt)
    yield
    assert signal.getsignal(CTRL_C) is signal.default_int_handler
    signal.signal(TERM, before)


def press(number=CTRL_C):
    os.kill(os.getpid(), number)


def press_inside(numbers, done):
    with interrupts_deferred():
        for number in numbers:
            press(number)
        done.append(1)


def fail_inside():
    with interrupts_deferred():
        press(TERM)
        msg = "inside"
        raise ValueError(msg)


@pytest.mark.parametrize("number", [CTRL_C, TERM], ids=lambda each: each.name)
def test_an_interrupt_waits_for_the_end_of_the_block(number):
    done = []
    with pytest.raises(KeyboardInterrupt):
        press_inside([number], done)
    assert done == [1]
    assert signal.getsignal(TERM) is raise_interrupt


@pytest.mark.parametrize("numbers", [(CTRL_C, CTRL_C), (TERM, TERM), (CTRL_C, TERM)])
def test_a_second_interrupt_does_not_wait(numbers):
    done = []
    with pytest.raises(KeyboardInterrupt):
        press_inside(numbers, done)
    assert done == []
    assert signal.getsignal(TERM) is raise_interrupt


def test_an_error_inside_is_not_hidden_and_the_handlers_come_back():
    with pytest.raises(ValueError, match="inside"):
        fail_inside()
    assert signal.getsignal(TERM) is raise_interrupt


@pytest.mark.parametrize("number", [CTRL_C, TERM], ids=lambda each: each.name)
def test_another_programs_handler_is_left_in_place(number):
    heard = []
    before = signal.signal(number, lambda *_: heard.append(1))
    try:
        with interrupts_deferred():
            press(number)
            assert heard == [1]
    finally:
        signal.signal(number, before)


def test_term_that_ends_a_process_at_once_is_left_alone():
    signal.signal(TERM, signal.SIG_DFL)
    with interrupts_deferred():
        assert signal.getsignal(TERM) is signal.SIG_DFL
    assert signal.getsignal(TERM) is signal.SIG_DFL


def test_another_thread_may_use_it():
    done = []

    def work():
        with interrupts_deferred():
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]
