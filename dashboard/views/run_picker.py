"""Draw the choice of a run, its details, and all runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts import tables
from dashboard.shell import formats, html, url_state, url_widgets
from streetclip.reports.run_facts import run_facts, state_text

_STATE = ["state", "num_done", "num_images"]
_ALL = "all"


def offered(runs: Sequence[Mapping[str, Any]], *shown: int | None) -> Sequence[Mapping[str, Any]]:
    """Leave out the archived runs, but for those shown, unless the URL asks for all."""
    if st.query_params.get(url_state.ARCHIVED) == _ALL:
        return runs
    return [run for run in runs if run["archived_at"] is None or run["id"] in shown]


def archived_switch(runs: Sequence[Mapping[str, Any]]) -> None:
    """Draw the choice whether archived runs are offered, if there are any."""
    if num_archived := sum(run["archived_at"] is not None for run in runs):
        url_widgets.bound_flag(
            f"Show archived runs ({formats.count(num_archived)})", url_state.ARCHIVED, _ALL
        )


def picker(runs: Sequence[Mapping[str, Any]], run_id: int) -> None:
    """Draw the choice of a run; typing finds one by any part of its label."""
    url_widgets.bound(
        st.selectbox,
        "Run",
        _labels(runs),
        key="run_picker",
        value=run_id,
        on_change=url_state.show_run,
    )


def baseline_picker(
    runs: Sequence[Mapping[str, Any]], run_id: int, baseline_id: int | None
) -> None:
    """Draw the choice of a baseline, runs of the same dataset first."""
    (dataset,) = (run["dataset"] for run in runs if run["id"] == run_id)
    others = [run for run in runs if run["id"] != run_id]
    url_widgets.bound(
        st.selectbox,
        "Baseline",
        _labels(sorted(others, key=lambda run: run["dataset"] != dataset)),
        key="baseline_picker",
        value=baseline_id,
        on_change=lambda chosen: url_state.change(
            **{url_state.BASELINE: None if chosen is None else str(chosen)}
        ),
        index=None,
        placeholder="none",
    )


def _labels(runs: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    return {run["id"]: " · ".join(filter(None, _label_parts(run))) for run in runs}


def _label_parts(run: Mapping[Any, Any]) -> tuple[str, ...]:
    done, correct = int(run["num_done"]), run["country_correct"]
    return (
        str(run["id"]),
        formats.isolated(run["name"], 40),
        "" if pd.isna(correct) or not done else formats.share(correct / done),
        formats.isolated(run["dataset"], 40),
        formats.day(run["created_at"]),
        "" if run["state"] == "done" and done == run["num_images"] else state_text(run),
        "" if run["archived_at"] is None else "archived",
    )


def heading(run: Mapping[str, Any]) -> None:
    """Draw the line that names the run."""
    chips = ["Synthetic demo data"] if run["drawn"] else []
    if run["state"] != "done":
        chips.append(state_text(run))
    if run["archived_at"] is not None:
        chips.append("archived")
    name, dataset = html.tag("strong", html.name(run["name"])), html.name(run["dataset"])
    images = f" · {formats.count(run['num_images'])} images · "
    line = "Run ", name, " · ", dataset, images, html.name(run["strategy"], 40)
    marks = [html.tag("span", each, css="sc-chip") for each in chips]
    html.draw(html.tag("p", *line, *marks, css="sc-line"))


def progress(run: Mapping[str, Any]) -> None:
    """Draw the progress or the error of a run."""
    if run["state"] == "done":
        return
    done, total = int(run["num_done"]), int(run["num_images"])
    of = formats.progress(done, total)
    so_far = f"The figures below cover the {of} images with a prediction so far."
    if run["state"] == "failed":
        error = formats.plain(run["error"] or "It left no message.", formats.LONGEST)
        html.notice("This run failed", error, so_far, css="sc-alert", role="alert")
    elif run["state"] == "interrupted":
        html.notice("Interrupted", so_far, "Resume with the same command and --resume.")
    else:
        text = f"{of} images · last written {formats.moment(run['updated_at'])}"
        st.progress(done / total if total else 0.0, text=text)


def table(runs: pd.DataFrame, run_id: int) -> None:
    """Draw all runs as a table; a click shows a run."""
    st.header("Runs", anchor=False)
    done = runs["num_done"].where(runs["num_done"] > 0)
    correct = runs["country_correct"].where(runs["country_correct"] > 0)
    shown = pd.DataFrame(
        {
            "run": runs["id"],
            "name": runs["name"].map(formats.plain),
            "state": [state_text(run) for run in runs[_STATE].to_dict("records")],
            "country": 100 * runs["country_correct"] / done,
            "city": 100 * runs["city_correct"] / done,
            "hierarchical": 100 * runs["city_correct"] / correct,
            "n": runs["num_done"],
            "dataset": runs["dataset"].map(formats.plain),
            "strategy": runs["strategy"].map(formats.plain),
            "model": runs["model_source"].map(formats.plain),
            "started": runs["created_at"].map(formats.moment),
        }
    )
    columns = tables.columns_of(
        shown,
        name=tables.text("name", width="medium"),
        dataset=tables.text("dataset", width="small"),
        model=tables.text("model", width="medium"),
        country=tables.decimal("country (%)"),
        city=tables.decimal("city (%)"),
        hierarchical=tables.decimal("city given country (%)"),
        n=tables.whole(),
    )
    tables.show(
        shown,
        columns,
        key=f"runs_table_{run_id}",  # a key per run selects its row again
        values=[int(each) for each in runs["id"]],
        chosen=run_id,
        on_pick=lambda picked: None if picked is None else url_state.show_run(picked),
    )


def details(run: Mapping[str, Any]) -> None:
    """Draw the model, data and settings of a run."""
    with st.expander("Run details", key="run_details"):
        html.definitions(*run_facts(run))
