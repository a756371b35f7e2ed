"""Leaderboard: all runs by dataset, with intervals and differences from a baseline."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Final

import altair as alt
import pandas as pd
import streamlit as st

from dashboard.charts import channels, metric_cards, selection_events, share_bars, tables
from dashboard.queries import filter_values, leaderboard, run_queries
from dashboard.queries.leaderboard import FIGURES, GEOSCORE, MEDIAN
from dashboard.shell import filter_urls, formats, html, links, url_widgets
from dashboard.shell.page_query import View
from dashboard.views import frame, run_picker
from streetclip.metrics.intervals import FEWEST_CLUSTERS
from streetclip.metrics.published import Benchmark
from streetclip.reports.run_facts import state_text
from streetclip.results import ATTRIBUTE

_NONE: Final = "none"
_MOST: Final = 50  # runs of a dataset
_MOST_SLICES: Final = 20
_MOST_BARS: Final = 15
_ROW_PIXELS, _AXIS_PIXELS = 30, 60
_WIDTH: Final = 120  # pixels of an interval
_PUBLISHED: Final = -1  # instead of the id of a run
_SLICE: Final = "slice:"


def render() -> None:
    """Draw the page."""
    frame.show("Leaderboard", _body)


def _body(view: View) -> None:
    if frame.is_empty(view):
        return
    runs = run_picker.offered(run_queries.list_runs(view.path), view.run_id)
    own = run_queries.details(view)["dataset_id"]
    figure, by, cluster = _controls(view)
    metric_cards.selection_remark(view.selection)
    if cluster is not None:
        html.remark(f"Intervals clustered by fewer than {FEWEST_CLUSTERS} values are left out.")
    if view.baseline_id is None:
        html.remark("Choose a baseline in the sidebar to see which differences are significant.")
    else:
        name = run_queries.details(view.of_baseline())["name"]
        line = "Differences from baseline ", html.tag("strong", html.name(name))
        html.draw(html.tag("p", *line, " over the images that both runs have.", css="sc-line"))

    def dataset_of(run: Mapping[str, Any]) -> tuple[bool, int]:
        return run["dataset_id"] != own, -int(run["dataset_id"])

    for _, of_dataset in groupby(sorted(runs, key=dataset_of), dataset_of):
        _dataset(view, list(of_dataset), figure, by, cluster)


def _controls(view: View) -> tuple[str, str | None, str | None]:
    attributes = {
        f"{ATTRIBUTE}{name}": f"attribute {formats.isolated(name)}"
        for name in filter_values.attribute_names(view)
    }
    left, middle, right = st.columns(3, gap="small")
    with left:
        figure = url_widgets.select("Figure", "metric", FIGURES, "country")
    with middle:
        slices = {_NONE: "none", "continent": "continent", **attributes}
        by = url_widgets.select("Columns by", "by", slices, _NONE)
    with right:
        clusters = {_NONE: "none: images are independent", **attributes}
        cluster = url_widgets.select("Intervals clustered by", "cluster", clusters, _NONE)
    return figure, None if by == _NONE else by, None if cluster == _NONE else cluster


def _dataset(
    view: View,
    runs: Sequence[Mapping[str, Any]],
    figure: str,
    by: str | None,
    cluster: str | None,
) -> None:
    html.draw(html.tag("h2", html.name(runs[0]["dataset"]), css="sc-section"))
    started = [run for run in runs if run["num_done"]]
    rows = leaderboard.standings(view, started[:_MOST], figure, by, cluster)
    if rows.empty:
        html.remark("None of its images matches the filters, or none has a prediction yet.")
        return
    known = {int(run["id"]): run for run in runs}
    rows = rows.assign(
        run=[formats.plain(known[i]["name"], 60) for i in rows["id"]],
        kind=[_kind(known[i]) for i in rows["id"]],
    )
    key = selection_events.keyed(
        "leaderboard", runs[0]["dataset_id"], view.selection, figure, by, cluster
    )
    if figure not in (MEDIAN, GEOSCORE) and len(rows) > 1:
        _bars(view, rows, figure, f"{key}_bars")
    published = leaderboard.published_on(view, runs[0])
    if published is not None:
        rows = pd.concat([rows, pd.DataFrame(_published(published))], ignore_index=True)
        rows = rows.sort_values(figure, ascending=figure == MEDIAN, ignore_index=True)
    columns = _columns(rows, figure)
    values = rows["id"].fillna(_PUBLISHED).astype(int).tolist()
    tables.show(rows, columns, key=key, values=values, on_pick=partial(_open, view))
    if len(started) > _MOST:
        html.remark(f"The {_MOST} newest of {formats.count(len(started))} runs are shown.")
    if published is not None:
        sources: dict[str, list[str]] = {}
        for name, each in published.everyone.items():
            sources.setdefault(each.source, []).append(name)
        texts = (f"{', '.join(names)}: {source}" for source, names in sources.items())
        html.remark(f"Published on {published.name}: {'; '.join(texts)}.")


def _bars(view: View, rows: pd.DataFrame, figure: str, key: str) -> None:
    """Draw the chosen share of the best runs; a click shows a run's Overview."""
    best = rows.head(_MOST_BARS)
    ids = best["id"].astype(int).astype(str)
    bars = share_bars.in_per_cent(
        pd.DataFrame(
            {
                "id": ids,
                "run": [f"{i} · {name[:24]}" for i, name in zip(ids, best["run"], strict=True)],
                "value": best[figure],
                "low": best[f"{figure}_low"],
                "high": best[f"{figure}_high"],
                "n": best["n"],
            }
        )
    )
    # The share's own n may be smaller than the number of images.
    layers = share_bars.share_bars(bars.assign(n_text=""), "run", f"{FIGURES[figure]} (%)")
    layers[0] = selection_events.clickable(layers[0].encode(alt.Detail("id:N")), "id")
    channels.show(
        layers,
        key=key,
        alt_text=f"{FIGURES[figure]} by run: {', '.join(bars['run'] + ' ' + bars['label'])}.",
        height=_AXIS_PIXELS + _ROW_PIXELS * len(bars),
        on_select=selection_events.picker(key, "id", lambda chosen: _open(view, int(chosen))),
    )
    if len(rows) > len(best):
        html.remark(f"The {len(best)} best of {len(rows)} runs.")


