"""How numbers and untrusted texts are written."""

import doctest
import math

import pytest

from dashboard.shell import filter_urls, formats, html, url_state
from streetclip.results.formats import (
    NBSP,
    count,
    country,
    duration,
    interval,
    isolated,
    json_text,
    kilometres,
    moment,
    plain,
    points,
    points_interval,
    progress,
    rate,
    sendable,
    share,
    signed,
    units,
)


@pytest.mark.parametrize("module", [filter_urls, formats, html, url_state])
def test_examples_in_docstrings_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("function", [share, count, kilometres])
@pytest.mark.parametrize("missing", [None, math.nan])
def test_a_missing_number_is_a_dash(function, missing):
    assert function(missing) == "–"


def test_a_missing_interval_is_a_dash():
    assert interval(None, 0.5) == interval(0.5, math.nan) == "–"
    assert points_interval(None, 0.5) == points_interval(0.5, math.nan) == "–"


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (share(0.7134), "71.3 %"),
        (count(3412), "3,412"),
        (country("FR"), "France"),
        (country(""), "no prediction"),
        (country("ZZ"), "ZZ"),
        (signed(3.26, 1), "+3.3"),
        (signed(-1234), "−1,234"),
        (signed(-0.04, 1), "0.0"),
        (duration(0.4), "0 s"),
        (duration(59.6), "1 min"),
        (duration(3725), "1 h 2 min"),
        (duration(200_000), "2 d 7 h"),
        (duration(None), "–"),
        (rate(0.0312, "step"), "0.0312 steps/s"),
        (rate(12.345, "step"), "12.3 steps/s"),
        (rate(1234.5, "step"), "1,234 steps/s"),
        (json_text({"name": "é\u202e\ud800"}), '{\n  "name": "é\\u202e\\ud800"\n}'),
        (interval(0.698, 0.727), "69.8–72.7"),
        (points(0.0321), "+3.2"),
        (points(None), "–"),
        (points_interval(-0.011, 0.053), "−1.1 to +5.3"),
        (progress(400, 1200), "400 of 1,200"),
        (units("image"), "images"),
        (units("rows"), "rows"),
        (units(""), "units"),
        (sendable("é\udcff"), "é?"),
    ],
)
def test_a_number_or_a_name_is_written_as_the_pages_need_it(made, text):
    assert made.replace(NBSP, " ") == text


@pytest.mark.parametrize(
    ("km", "text"),
    [(0, "0.0"), (9.94, "9.9"), (9.951, "10"), (10.4, "10"), (1234.5, "1,234"), (math.inf, "∞")],
)
def test_kilometres_have_a_decimal_only_below_ten(km, text):
    assert kilometres(km) == f"{text}{NBSP}km"


def test_negative_numbers_have_a_real_minus_sign():
    assert count(-1234) == "−1,234"


@pytest.mark.parametrize(
    "text", ["not a time", "2026-13-01", "\u202e2026", "0001-01-01T00:00:00+23:59"]
)
def test_a_time_that_cannot_be_read_is_shown_as_text(text):
    assert moment(text) == plain(text)


def test_a_time_without_a_zone_is_taken_as_utc():
    assert moment("2026-03-04T05:06:07") == "2026-03-04 05:06 UTC"


def test_texts_lose_what_could_reorder_or_break_a_line():
    assert plain("a\u202e\u2066b\r\nc\x00d\u2028e\x1b[31m") == "ab··c·d·e·[31m"


def test_texts_keep_every_script():
    assert plain("Łódź مرحبا 東京 🙂") == "Łódź مرحبا 東京 🙂"


def test_long_texts_are_cut():
    assert len(plain("x" * 10**6, limit=50)) == 50


def test_an_isolated_text_ends_its_own_direction():
    assert isolated("مرحبا\u202e") == "\u2068مرحبا\u2069"
