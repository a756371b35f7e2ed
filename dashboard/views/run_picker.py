"""Draw the choice of a run, its details, and all runs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts import tables
from dashboard.shell import formats, html, url_state, url_widgets

_STATE = ["state", "num_done", "num_images"]
EVALUATE = (
    "python main.py --mode evaluate --test_csv data/test.csv --image_dir data/images "
    "--checkpoint_path geolocal/StreetCLIP"
)


def state_text(run: Mapping[Any, Any]) -> str:
    """Describe a run's state, with its progress unless it is done.

    Examples:
        >>> state_text({"state": "interrupted", "num_done": 400, "num_images": 1200})
        'interrupted, partial, 400 of 1,200'
    """
    done, total = int(run["num_done"]), int(run["num_images"])
    if run["state"] == "done":
        return "done" if done == total else f"done, {formats.progress(done, total)}"
    return f"{run['state']}, partial, {formats.progress(done, total)}"


def picker(runs: Sequence[Mapping[str, Any]], run_id: int) -> None:
    """Draw the choice of a run."""
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
    return {
        run["id"]: f"{run['id']} · {formats.isolated(run['name'], 40)} · {state_text(run)}"
        for run in runs
    }


def heading(run: Mapping[str, Any]) -> None:
    """Draw the line that names the run."""
    chips = ["Synthetic demo data"] if run["drawn"] else []
    if run["state"] != "done":
        chips.append(state_text(run))
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
    config, versions = run["config"] or {}, sorted((run["versions"] or {}).items())
    with st.expander("Run details", key="run_details"):
        html.definitions(
            ("Run", f"{run['id']} · {run['name']}"),
            ("State", state_text(run)),
            ("Model", run["model_source"]),
            ("Weights (SHA-256)", run["model_sha256"]),
            ("Dataset", f"{run['dataset']} · {run['csv_path'] or formats.NONE}"),
            ("Skipped rows", formats.count(run["num_skipped"])),
            ("Candidates", run["candidates_path"]),
            ("Candidates (SHA-256)", run["candidates_sha256"]),
            ("Prompts", _prompts(run["prompts"] or {})),
            ("Strategy", run["strategy"]),
            ("Seed", run["seed"]),
            ("Precision", config.get("precision_used", config.get("precision"))),
            ("Started", formats.moment(run["created_at"])),
            ("Last written", formats.moment(run["updated_at"])),
            ("Versions", " · ".join(f"{name} {each}" for name, each in versions)),
            ("Commit", run["commit_sha"]),
            ("Output folder", run["output_dir"]),
        )


def _prompts(prompts: Mapping[str, Any]) -> list[str]:
    return [
        f"{key}: {each if isinstance(each, str) else json.dumps(each, ensure_ascii=False)}"
        for key, each in prompts.items()
    ]


def how_to_start() -> None:
    """Draw the commands that fill the store."""
    st.markdown("Run one of these commands, then reload this page.")
    st.markdown("Synthetic demo data:")
    st.code("make demo-run", language=None)
    st.markdown("Your own images:")
    st.code(EVALUATE, language=None, wrap_lines=True)
    st.markdown("Another store:")
    st.code("streamlit run dashboard/Home.py -- --db PATH", language=None)
