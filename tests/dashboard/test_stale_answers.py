"""No cached answer outlives what it was read from: each is compared with one that is read afresh.

`CHANGES` are what can happen to a store under an open dashboard, `READS` every read that keeps its
answer. The two stores have the same ids, names, counts and times, so that random tokens alone tell
them apart.
"""

import shutil

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from dashboard.images import exports, image_queries
from dashboard.images.triage import Action
from dashboard.queries import (
    comparisons,
    filter_values,
    report,
    run_queries,
    store_state,
    trainings,
)
from dashboard.views.jobs import job_actions
from streetclip.errors import StoreError
from streetclip.results.filters import Selection
from streetclip.store import annotate, open_store, schema, training_curves, undo
from tests.dashboard.pages import open_page_of, text_of
from tests.dashboard.twins import (
    Twin,
    annotate_more,
    go_on,
    go_on_otherwise,
    make_the_run_again,
    overwrite,
    put_in_place,
    settle,
    train_on,
)

FILTERED = Selection(country=("FR",))
TAGGED = Selection(tags=("a",))
OPEN = Selection(status="open")
BY_WEATHER = Selection(attributes=(("weather", "rain"),))
EVERYTHING = Selection()


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twins")
    return Twin(folder / "one", 5), Twin(folder / "two", 9)


@pytest.fixture
def path(twins, tmp_path):
    """A copy of the first twin, which tests may change."""
    clear()
    yield shutil.copyfile(twins[0].path, tmp_path / "streetclip.db")
    clear()


def clear():
    st.cache_data.clear()
    st.cache_resource.clear()


def view_of(path, selection=EVERYTHING, run_id=1, baseline_id=2):
    return run_queries.make_view(path, run_id, baseline_id, selection, EVERYTHING)


def training_of(path):
    return trainings.listed(path)[0]


def cell_of(path):
    found, size_deg = run_queries.hexagons(view_of(path), "true")
    return int(found["cell"].iloc[0]), size_deg


READS = {
    "runs": run_queries.list_runs,
    "details": lambda path: run_queries.details(view_of(path)),
    "report": lambda path: report.report(view_of(path)),
    "report of a finished run": lambda path: report.report(view_of(path, run_id=2)),
    "report of a selection": lambda path: report.report(view_of(path, FILTERED)),
    "mask": lambda path: run_queries.mask(view_of(path, FILTERED)),
    "mask by tag": lambda path: run_queries.mask(view_of(path, TAGGED)),
    "mask by status": lambda path: run_queries.mask(view_of(path, OPEN)),
    "mask by attribute": lambda path: run_queries.mask(view_of(path, BY_WEATHER)),
    "num_selected": lambda path: run_queries.num_selected(view_of(path, FILTERED)),
    "num_selected of all": lambda path: run_queries.num_selected(view_of(path)),
    "groups": lambda path: run_queries.groups(view_of(path), "city"),
    "groups by attribute": lambda path: run_queries.groups(view_of(path), "attribute:weather"),
    "pairs": lambda path: run_queries.pairs(view_of(path)),
    "countries": lambda path: filter_values.countries(view_of(path)),
    "predicted_countries": lambda path: filter_values.predicted_countries(view_of(path)),
    "places": lambda path: filter_values.regions_and_cities(view_of(path, FILTERED)),
    "attribute_names": lambda path: filter_values.attribute_names(view_of(path)),
    "tags": filter_values.tags,
    "counts": lambda path: filter_values.counts(view_of(path, TAGGED)),
    "mask by file name": lambda path: run_queries.mask(
        view_of(path, Selection(country=("FR",), file_name="1"))
    ),
    "against": lambda path: report.against(view_of(path)),
    "confusion_matrix": lambda path: comparisons.confusion_matrix(
        view_of(path), "country", 5, "continent", None
    ),
    "confusion_matrix of continents": lambda path: comparisons.confusion_matrix(
        view_of(path), "continent", 5, "continent", None
    ),
    "continents": lambda path: dict(comparisons.continents(view_of(path))),
    "asymmetric_pairs": lambda path: comparisons.asymmetric_pairs(view_of(path)),
    "nearness": lambda path: comparisons.nearness(view_of(path)),
    "calibration": lambda path: comparisons.calibration(view_of(path), "country"),
    "rival": lambda path: comparisons.rival(view_of(path)),
    "comparison": lambda path: comparisons.comparison(view_of(path), "country"),
    "comparison_by_country": lambda path: comparisons.comparison_by_country(view_of(path), "city"),
    "distances": lambda path: comparisons.distances(view_of(path)),
    "outcome_images": lambda path: comparisons.outcome_images(
        view_of(path), "country", "lost", 1, 20
    ),
    "num_error_arcs": lambda path: run_queries.num_error_arcs(view_of(path, FILTERED)),
    "ends": lambda path: run_queries.error_arcs(view_of(path), run_queries.ARCS),
    "flows": lambda path: run_queries.flows(view_of(path)),
    "routes": lambda path: run_queries.routes(view_of(path)),
    "hexagons": lambda path: run_queries.hexagons(view_of(path), "true"),
    "in_hexagon": lambda path: run_queries.in_hexagon(view_of(path), "true", *cell_of(path), 20),
    "page": lambda path: image_queries.page(view_of(path), "surest", 1),
    "page by status": lambda path: image_queries.page(
        image_queries.with_status(view_of(path), "open"), "surest", 1
    ),
    "place": lambda path: [image_queries.place(view_of(path), "surest", i) for i in (1, 5, 9)],
    "trainings": trainings.listed,
    "curves": lambda path: trainings.curves(path, training_of(path)).points,
    "jobs": lambda path: run_queries.jobs(path, (), (), 9),
}
"""By name, the reads that keep their answers."""