def _kind(run: Mapping[str, Any]) -> str:
    """Describe how a run was made ("imported" for one of another program), and its state."""
    state = "" if run["state"] == "done" else state_text(run)
    archived = "archived" if run["archived_at"] is not None else ""
    return ", ".join(filter(None, [formats.plain(run["strategy"], 20), state, archived]))


def _published(benchmark: Benchmark) -> list[dict[str, Any]]:
    known = {"kind": "published", "n": benchmark.num_images}
    return [
        {"run": name, **known, **{f"within_{km}": share for km, share in each.shares.items()}}
        for name, each in benchmark.everyone.items()
    ]


def _columns(rows: pd.DataFrame, figure: str) -> dict[str, tables.Column]:
    """List the columns: the run, the chosen figure, what it is compared by, all others."""
    columns = {
        "run": tables.text("run", pinned=True, width=150),
        **_with_interval(figure),
    }
    if "difference" in rows:
        columns |= _differences(figure)
    columns |= {"n": tables.whole("images"), "kind": tables.text("strategy")}
    names = sorted(name for name in map(str, rows) if name.startswith(_SLICE))[:_MOST_SLICES]
    columns |= {
        name: tables.per_cent(f"{formats.plain(name.removeprefix(_SLICE), 30) or '(blank)'} (%)")
        for name in names
    }
    for other in FIGURES:
        columns |= {} if other == figure else _with_interval(other)
    return columns


def _with_interval(name: str) -> dict[str, tables.Column]:
    title, ends = FIGURES[name], (f"{name}_low", f"{name}_high")
    if name == MEDIAN:
        column, write = tables.decimal(f"{title} (km)", form="%.0f"), formats.kilometre_number
    elif name == GEOSCORE:
        column, write = tables.decimal(f"{title} (0–5,000)", form="%.0f"), formats.count
    else:
        return {
            name: tables.per_cent(f"{title} (%)"),
            f"{name}_ends": tables.interval(*ends, width=_WIDTH),
        }

    def written(low: float, high: float) -> str:
        return formats.NONE if pd.isna(low) else f"{write(low)}–{write(high)}"

    return {name: column, f"{name}_ends": tables.interval(*ends, write=written, width=_WIDTH)}


def _differences(figure: str) -> dict[str, tables.Column]:
    column = tables.per_cent("difference (points)", form="%+.1f")
    interval = tables.interval(write=formats.points_interval, width=_WIDTH)
    if figure == GEOSCORE:
        column = tables.decimal("difference", form="%+.0f")
        interval = tables.interval(write=_score_interval, width=_WIDTH)

    def significant(rows: pd.DataFrame, _: str) -> list[str]:
        ends = zip(rows["low"], rows["high"], strict=True)
        words = {True: "significant", False: "not significant"}
        return [formats.NONE if pd.isna(low) else words[low > 0 or high < 0] for low, high in ends]

    return {
        "difference": column,
        "difference_ends": interval,
        "significance": tables.text("against baseline")._replace(made=significant),
        "num_common": tables.whole("common images"),
    }


def _score_interval(low: float, high: float) -> str:
    return formats.NONE if pd.isna(low) else f"{formats.signed(low)} to {formats.signed(high)}"


def _open(view: View, run_id: int | None) -> None:
    """Show a run's Overview in a click's callback."""
    if run_id not in (None, _PUBLISHED):
        baseline = None if view.baseline_id in (None, run_id) else str(view.baseline_id)
        filters = filter_urls.written(view.selection)
        links.ask("", run=str(run_id), baseline=baseline, **filters)
