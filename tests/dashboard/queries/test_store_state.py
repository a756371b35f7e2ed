"""A page reads each thing once, and several visitors compute an answer once."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import streamlit as st

from dashboard.queries import report, run_queries, store_state
from streetclip import results, store
from streetclip.results.filters import Selection
from streetclip.store import open_store, write_predictions
from tests.dashboard.pages import PAGES, open_page_of
from tests.dashboard.worlds import World, predictions

EVERYTHING = Selection()
NUM_CLIENTS = 8


@pytest.fixture
def world(tmp_path):
    st.cache_data.clear()
    st.cache_resource.clear()
    world = World(tmp_path, num_images=40, with_files=False)
    world.add_run("finished", seed=1, skill=0.7)
    world.add_run("in work", seed=2, skill=0.4, num_done=20, state="running")
    return world


def counted(monkeypatch, owner, name, seconds=0.0):
    """A list that grows with each call of a function, which takes some time."""
    calls, function = [], getattr(owner, name)

    def call(*args, **kwargs):
        calls.append(kwargs)
        time.sleep(seconds)
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, name, call)
    return calls


def view_of(world, run_id=1, **selection):
    return run_queries.make_view(world.path, run_id, None, Selection(**selection), EVERYTHING)


def write_a_batch(world):
    frame = predictions(world.rows, world.dataset.image_ids, 2, 0.4)
    with open_store(world.path) as opened:
        assert write_predictions(opened, {2: frame.iloc[20:30]}) == {2: 10}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_lists_the_runs_once_though_a_job_writes_all_the_time(world, monkeypatch, name):
    open_page = open_page_of(monkeypatch)
    number = itertools.count()
    monkeypatch.setattr(store_state, "stamp", lambda _: ((next(number),),))
    listed = counted(monkeypatch, store, "list_runs")
    page = open_page(world.path, name, run="1", baseline="2", country="FR", status="open")
    assert not page.exception
    of_overview = [{}] if name == "overview" else []  # the table of runs has counts
    assert listed == [{"with_correct": False}, *of_overview]


def test_a_page_keeps_what_it_has_read_and_the_next_page_shows_the_new_state(world):
    with store_state.one_reading():
        before = run_queries.list_runs(world.path)
        assert run_queries.num_selected(view_of(world, 2)) == 20
        write_a_batch(world)
        assert run_queries.list_runs(world.path) is before
        assert run_queries.num_selected(view_of(world, 2)) == 20
    with store_state.one_reading():
        assert run_queries.list_runs(world.path)[0]["num_done"] == 30
        assert run_queries.num_selected(view_of(world, 2)) == 30
        assert run_queries.groups(view_of(world, 2), "continent")["n"].sum() == 30
    assert run_queries.runs_with_correct(world.path)["num_done"].tolist() == [30, 40]


def test_what_failed_is_read_again_and_other_arguments_are_another_question():
    calls = []

    @store_state.once
    def double(number):
        calls.append(number)
        if len(calls) == 1:
            raise OSError
        return 2 * number

    with store_state.one_reading():
        with pytest.raises(OSError, match=r"^$"):
            double(3)
        assert [double(3), double(4), double(3)] == [6, 8, 6]
        assert calls == [3, 3, 4]
    assert [double(3), double(3)] == [6, 6]
    assert calls == [3, 3, 4, 3, 3]


def test_several_visitors_of_one_selection_compute_its_figures_once(world, monkeypatch):
    names = ("select", "group_counts", "run_figures", "distance_shares")
    calls = [counted(monkeypatch, results, name, seconds=0.05) for name in names]
    opened = counted(monkeypatch, results.RunTable, "open", seconds=0.05)

    def visit(_):
        with store_state.one_reading():
            return report.report(view_of(world, country="FR"))

    with ThreadPoolExecutor(NUM_CLIENTS) as visitors:
        found = list(visitors.map(visit, range(NUM_CLIENTS)))
    assert {each.country for each in found} == {found[0].country}
    assert [len(each) for each in (*calls, opened)] == [1] * 5


def test_a_batch_of_one_run_leaves_the_answers_of_another(world, monkeypatch):
    before = report.report(view_of(world, country="FR"))
    write_a_batch(world)
    for name in ("select", "group_counts", "run_figures"):
        monkeypatch.setattr(results, name, lambda *_: pytest.fail("computed again"))
    assert report.report(view_of(world, country="FR")).country == before.country