def restore_and_go_on_otherwise(path, twins):
    """A run, a training and annotations to which the same number of things happened."""
    go_on(path, twins)
    annotate_more(path, twins)
    train_on(path, 5.0)
    read_all(path)
    put_in_place(twins[0].path, path)
    go_on_otherwise(path, twins)
    with open_store(path) as store:
        annotate(store, [3], add_tags=["a"], status="to check")
        undo(store)
        annotate(store, [30], add_tags=["b"], status="reviewed")
    train_on(path, 6.0)


CHANGES = {
    "overwritten in place": overwrite,
    "restored from a backup": lambda path, twins: (
        go_on(path, twins),
        annotate_more(path, twins),
        train_on(path, 5.0),
        read_all(path),
        put_in_place(twins[0].path, path),
    ),
    "restored from a backup, then gone on otherwise": restore_and_go_on_otherwise,
    "a run goes on": go_on,
    "a run and a training made again": make_the_run_again,
    "annotated": annotate_more,
    "a training resumed": lambda path, twins: train_on(path, 8.0),
}
"""By name, what can happen to a store while the dashboard is open."""


def plain(answer):
    """Values that are equal for equal answers."""
    if isinstance(answer, pd.DataFrame):
        answer = answer.to_dict("list")
    if isinstance(answer, np.ndarray):
        answer = answer.tolist()
    if hasattr(answer, "__dict__"):
        answer = vars(answer)
    if isinstance(answer, dict):
        return [(str(name), plain(each)) for name, each in sorted(answer.items(), key=str)]
    if isinstance(answer, list | tuple):
        return [plain(each) for each in answer]
    return repr(answer)


def read_all(path):
    return {name: repr(plain(read(path))) for name, read in READS.items()}


@pytest.mark.parametrize("change", CHANGES)
def test_every_answer_is_that_of_the_store_as_it_is_now(path, twins, change):
    before = read_all(path)
    CHANGES[change](path, twins)
    kept = read_all(path)
    clear()
    fresh = read_all(path)
    assert [name for name in READS if kept[name] != fresh[name]] == []
    if change != "restored from a backup":
        assert before != fresh


def test_answers_of_a_store_that_stays_as_it_is_are_kept(path, monkeypatch):
    monkeypatch.setattr(store_state, "SETTLED_NS", -(10**18))  # not just written
    run_queries.list_runs(path)  # SQLite makes its files beside the store
    before = read_all(path)
    monkeypatch.setattr(schema, "connect", lambda *_: pytest.fail("read again"))
    assert read_all(path) == before


def test_the_twins_differ_in_every_answer_that_is_kept(path, twins):
    before = read_all(path)
    clear()
    overwrite(path, twins)
    after = read_all(path)
    same = {name for name in READS if before[name] == after[name]}
    assert same == {"num_selected of all", "rival"}


def test_an_open_page_shows_the_figures_of_the_store_that_took_the_place(path, twins, monkeypatch):
    open_page = open_page_of(monkeypatch)
    page = open_page(path, run="2", country="FR")
    before = text_of(page)
    overwrite(path, twins)
    after = text_of(page.run())
    assert not page.exception
    assert before != after == text_of(open_page(path, run="2", country="FR"))


def two_views(path, twins):
    """A view of the first store, as a page holds it, after the second took its place."""
    view = view_of(path, FILTERED)
    clear()
    overwrite(path, twins)
    return view


@pytest.mark.parametrize(
    "act",
    [
        report.report,
        filter_values.countries,
        filter_values.predicted_countries,
        run_queries.mask,
        lambda view: exports.file_of(view, "surest"),
        lambda view: image_queries.rows(view, [1]),
        lambda view: image_queries.one(view, 1),
        lambda view: comparisons.predictions_of_baseline(view, (1,)),
        lambda view: image_queries.note(view, Action("tag", 1, "no cue")),
        lambda view: image_queries.note(view, Action("undo", 0, "")),
    ],
)
def test_a_page_of_a_store_that_was_replaced_neither_reads_nor_writes_the_new_one(path, twins, act):
    view = two_views(path, twins)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="was replaced"):
        act(view)
    assert path.read_bytes() == before


