import os
import signal
import threading

import pytest

from streetclip.training.interrupts import interrupts_deferred


def press():
    os.kill(os.getpid(), signal.SIGINT)


def press_inside(times, done):
    with interrupts_deferred():
        for _ in range(times):
            press()
        done.append(1)


def fail_inside():
    with interrupts_deferred():
        msg = "inside"
        raise ValueError(msg)


def test_ctrl_c_waits_for_the_end_of_the_block():
    done = []
    with pytest.raises(KeyboardInterrupt):
        press_inside(1, done)
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_does_not_wait():
    done = []
    with pytest.raises(KeyboardInterrupt):
        press_inside(2, done)
    assert done == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_inside_is_not_hidden_and_the_handler_comes_back():
    with pytest.raises(ValueError, match="inside"):
        fail_inside()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_programs_handler_is_left_in_place():
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        with interrupts_deferred():
            press()
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [1]


def test_another_thread_may_use_it():
    done = []

    def work():
        with interrupts_deferred():
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]
