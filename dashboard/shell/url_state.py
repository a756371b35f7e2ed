"""Read and write the state of a page: the store's path and the URL's parameters.

The URL is the truth: a widget only writes it, so that every view is a link.
"""

import itertools
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from dashboard.shell import filter_urls
from streetclip.config import DEFAULT_STORE, STORE_VARIABLE
from streetclip.errors import ConfigError, shown
from streetclip.results.filters import Selection

STORE_FLAG = "--db"

RUN, BASELINE, ARCHIVED = "run", "baseline", "archived"
SHARED = (RUN, BASELINE, ARCHIVED, *filter_urls.FILTERS)
"""The parameters that every page reads; a link from page to page keeps them."""

Value = str | Sequence[str] | None
"""Of a parameter: one text, several, or None for a parameter that is left out."""

_OF_THE_REST = ("page", "image", "cell")
"""The parameters that mean something else under other filters."""

_MOST_DIGITS = 18  # of a SQLite row id


def store_path(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> Path:
    """Find the store: `-- --db PATH`, else the variable STREETCLIP_DB, else the default."""
    variables = os.environ if environment is None else environment
    given = option_values(sys.argv[1:] if arguments is None else arguments, STORE_FLAG)
    if not given:
        return Path(variables.get(STORE_VARIABLE) or DEFAULT_STORE)
    if not given[0]:
        msg = (
            f"{STORE_FLAG} is given without a path; expected the SQLite file of a store. Start "
            "with: streamlit run dashboard/Home.py -- --db outputs/streetclip.db"
        )
        raise ConfigError(msg)
    return Path(given[0])


def option_values(words: Sequence[str], flag: str) -> list[str]:
    """List the values of a command-line option in order; "" where it ends without one.

    Examples:
        >>> option_values(["--root", "a", "--db=x", "--root=b"], "--root")
        ['a', 'b']
    """
    values = []
    for word, following in itertools.zip_longest(words, words[1:], fillvalue=""):
        if word.startswith(f"{flag}="):
            values.append(word.partition("=")[2])
        elif word == flag:
            values.append(following)
    return values


# Reading the URL


def parameters() -> dict[str, list[str]]:
    """Read all parameters of the URL, each with its values in order."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def choose_run(run_ids: Sequence[int]) -> tuple[int, str | None]:
    """Take the run that the URL names, else write the newest into it."""
    wanted = st.query_params.get_all(RUN)
    run_id, problem = check_run(wanted, run_ids)
    if not wanted:
        st.query_params[RUN] = str(run_id)
    return run_id, problem


def check_run(wanted: Sequence[str], run_ids: Sequence[int]) -> tuple[int, str | None]:
    """Return the run that the URL names, else the newest (first), and the problem."""
    known = [int(text) for text in wanted if is_id(text) and int(text) in run_ids]
    run_id = known[0] if known else run_ids[0]
    if len(wanted) > 1:
        found = f"names {len(wanted)} runs; a page shows one"
    elif not wanted or known:
        return run_id, None
    elif is_id(wanted[0]):
        found = f"asks for run {wanted[0]}, which this store does not hold (any more)"
    else:
        found = f"asks for run {shown(wanted[0])}; expected the number of a run"
    problem = f"The link {found}. Run {run_id} is shown instead; choose another in the sidebar."
    return run_id, problem


def choose_baseline(run_ids: Sequence[int], run_id: int) -> tuple[int | None, str | None]:
    """Take the baseline that the URL names, if it is another run; and the problem."""
    wanted = st.query_params.get(BASELINE)
    if wanted is None or wanted == str(run_id):
        return None, None
    if is_id(wanted) and int(wanted) in run_ids:
        return int(wanted), None
    return None, (
        f"The link compares with run {shown(wanted)}, which this store does not hold (any more). "
        "Choose a baseline in the sidebar."
    )


def is_id(text: str) -> bool:
    """Check whether a text of the URL can be an id."""
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS


def page_option(name: str, options: Sequence[str], default: str) -> str:
    """Read a parameter of one page: one of its options, else the default."""
    wanted = st.query_params.get(name, default)
    return wanted if wanted in options else default


def page_number(name: str) -> int:
    """Read a whole number from 1 of one page, such as `page`; default 1."""
    return page_id(name) or 1


def page_id(name: str) -> int | None:
    """Read the id in a parameter such as `image`; None without one."""
    wanted = st.query_params.get(name, "")
    return int(wanted) if is_id(wanted) else None


# Writing the URL


def show_run(run_id: int) -> None:
    """Make the URL name a run, with the filters kept."""
    change(**{RUN: str(run_id)})


def change(**changes: Value) -> None:
    """Set parameters of the URL, or remove those that are None; reset what is shown of the rest.

    All of them make one entry of the browser's history. Use it as a widget's callback, or follow it
    with `st.rerun()`.
    """
    values: dict[str, Value] = {**parameters(), **dict.fromkeys(_OF_THE_REST), **changes}
    st.query_params.from_dict({name: v for name, v in values.items() if v is not None and v != []})


def change_filters(
    selection: Selection, defaults: Selection | None = None, **others: Value
) -> None:
    """Make the URL name exactly this selection; an outcome of `defaults` it lacks is "any".

    `others` are further parameters to change, as in `change`.
    """
    values = dict.fromkeys(filter_urls.FILTERS) | filter_urls.written(selection)
    for name in filter_urls.written(defaults or Selection()):
        values[name] = values[name] or [filter_urls.ANY]
    change(**values | others)


def shared_parameters(**changes: Value) -> list[tuple[str, str]]:
    """List the URL's shared parameters with some changes, for links to other pages."""
    return pairs({name: st.query_params.get_all(name) for name in SHARED} | changes)


def pairs(values: Mapping[str, Value]) -> list[tuple[str, str]]:
    """List each value of some parameters with its name."""
    return [
        (name, one)
        for name, value in values.items()
        for one in ([value] if isinstance(value, str) else value or ())
    ]


def href(page: str, /, **changes: Value) -> str:
    """Make the address of a page ("" for the first) with a changed state."""
    query = urlencode(shared_parameters(**changes))
    return f"{page or '.'}?{query}" if query else page or "."
