"""What a page is asked to show: the store's path and the URL's parameters, typed and checked.

The URL is the truth: a widget only writes it, so that every view is a link.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from dashboard.shell import filter_urls
from streetclip.config import DEFAULT_STORE, STORE_VARIABLE
from streetclip.errors import ConfigError, shown
from streetclip.results.filters import Selection

STORE_FLAG = "--db"

RUN, BASELINE = "run", "baseline"
SHARED = (RUN, BASELINE, *filter_urls.FILTERS)
"""The parameters that every page understands; a link from page to page keeps them."""

_MOST_DIGITS = 18  # of a SQLite row id


@dataclass(frozen=True)
class Baseline:
    """Which run to compare with, if any, and what was wrong with the one that was asked for."""

    run_id: int | None
    problem: str | None = None


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
    given = option_values(words, STORE_FLAG)
    if given:
        return _given_path(given[0])
    return Path(variables.get(STORE_VARIABLE) or DEFAULT_STORE)


def option_values(words: Sequence[str], flag: str) -> list[str]:
    """The values of an option of the command line, in order; "" where it ends without one.

    Examples:
        >>> option_values(["--root", "a", "--db=x", "--root=b"], "--root")
        ['a', 'b']
    """
    values = []
    for position, word in enumerate(words):
        if word.startswith(f"{flag}="):
            values.append(word.partition("=")[2])
        elif word == flag:
            values.append(next(iter(words[position + 1 :]), ""))
    return values


def _given_path(text: str) -> Path:
    if not text:
        msg = (
            f"{STORE_FLAG} is given without a path; expected the SQLite file of a store. Start "
            "with: streamlit run dashboard/Home.py -- --db outputs/streetclip.db"
        )
        raise ConfigError(msg)
    return Path(text)


# Reading the URL


def parameters() -> dict[str, list[str]]:
    """All parameters of the URL, each with its values in order."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def choose_run(run_ids: Sequence[int]) -> Choice:
    """Take the run that the URL names; without one, the newest, which the URL then names.

    Args:
        run_ids: The runs there are, newest first; at least one.
    """
    wanted = st.query_params.get_all(RUN)
    choice = check_run(wanted, run_ids)
    if not wanted:
        st.query_params[RUN] = str(choice.run_id)
    return choice


def check_run(wanted: Sequence[str], run_ids: Sequence[int]) -> Choice:
    """Check what the URL asks for, and fall back on a run that exists.

    Args:
        wanted: The values of the parameter in the URL: none, one or several.
        run_ids: The runs there are, newest first; at least one.
    """
    known = [int(text) for text in wanted if is_id(text) and int(text) in run_ids]
    run_id = known[0] if known else run_ids[0]
    return Choice(run_id, _problem(wanted, known, run_id))


def choose_baseline(run_ids: Sequence[int], run_id: int) -> Baseline:
    """Take the baseline that the URL names, if it is another run than the one shown."""
    wanted = st.query_params.get(BASELINE)
    if wanted is None or wanted == str(run_id):
        return Baseline(None)
    if is_id(wanted) and int(wanted) in run_ids:
        return Baseline(int(wanted))
    return Baseline(
        None,
        f"The link compares with run {shown(wanted)}, which this store does not hold. Choose a "
        "baseline in the sidebar.",
    )


def _problem(wanted: Sequence[str], known: Sequence[int], run_id: int) -> str | None:
    if len(wanted) > 1:
        found = f"names {len(wanted)} runs; a page shows one"
    elif not wanted or known:
        return None
    elif is_id(wanted[0]):
        found = f"asks for run {wanted[0]}, which this store does not hold"
    else:
        found = f"asks for run {shown(wanted[0])}; expected the number of a run"
    return f"The link {found}. Run {run_id} is shown instead; choose another in the sidebar."


def is_id(text: str) -> bool:
    """Whether a text of the URL can be the id of a run or an image."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def own(name: str, options: Sequence[str], default: str) -> str:
    """A parameter of one page, such as `sort`: one of its options, else the default."""
    wanted = st.query_params.get(name, default)
    return wanted if wanted in options else default


def own_number(name: str, default: int = 1) -> int:
    """A whole number of one page, such as `page`, from 1; else the default."""
    wanted = st.query_params.get(name, "")
    return int(wanted) if is_id(wanted) and int(wanted) > 0 else default


def own_id(name: str) -> int | None:
    """The id that a parameter such as `image` names; None where there is none or no number."""
    wanted = st.query_params.get(name, "")
    return int(wanted) if is_id(wanted) else None


# Writing the URL


def show_run(run_id: int) -> None:
    """Make the URL name a run, with the filters kept."""
    change(**{RUN: str(run_id)})


def change(**changes: str | Sequence[str] | None) -> None:
    """Set parameters of the URL, or remove those that are None.

    What belongs to the page alone and depends on the filters (`page`, `image`) goes too, unless
    it is set here. Use it as a widget's callback, or follow it with `st.rerun()`.
    """
    for name, value in ({"page": None, "image": None} | changes).items():
        if value is None or value == []:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = value if isinstance(value, str) else list(value)


def change_filters(selection: Selection, defaults: Selection | None = None) -> None:
    """Make the URL say exactly this selection.

    Args:
        selection: What to show.
        defaults: The page's own; what it sets and the selection does not is said to be any.
    """
    values = dict.fromkeys(filter_urls.FILTERS) | filter_urls.written(selection)
    for name in filter_urls.written(defaults or Selection()):
        values[name] = values[name] or [filter_urls.ANY]
    change(**values)  # type: ignore[arg-type]


def shared_parameters() -> list[tuple[str, str]]:
    """The URL's parameters that every page understands, for links to other pages."""
    return [(name, value) for name in SHARED for value in st.query_params.get_all(name)]


def href(page: str, /, **changes: str | Sequence[str] | None) -> str:
    """The address of a page of this dashboard with the state of the present one.

    Args:
        page: Its path, "" for the first page.
        changes: Parameters to set, or to leave out where None.
    """
    given = {name: st.query_params.get_all(name) for name in SHARED}
    for name, value in changes.items():
        given[name] = [] if value is None else [value] if isinstance(value, str) else list(value)
    query = urlencode([(name, value) for name, values in given.items() for value in values])
    return f"{page or '.'}?{query}" if query else page or "."
