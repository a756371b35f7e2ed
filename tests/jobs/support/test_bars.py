"""A bar estimates the time left once its rate is worth something."""

import pytest

from jobs.support.bars import ProgressBar


@pytest.fixture
def clock(monkeypatch):
    """Seconds that tqdm's clock shows, set by the test."""
    now = [1000.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("batches", "seconds_each", "is_estimated"),
    [(1, 60.0, False), (2, 30.0, False), (40, 0.05, False), (3, 4.0, True), (200, 0.1, True)],
)
def test_no_time_is_estimated_before_three_batches_and_ten_seconds(
    clock, capsys, batches, seconds_each, is_estimated
):
    bar = ProgressBar("train", "step", visible=True, passing=False)
    bar(0, 10_000)
    for done in range(1, batches + 1):
        clock[0] += seconds_each
        bar(done, 10_000)
    rate = bar.read().rate
    bar.close()
    last = capsys.readouterr().err.rsplit("\r", 1)[-1]
    assert f"{batches}/10000" in last
    assert ("<" in last) == is_estimated  # [elapsed<left, rate]
    if is_estimated:
        assert rate == pytest.approx(1 / seconds_each, rel=0.01)
    else:
        assert rate is None


def test_a_resumed_stage_counts_its_own_batches(clock):
    bar = ProgressBar("train", "step", visible=False, passing=False)
    bar(5_000, 10_000)
    assert bar.read().rate is None
    for done in (5_010, 5_020, 5_030):
        clock[0] += 5.0
        bar(done, 10_000)
    assert bar.read().rate == pytest.approx(2.0, rel=0.01)
    bar.close()
