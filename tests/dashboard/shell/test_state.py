"""Where the store is looked for, and which run the URL asks for."""

from pathlib import Path

import pytest
import streamlit as st

from dashboard.shell.url_state import check_run, page_number, store_path
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
    assert check_run(["3"], [9, 3, 1]) == (3, None)


def test_no_parameter_means_the_newest_run():
    assert check_run([], [9, 3, 1]) == (9, None)


@pytest.mark.parametrize("wanted", ["abc", "", "3 ", "+3", "4", "1e3", "³", "9" * 5000])
def test_what_is_no_run_falls_back_on_the_newest_with_a_reason(wanted):
    run_id, problem = check_run([wanted], [9, 3, 1])
    assert run_id == 9
    assert problem is not None
    assert len(problem) < 300


def test_of_several_the_first_that_exists_is_shown_with_a_reason():
    run_id, problem = check_run(["abc", "1", "3"], [9, 3, 1])
    assert run_id == 1
    assert "3 runs" in problem


@pytest.mark.parametrize(("text", "page"), [("7", 7), ("", 1), ("0", 1), ("-1", 1), ("x", 1)])
def test_a_number_that_is_none_is_the_default(monkeypatch, text, page):
    monkeypatch.setattr(st, "query_params", {"page": text})
    assert page_number("page") == page
