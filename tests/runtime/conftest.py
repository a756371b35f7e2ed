"""Share the fixtures of the store's tests, and a clock of the observer."""

import pytest

from tests.store.conftest import filled, make_filled, queue

__all__ = ["filled", "make_filled", "queue"]


class Clock:
    """What the observer counts seconds with; sleeping takes no time."""

    def __init__(self):
        self.now_s = 1000.0

    def monotonic(self):
        return self.now_s

    def sleep(self, seconds):
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr("streetclip.runtime.dead_jobs.time", made)
    return made