def test_a_button_of_a_store_that_was_replaced_touches_no_job_of_the_new_one(path, twins):
    job = run_queries.job(path, 1)
    acted = []
    job_actions._try(lambda *given: acted.append(given), path, job, None)
    assert acted == [(path, 1, None)]
    overwrite(path, twins)
    job_actions._try(lambda *given: acted.append(given), path, job, None)
    assert len(acted) == 1
    assert "was replaced" in st.session_state[job_actions._PROBLEM]


def test_a_column_that_is_read_late_is_not_that_of_another_store(path, twins):
    table = run_queries.table(view_of(path))
    overwrite(path, twins)
    with pytest.raises(StoreError, match="was replaced"):
        table.column("distance_km")
    with pytest.raises(StoreError, match="was replaced"):
        table.dataset.attribute("weather")


def test_a_column_that_is_read_late_is_not_that_of_an_older_state(path, twins):
    go_on(path, twins)
    table = run_queries.table(view_of(path))
    settle(path)
    put_in_place(twins[0].path, path)
    with pytest.raises(StoreError, match="older state"):
        table.column("distance_km")


@pytest.mark.parametrize("change", [go_on, annotate_more])
def test_an_answer_that_is_newer_than_its_key_is_shown_but_not_kept(path, twins, change):
    """A job or a person writes after the page has read the key and before it reads the answer."""
    view, by_tag = view_of(path), view_of(path, TAGGED)
    queries = run_queries
    of_run = (report.report, lambda view: queries.groups(view, "country"), queries.pairs)
    reads = [(read, view) for read in of_run] + [(queries.mask, by_tag), (queries.pairs, by_tag)]
    change(path, twins)
    newer = [plain(read(given)) for read, given in reads]
    put_in_place(twins[0].path, path)
    older = [plain(read(given)) for read, given in reads]
    clear()
    assert older == [plain(read(given)) for read, given in reads]
    changed = [one != other for one, other in zip(older, newer, strict=True)]
    assert changed == [change is go_on] * len(of_run) + [change is annotate_more] * 2


def test_curves_that_are_newer_than_their_key_are_not_kept(path, twins):
    """A training is resumed, which replaces a point, after the page has read its key."""
    training = training_of(path)
    for change in (lambda: None, lambda: train_on(path, 8.0), lambda: overwrite_by(twins[0], path)):
        change()
        found = trainings.curves(path, training).points
        with open_store(path, read_only=True) as store:
            assert found.equals(training_curves(store, 1))


def overwrite_by(twin, path):
    settle(path)
    put_in_place(twin.path, path)


def test_looking_at_a_store_changes_no_stamp(path):
    """SQLite makes files beside it for a reader, too."""
    run_queries.list_runs(path)
    before = run_queries.stamp(path)
    filter_values.tags(path)
    assert run_queries.stamp(path)[:2] == before[:2]


def test_two_writes_within_one_tick_of_the_clock_have_two_stamps(tmp_path, monkeypatch):
    path = tmp_path / "streetclip.db"
    path.write_bytes(b"1")
    now_ns = path.stat().st_ctime_ns
    monkeypatch.setattr(store_state.time, "time_ns", lambda: now_ns)
    soon = run_queries.stamp(path)
    assert run_queries.stamp(path) == soon
    monkeypatch.setattr(store_state.time, "time_ns", lambda: now_ns + 200_000_000)
    assert run_queries.stamp(path) != soon
    monkeypatch.setattr(store_state.time, "time_ns", lambda: now_ns + 3 * 10**9)
    settled = run_queries.stamp(path)
    assert settled != soon
    monkeypatch.setattr(store_state.time, "time_ns", lambda: now_ns + 9 * 10**9)
    assert run_queries.stamp(path) == settled


@pytest.mark.parametrize("suffix", ["", "-wal"])
def test_a_stamp_tells_files_of_equal_size_and_time_apart(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(store_state, "SETTLED_NS", -(10**18))
    path = tmp_path / "streetclip.db"
    for each in ("", "-wal"):
        path.with_name(path.name + each).write_bytes(b"1")
    before = run_queries.stamp(path)
    assert run_queries.stamp(path) == before
    put_in_place(shutil.copyfile(path, tmp_path / "other"), path.with_name(path.name + suffix))
    if suffix:
        path.with_name(path.name + suffix).write_bytes(b"2")
    assert run_queries.stamp(path) != before
