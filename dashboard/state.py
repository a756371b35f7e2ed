"""What the page is asked to show: the store's path and the URL's parameters, typed and checked.

The URL is the truth: a widget only writes it, so that every view is a link.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from streetclip.config import DEFAULT_STORE
from streetclip.errors import ConfigError, shown

STORE_FLAG = "--db"
STORE_VARIABLE = "STREETCLIP_DB"

RUN_PARAMETER = "run"
RUN_PICKER_KEY = "run_picker"

_MOST_DIGITS = 18  # of a SQLite row id


@dataclass(frozen=True)
class Choice:
    """Which run to show, and what was wrong with the one that the URL asked for."""

    run_id: int
    problem: str | None = None


def store_path(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> Path:
    """Find the store: `-- --db PATH`, else the variable STREETCLIP_DB, else the default.

    Args:
        arguments: What followed `--` on Streamlit's command line; default: this process's.
        environment: Default: this process's.

    Raises:
        ConfigError: `--db` stands without a path.
    """
    words = sys.argv[1:] if arguments is None else arguments
    variables = os.environ if environment is None else environment
    for position, word in enumerate(words):
        if word.startswith(f"{STORE_FLAG}="):
            return _given_path(word.partition("=")[2])
        if word == STORE_FLAG:
            return _given_path(next(iter(words[position + 1 :]), ""))
    return Path(variables.get(STORE_VARIABLE) or DEFAULT_STORE)


def _given_path(text: str) -> Path:
    if not text:
        msg = (
            f"{STORE_FLAG} is given without a path; expected the SQLite file of a store. Start "
            "with: streamlit run dashboard/Home.py -- --db outputs/streetclip.db"
        )
        raise ConfigError(msg)
    return Path(text)


def choose_run(run_ids: Sequence[int]) -> Choice:
    """Take the run that the URL names; without one, the newest, which the URL then names.

    Args:
        run_ids: The runs there are, newest first; at least one.
    """
    wanted = st.query_params.get_all(RUN_PARAMETER)
    choice = check_run(wanted, run_ids)
    if not wanted:
        show_run(choice.run_id)
    return choice


def check_run(wanted: Sequence[str], run_ids: Sequence[int]) -> Choice:
    """Check what the URL asks for, and fall back on a run that exists.

    Args:
        wanted: The values of the parameter in the URL: none, one or several.
        run_ids: The runs there are, newest first; at least one.
    """
    known = [int(text) for text in wanted if _is_id(text) and int(text) in run_ids]
    run_id = known[0] if known else run_ids[0]
    return Choice(run_id, _problem(wanted, known, run_id))


def _problem(wanted: Sequence[str], known: Sequence[int], run_id: int) -> str | None:
    if len(wanted) > 1:
        found = f"names {len(wanted)} runs; a page shows one"
    elif not wanted or known:
        return None
    elif _is_id(wanted[0]):
        found = f"asks for run {wanted[0]}, which this store does not hold"
    else:
        found = f"asks for run {shown(wanted[0])}; expected the number of a run"
    return f"The link {found}. Run {run_id} is shown instead; choose another in the sidebar."


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def show_run(run_id: int) -> None:
    """Make the URL name a run, so that the page shows it."""
    st.query_params[RUN_PARAMETER] = str(run_id)


def show_picked_run() -> None:
    """Make the URL name the run that the picker holds (its callback)."""
    show_run(int(st.session_state[RUN_PICKER_KEY]))
