"""Where the store is looked for, and which run the URL asks for."""

from pathlib import Path

import pytest

from dashboard.shell.url_state import Choice, check_run, store_path
from streetclip.config import DEFAULT_STORE
from streetclip.errors import ConfigError


def test_the_flag_names_the_store():
    assert store_path(["--db", "a.db"], {"STREETCLIP_DB": "b.db"}) == Path("a.db")
    assert store_path(["--db=a.db"], {}) == Path("a.db")


def test_the_variable_names_the_store_when_no_flag_does():
    assert store_path(["--other"], {"STREETCLIP_DB": "b.db"}) == Path("b.db")


@pytest.mark.parametrize("environment", [{}, {"STREETCLIP_DB": ""}])
def test_else_the_default_store_is_read(environment):
    assert store_path([], environment) == DEFAULT_STORE


@pytest.mark.parametrize("words", [["--db"], ["--db="], ["--db", ""]])
def test_a_flag_without_a_path_is_refused(words):
    with pytest.raises(ConfigError, match="without a path"):
        store_path(words, {})


def test_a_run_that_exists_is_shown():
    assert check_run(["3"], [9, 3, 1]) == Choice(3)


def test_no_parameter_means_the_newest_run():
    assert check_run([], [9, 3, 1]) == Choice(9)


@pytest.mark.parametrize("wanted", ["abc", "", "3 ", "+3", "4", "1e3", "³", "9" * 5000])
def test_what_is_no_run_falls_back_on_the_newest_with_a_reason(wanted):
    choice = check_run([wanted], [9, 3, 1])
    assert choice.run_id == 9
    assert choice.problem is not None
    assert len(choice.problem) < 300


def test_of_several_the_first_that_exists_is_shown_with_a_reason():
    choice = check_run(["abc", "1", "3"], [9, 3, 1])
    assert choice.run_id == 1
    assert "3 runs" in choice.problem
