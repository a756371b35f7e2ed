"""The Training page in a real browser: it follows a training, and draws any text as text."""

import pytest

from tests.dashboard.sites import DESK, FORMS, OTHER_FORMS, serve
from tests.dashboard.training_records import Trainings, points
from tests.dashboard.worlds import HOSTILE

pytestmark = pytest.mark.browser

SEVERAL = "training?training=1&training=2&training=3"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A dashboard, and the trainings that it shows: one done, one running, one hostile."""
    folder = tmp_path_factory.mktemp("trainings")
    written = Trainings(folder / "streetclip.db")
    written.add(rows=points(held_out=(12, 4, 5)), why="no better for 2 epochs")
    written.add("running")
    written.add("failed", text=HOSTILE, error=HOSTILE)
    with serve(written.path, folder) as address:
        yield address, written


def main_text(page):
    return page.inner_text("[data-testid=stMain]").replace("\u00a0", " ")


def test_it_is_accessible_silent_and_asks_nobody(served, visit):
    visited = visit(viewport=DESK)
    for path in ("training?training=1", f"{SEVERAL}&axis=epoch"):
        visited.go(f"{served[0]}/{path}")
        assert visited.faults(*FORMS, *OTHER_FORMS) == []
    assert visited.errors == []
    assert visited.strangers() == []


def test_hostile_names_fetch_and_run_nothing(served, visit):
    visited = visit(viewport=DESK)
    visited.page.on("dialog", lambda dialog: visited.errors.append(dialog.message))
    for path in ("training?training=3", SEVERAL):
        page = visited.go(f"{served[0]}/{path}")
        page.get_by_text("Details of training 3").click()
        page.get_by_text("Output folder").last.wait_for()
        assert "<img src=" in main_text(page)
        assert page.locator("[data-testid=stMain] img").count() == 0
    assert visited.strangers() == []
    assert visited.errors == []


def test_a_running_training_is_followed_to_its_end_without_a_click(served, visit):
    address, written = served
    training = written.add("running", [row for row in points() if row[0] <= 3], name="followed")
    page = visit(viewport=DESK).go(f"{address}/training?training={training}")
    assert "running, epoch 1 of 3" in main_text(page)
    assert "3 of 9 steps" in main_text(page)
    written.log(training, [row for row in points() if row[0] > 3])
    page.get_by_text("7 of 9 steps").wait_for()
    assert "running, epoch 2 of 3" in main_text(page)
    written.set_state(training, "done")
    page.locator("p", has_text="done, epoch 2 of 3").wait_for()
    page.get_by_text("steps · last written").wait_for(state="detached")
