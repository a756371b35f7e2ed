"""Jobs that a warm process forks."""

from tests import warm

NUM_NUMBERS = 2000  # processes that others start meanwhile


def test_a_reused_process_number_does_not_give_the_exit_status_of_the_earlier_process(
    tmp_path, monkeypatch
):
    script = tmp_path / "script.py"
    script.write_text("raise SystemExit(3)")
    first = warm.Job([str(script)])
    assert first.wait() == 3
    earlier = dict.fromkeys(range(first.pid + 1, first.pid + NUM_NUMBERS), 0)
    monkeypatch.setattr(warm._server(), "_codes", earlier)
    assert warm.Job([str(script)]).wait() == 3
