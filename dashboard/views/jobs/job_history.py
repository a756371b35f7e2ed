"""The jobs that there have been, newest first: filtered, paged, each a way to all of it."""

from pathlib import Path
from typing import Any, Final

import streamlit as st

from dashboard.charts import selection_events
from dashboard.queries import runs
from dashboard.shell import html, url_state, url_widgets
from dashboard.views.jobs import job_cards
from dashboard.views.jobs.launcher import KINDS
from streetclip.runtime import JOB_STATES

_PER_PAGE: Final = 25
_MOST_PAGES: Final = 400


def draw(path: Path) -> None:
    """Draw a page of the history, as the URL's `kind`, `state` and `page` say.

    Args:
        path: The store; there may be none yet.
    """
    st.header("History", anchor=False)
    known = {"any": "any"} | {kind: job_cards.kind_words(kind) for kind in sorted(KINDS)}
    states = {each: each for each in ("any", *JOB_STATES)}
    with st.container(horizontal=True):
        kind = url_widgets.select("Kind", "kind", known, "any")
        standing = url_widgets.select("State", "state", states, "any")
    of_kind = () if kind == "any" else (kind,)
    in_state = () if standing == "any" else (standing,)
    number = min(url_state.own_number("page"), _MOST_PAGES)
    found = runs.jobs(path, of_kind, in_state, number * _PER_PAGE + 1)
    shown = found[(number - 1) * _PER_PAGE : number * _PER_PAGE]
    if not shown:
        is_filtered = of_kind or in_state or number > 1
        words = "No job matches." if is_filtered else "No job yet: start one above or in a shell."
        html.remark(words)
    else:
        _table(shown)
    _pager(number, has_more=len(found) > number * _PER_PAGE)


def _table(shown: list[dict[str, Any]]) -> None:
    ids = [str(job["id"]) for job in shown]
    selection_events.table(
        job_cards.table(shown),
        key=selection_events.keyed("jobs", ids[0], len(ids)),
        columns={
            "name": st.column_config.TextColumn(width="medium"),
            "error": st.column_config.TextColumn(width="large"),
        },
        on_pick=lambda row: None if row is None else url_state.change(job=ids[row]),
    )


def _pager(number: int, *, has_more: bool) -> None:
    if number == 1 and not has_more:
        return
    with st.container(horizontal=True, gap="small"):
        for words, to, is_there in (
            ("Newer", number - 1, number > 1),
            ("Older", number + 1, has_more),
        ):
            st.button(
                words,
                key=f"job_{words.lower()}",
                disabled=not is_there,
                on_click=lambda to=to: url_state.change(page=str(to) if to > 1 else None),
            )
