"""End of a log: little is read of a large file, and all of it is plain text."""

import os
import time

import pytest

from dashboard.views.jobs.job_log import MOST_BYTES, read_tail

JOB = {"id": 3, "log_path": "/elsewhere/streetclip-logs/job-3-train.log"}


@pytest.fixture
def log(tmp_path):
    """The path of the log of `JOB`, next to a store that need not exist."""
    (tmp_path / "streetclip-logs").mkdir()
    return tmp_path / "streetclip-logs" / "job-3-train.log"


def tail_of(log, **options):
    return read_tail(log.parent.parent / "streetclip.db", JOB, **options)


def test_a_short_log_is_shown_whole(log):
    log.write_text("first\n\n  second: 1 %\n\n\n")
    assert tail_of(log) == (("first", "", "  second: 1 %"), True, "")


def test_a_bar_is_shown_as_on_a_terminal(log):
    log.write_bytes(b"start\ntrain:  1%\rtrain: 50%\rtrain: 99%\r\nend\r\n")
    assert tail_of(log).lines == ("start", "train: 99%", "end")


def test_colours_controls_and_marks_that_reorder_are_taken_out(log):
    log.write_bytes(
        b"\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x1b(B"
        b"a\x00b \xe2\x80\xaereversed\n\x1b[2K\x1b[1A<b>bold</b>\tx\n"
    )
    assert tail_of(log).lines == ("red link a·b reversed", "<b>bold</b>     x")


def test_bytes_that_are_no_text_are_survived(log):
    log.write_bytes(b"\xff\xfe caf\xc3\xa9 \xf0\x9f\n")
    assert tail_of(log).lines == ("\ufffd\ufffd café \ufffd",)


def test_of_a_gigabyte_only_the_end_is_read(log):
    with log.open("wb") as file:
        file.seek(10**9)
        file.write(b"x" * 100 + b"\nthe last but one\nthe last\n")
    began = time.perf_counter()
    tail = tail_of(log)
    assert time.perf_counter() - began < 0.5
    assert tail.lines[-2:] == ("the last but one", "the last")
    assert not tail.is_whole


def test_the_line_that_is_cut_is_left_out(log):
    log.write_text("0123456789\nabc\nde\n")
    assert tail_of(log, most_bytes=9).lines == ("abc", "de")
    assert not tail_of(log, most_bytes=9).is_whole


def test_one_endless_line_is_cut(log):
    log.write_text("x" * 300_000)
    (line,) = tail_of(log).lines
    assert len(line) < MOST_BYTES / 10


def test_many_lines_are_cut_to_the_last(log):
    log.write_text("".join(f"{i}\n" for i in range(2000)))
    tail = tail_of(log)
    assert tail.lines[-1] == "1999"
    assert len(tail.lines) == 500
    assert not tail.is_whole


def test_a_missing_log_is_reported(log):
    assert "Nothing has been logged yet" in tail_of(log).problem
    log.touch()
    assert "Nothing has been logged yet" in tail_of(log).problem


def test_a_record_cannot_name_another_file(log, tmp_path):
    (tmp_path / "secret").write_text("secret")
    for path in (str(tmp_path / "secret"), "../secret", "..", "", "a\0b", None):
        tail = read_tail(tmp_path / "streetclip.db", JOB | {"log_path": path})
        assert (tail.lines, bool(tail.problem)) == ((), True)


def test_what_is_no_plain_file_is_not_read(log, tmp_path):
    (tmp_path / "secret").write_text("secret")
    log.symlink_to(tmp_path / "secret")
    assert "cannot be read" in tail_of(log).problem
    log.unlink()
    os.mkfifo(log)
    assert "no plain file" in tail_of(log).problem


def test_a_folder_of_logs_that_is_a_link_is_not_entered(log, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / log.name).write_text("secret")
    log.parent.rmdir()
    log.parent.symlink_to(elsewhere)
    tail = tail_of(log)
    assert (tail.lines, "cannot be read" in tail.problem) == ((), True)
