"""The runs: choosing one, what its state means, all of them side by side, and its details."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts import tables
from dashboard.shell import formats, html, url_state

_RUN_KEY, _BASELINE_KEY = "run_picker", "baseline_picker"
_LONGEST = 1000  # characters of a text that are shown in full


def state_text(run: Mapping[str, Any]) -> str:
    """A run's state in words, with how far it is unless it is done.

    Examples:
        >>> state_text({"state": "interrupted", "num_done": 400, "num_images": 1200})
        'interrupted, partial, 400 of 1,200'
    """
    done, total = int(run["num_done"]), int(run["num_images"])
    if run["state"] == "done":
        return "done" if done == total else f"done, {formats.progress(done, total)}"
    return f"{run['state']}, partial, {formats.progress(done, total)}"


def picker(runs: pd.DataFrame, run_id: int) -> None:
    """Draw the choice of a run; it writes the URL.

    Args:
        runs: The runs, newest first.
        run_id: The run that is shown.
    """
    labels = {int(run["id"]): _label(run) for run in _rows(runs)}
    st.session_state[_RUN_KEY] = run_id
    st.selectbox(
        "Run",
        list(labels),
        format_func=lambda each: labels.get(each, str(each)),
        key=_RUN_KEY,
        on_change=lambda: url_state.show_run(st.session_state[_RUN_KEY]),
    )


def baseline_picker(runs: pd.DataFrame, run_id: int, baseline_id: int | None) -> None:
    """Draw the choice of a run to compare with, runs over the same test file first.

    Args:
        runs: The runs, newest first.
        run_id: The run that is shown.
        baseline_id: The run it is compared with, if any.
    """
    dataset = runs.loc[runs["id"] == run_id, "dataset"].iloc[0]
    others = [run for run in _rows(runs) if run["id"] != run_id]
    others.sort(key=lambda run: run["dataset"] != dataset)
    labels = {int(run["id"]): _label(run) for run in others}
    st.session_state[_BASELINE_KEY] = baseline_id
    st.selectbox(
        "Baseline",
        list(labels),
        format_func=lambda each: labels.get(each, str(each)),
        key=_BASELINE_KEY,
        index=None,
        placeholder="none",
        on_change=_show_baseline,
    )


def _show_baseline() -> None:
    chosen = st.session_state[_BASELINE_KEY]
    url_state.change(**{url_state.BASELINE: None if chosen is None else str(chosen)})


def _rows(runs: pd.DataFrame) -> list[dict[str, Any]]:
    shown = runs[["id", "name", "dataset", "state", "num_done", "num_images"]]  # of forty columns
    return [{str(name): value for name, value in row.items()} for row in shown.to_dict("records")]


def _label(run: Mapping[str, Any]) -> str:
    name = formats.isolated(run["name"], 40)
    return f"{run['id']} · {name} · {state_text(run)}"


def heading(run: Mapping[str, Any]) -> None:
    """Draw the line that says in words what is shown."""
    chips = []
    if run["drawn"]:
        chips.append(html.tag("span", "Drawn world", css="sc-chip"))
    if run["state"] != "done":
        chips.append(html.tag("span", state_text(run), css="sc-chip"))
    html.draw(
        html.tag(
            "p",
            "Run ",
            html.tag("strong", html.name(run["name"])),
            " · ",
            html.name(run["dataset"]),
            f" · {formats.count(run['num_images'])} images · ",
            html.name(run["strategy"], 40),
            *chips,
            css="sc-line",
        )
    )


def progress(run: Mapping[str, Any]) -> None:
    """Draw how far an unfinished run is, and why one failed."""
    if run["state"] == "done":
        return
    done, total = int(run["num_done"]), int(run["num_images"])
    updated = formats.moment(run["updated_at"])
    so_far = f"The figures below are of the {formats.progress(done, total)} images judged so far."
    if run["state"] == "failed":
        html.notice(
            "This run failed",
            formats.plain(run["error"] or "It left no message.", _LONGEST),
            so_far,
            css="sc-alert",
            role="alert",
        )
    elif run["state"] == "interrupted":
        html.notice(
            "Interrupted",
            so_far,
            "Go on with the same command and --resume.",
        )
    else:
        st.progress(
            done / total if total else 0.0,
            text=f"{formats.progress(done, total)} images · last written {updated}",
        )


def table(runs: pd.DataFrame, run_id: int) -> None:
    """Draw all runs side by side; a click on a row shows that run.

    Args:
        runs: The runs, newest first.
        run_id: The run that is shown.
    """
    st.header("Runs", anchor=False)
    run_ids = [int(each) for each in runs["id"]]
    key = f"runs_table_{run_id}"  # a new key a run: the selection is always the run that is shown
    tables.draw(
        _table_frame(runs),
        key=key,
        on_select=lambda: _show_clicked(key, run_ids),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [run_ids.index(run_id)]}},
        column_config={
            "name": st.column_config.TextColumn(width="medium"),
            "dataset": st.column_config.TextColumn(width="small"),
            "model": st.column_config.TextColumn(width="medium"),
            "country": st.column_config.NumberColumn("country (%)", format="%.1f"),
            "city": st.column_config.NumberColumn("city (%)", format="%.1f"),
            "hierarchical": st.column_config.NumberColumn("city given country (%)", format="%.1f"),
            "n": st.column_config.NumberColumn(format="localized"),
        },
    )


def _show_clicked(key: str, run_ids: list[int]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        url_state.show_run(run_ids[rows[0]])


def _table_frame(runs: pd.DataFrame) -> pd.DataFrame:
    done = runs["num_done"].where(runs["num_done"] > 0)
    right = runs["country_correct"].where(runs["country_correct"] > 0)
    return pd.DataFrame(
        {
            "run": runs["id"],
            "name": [formats.plain(text) for text in runs["name"]],
            "state": [state_text(run) for run in _rows(runs)],
            "country": 100 * runs["country_correct"] / done,
            "city": 100 * runs["city_correct"] / done,
            "hierarchical": 100 * runs["city_correct"] / right,
            "n": runs["num_done"],
            "dataset": [formats.plain(text) for text in runs["dataset"]],
            "strategy": [formats.plain(text) for text in runs["strategy"]],
            "model": [formats.plain(text) for text in runs["model_source"]],
            "started": [formats.moment(text) for text in runs["created_at"]],
        }
    )


def details(run: Mapping[str, Any]) -> None:
    """Draw what a run was made of."""
    config = run["config"] or {}
    versions = run["versions"] or {}
    with st.expander("Run details", key="run_details"):
        html.definitions(
            [
                ("Run", f"{run['id']} · {formats.plain(run['name'])}"),
                ("State", state_text(run)),
                ("Model", _text(run["model_source"])),
                ("Weights (SHA-256)", _text(run["model_sha256"])),
                ("Dataset", f"{_text(run['dataset'])} · {_text(run['csv_path'])}"),
                ("Skipped rows", formats.count(run["num_skipped"])),
                ("Candidates", _text(run["candidates_path"])),
                ("Candidates (SHA-256)", _text(run["candidates_sha256"])),
                ("Prompts", _prompts(run["prompts"])),
                ("Strategy", _text(run["strategy"])),
                ("Seed", str(run["seed"])),
                ("Precision", _text(config.get("precision_used", config.get("precision")))),
                ("Started", formats.moment(run["created_at"])),
                ("Last written", formats.moment(run["updated_at"])),
                ("Versions", _text(" · ".join(f"{k} {v}" for k, v in sorted(versions.items())))),
                ("Commit", _text(run["commit_sha"])),
                ("Output folder", _text(run["output_dir"])),
            ]
        )


def _text(value: object) -> str:
    return formats.NONE if value is None else formats.plain(value, _LONGEST)


def _prompts(prompts: Mapping[str, Any] | None) -> str:
    if not prompts:
        return formats.NONE
    return "\n".join(f"{formats.plain(key)}: {_prompt(value)}" for key, value in prompts.items())


def _prompt(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return formats.plain(text, _LONGEST)


def how_to_start() -> None:
    """Say which commands fill the store."""
    st.markdown("These fill it; reload this page when one is done.")
    st.markdown("The drawn world, from nothing:")
    st.code("make demo-run", language=None)
    st.markdown("Your own images:")
    st.code(
        "python main.py --mode evaluate --test_csv data/test.csv --image_dir data/images "
        "--checkpoint_path geolocal/StreetCLIP",
        language=None,
        wrap_lines=True,
    )
    st.markdown("Another store:")
    st.code("streamlit run dashboard/Home.py -- --db PATH", language=None)
