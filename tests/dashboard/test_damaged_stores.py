"""Every page of a damaged store shows one clear line, or what can be read."""

import itertools
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dashboard.images import image_queries, triage
from dashboard.shell.page_query import View
from dashboard.views import frame
from streetclip.errors import StoreError
from streetclip.process_identity import current_process
from streetclip.results.filters import Selection
from streetclip.runtime import JobSpec, end_job, register_job
from streetclip.store import (
    TrainingSpec,
    annotate,
    explained,
    log_training_points,
    open_store,
    set_training_state,
    start_training,
)
from tests.dashboard.pages import PAGES, WORK_PAGES, open_page_of, text_of
from tests.dashboard.worlds import World
from tests.store.damaged_stores import DAMAGE


def make(folder: Path) -> World:
    """A store with two runs, a training, a job and an annotation, in one file."""
    world = World(folder, num_images=300, with_files=False)
    world.add_run("older", seed=1)
    world.add_run("newer", seed=2)
    with open_store(world.path) as store:
        spec = TrainingSpec(
            name="t", model_source="m", train_csv="a", val_csv="b", output_dir="o", config={}
        )
        training_id = start_training(store, spec)
        log_training_points(store, training_id, [(s, s / 10, "loss", 2.0) for s in range(1, 20)])
        set_training_state(store, training_id, "done")
        job = JobSpec(kind="train", arguments=(), parameters={}, output_dir=folder, cwd=folder)
        ticket = register_job(store, job, current_process())
        end_job(store, ticket.job_id, ticket.attempt, "done")
        annotate(store, [1, 2, 3], add_tags=["no cue"], note="n")
    with closing(sqlite3.connect(world.path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return world


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return make(tmp_path_factory.mktemp("whole")).path


@pytest.fixture
def open_page(monkeypatch):
    return open_page_of(monkeypatch)


@pytest.fixture
def damaged(request, whole, tmp_path):
    """A damaged copy of the store, and its kind of damage."""
    path = tmp_path / "streetclip.db"
    shutil.copy(whole, path)
    DAMAGE[request.param](path)
    return path, request.param


def problem_of(page):
    """The line that a page shows in place of its figures; "" if it is drawn."""
    assert not page.exception
    found = text_of(page).split("Nothing to show ")[1:]
    assert len(found) <= 1
    return found[0] if found else ""


def check(page, path):
    line = problem_of(page)
    if line:
        assert line.startswith(str(path))
        assert "--db" in line
    return line


@pytest.mark.parametrize("damaged", DAMAGE, indirect=True)
def test_a_page_of_a_damaged_store_shows_one_line_or_what_can_be_read(open_page, damaged):
    path, kind = damaged
    line = check(open_page(path, "compare"), path)
    assert line or kind not in {"column gone", "flipped bytes in a column", "no JSON in a run"}


def every_third(kinds, pages):
    """Pairs of a kind and a page; each page with a third of the kinds, each kind with three pages.

    Pages read a store through the same few functions.
    """
    pairs = itertools.product(enumerate(kinds), enumerate(pages))
    return [(kind, page) for (i, kind), (j, page) in pairs if (i + j) % 3 == 0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damaged", "name"), every_third(DAMAGE, [*PAGES, *WORK_PAGES]), indirect=["damaged"]
)
def test_no_page_of_a_damaged_store_fails(open_page, damaged, name):
    path, _ = damaged
    check(open_page(path, name), path)


def test_a_damaged_column_of_one_run_is_named_and_the_other_run_is_shown(
    open_page, whole, tmp_path
):
    path = shutil.copy(whole, tmp_path / "streetclip.db")
    DAMAGE["flipped bytes in a column"](path)
    page = open_page(path, "map", run="1")
    line = check(page, path)
    assert "make demo-run" not in text_of(page)  # advice for those without a store
    assert "run 1: its column 'distance_km' is damaged. Repair it" in line
    assert "--repair" in line
    assert problem_of(open_page(path, "map", run="2")) == ""


@pytest.mark.parametrize("kind", ["invalid UTF-8", "control characters", "no JSON in metrics"])
def test_damaged_texts_hide_no_figures(open_page, whole, tmp_path, kind):
    path = shutil.copy(whole, tmp_path / "streetclip.db")
    DAMAGE[kind](path)
    assert problem_of(open_page(path, run="2")) == ""


def test_damage_during_a_visit_is_shown_by_a_fragment_and_a_tag(monkeypatch, whole, tmp_path):
    path = Path(shutil.copy(whole, tmp_path / "streetclip.db"))
    DAMAGE["no annotations table"](path)
    with open_store(path, read_only=True) as store:
        (uid,) = store.rows("SELECT uid FROM runs WHERE id = 1")[0]
    view = View(path=path, run_id=1, run_key="", selection=Selection(), run_uid=uid)
    with pytest.raises(StoreError, match="the table annotation_tags is missing"):
        image_queries.note(view, triage.Action(triage.TAG, 1, "x"))
    shown = []
    monkeypatch.setattr("dashboard.shell.html.notice", lambda *words, **_: shown.append(words))

    def draw():
        with explained(path):
            1 / 0  # noqa: B018

    assert not frame.guarded(draw)
    assert len(shown) == 1
    assert "annotation_tags is missing" in shown[0][1]


def test_our_own_faults_are_not_dressed_up_as_damage(monkeypatch, open_page, whole):
    def fails(_):
        msg = "a fault of ours"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr("dashboard.queries.run_queries.list_runs", fails)
    assert open_page(whole).exception
