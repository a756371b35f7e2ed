import os
import signal
import threading

import pytest

from streetclip.process_identity import raise_interrupt
from streetclip.training.interrupts import interrupts_deferred

CTRL_C, TERM = signal.SIGINT, signal.SIGTERM


@pytest.fixture(autouse=True)
def _as_in_a_job():
    """TERM interrupts, as `jobs.support.record` makes it."""
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
    assert signal.getsignal(TERM) is signal.SIG_IGN  # it must not disturb the saving


@pytest.mark.parametrize("numbers", [(CTRL_C, CTRL_C), (TERM, CTRL_C)])
def test_a_second_ctrl_c_does_not_wait(numbers):
    done = []
    with pytest.raises(KeyboardInterrupt):
        press_inside(numbers, done)
    assert done == []


@pytest.mark.parametrize("numbers", [(TERM, TERM), (CTRL_C, TERM), (TERM, TERM, TERM)])
def test_a_second_term_waits_as_the_first_did(numbers):
    done = []
    with pytest.raises(KeyboardInterrupt):
        press_inside(numbers, done)
    assert done == [1]


def test_within_the_block_it_can_be_asked_for():
    asked = []

    def ask():
        with interrupts_deferred() as interrupt:
            asked.append(interrupt.is_pending)
            press(TERM)
            asked.append(interrupt.is_pending)

    with pytest.raises(KeyboardInterrupt):
        ask()
    assert asked == [False, True]


def test_a_block_within_a_block_leaves_the_interrupt_to_the_outer_one():
    done = []

    def nested():
        with interrupts_deferred():
            press_inside([TERM], done)
            done.append(2)

    with pytest.raises(KeyboardInterrupt):
        nested()
    assert done == [1, 2]


def test_an_error_inside_is_not_hidden_and_the_handlers_come_back():
    with pytest.raises(ValueError, match="inside"):
        fail_inside()
    assert signal.getsignal(TERM) is signal.SIG_IGN


def test_without_an_interrupt_the_handlers_are_as_they_were():
    with interrupts_deferred():
        pass
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
