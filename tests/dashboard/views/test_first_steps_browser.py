"""An empty store leads on in a real browser; a training leads to its evaluation."""

import pytest

from streetclip.runtime import list_jobs, request_cancel
from streetclip.store import open_store
from tests.dashboard.sites import DESK, PHONE, serve
from tests.dashboard.training_records import Trainings

pytestmark = pytest.mark.browser


@pytest.mark.slow
@pytest.mark.parametrize("size", [DESK, PHONE])
def test_an_empty_store_opens_the_forms(tmp_path, visit, size):
    path = tmp_path / "streetclip.db"
    with serve(path, tmp_path, f"--root={tmp_path}") as address:
        visited = visit(viewport=size)
        page = visited.go(address)
        assert visited.faults((size, "dark"), (size, "light")) == []
        page.get_by_role("button", name="Evaluate a model").click()
        page.get_by_role("button", name="Start: evaluate").wait_for()
        assert "form=evaluate" in page.url
        assert not path.exists()
        assert visited.errors == []


@pytest.mark.slow
def test_one_click_draws_the_demo_and_leads_to_its_training(tmp_path, visit):
    path = tmp_path / "streetclip.db"
    with serve(path, tmp_path, f"--root={tmp_path}") as address:
        page = visit(viewport=DESK).go(address)
        page.get_by_role("button", name="Draw the demo data").click()
        page.get_by_text("Job 1 · Make demo").wait_for()
        page.get_by_text("images/s").wait_for()
        with open_store(path) as store:
            request_cancel(store, 1)
        page.get_by_role("button", name="Resume").wait_for()
        with open_store(path) as store:
            assert list_jobs(store)["output_dir"].iloc[-1] == str(tmp_path / "demo")


@pytest.mark.slow
def test_a_training_that_ended_early_is_evaluated_from_its_page(tmp_path, visit):
    written = Trainings(tmp_path / "streetclip.db")
    best = tmp_path / "best_model.pt"
    best.touch()
    (tmp_path / "photos").mkdir()
    written.add("interrupted", config={"num_epochs": 3, "image_dir": str(tmp_path / "photos")})
    with serve(written.path, tmp_path, f"--root={tmp_path}") as address:
        visited = visit(viewport=DESK)
        page = visited.go(f"{address}/training?training=1")
        page.get_by_role("button", name="Evaluate training 1").click()
        page.get_by_role("button", name="Start: evaluate").wait_for()
        visited.settle()
        assert page.get_by_role("textbox", name="Checkpoint path").input_value() == str(best)
        assert page.get_by_role("textbox", name="Image folder (required)").input_value() == str(
            tmp_path / "photos"
        )
        assert "Outputs of training 1" in visited.text()
        assert visited.errors == []
    with serve(written.path, tmp_path, "--no_jobs") as address:
        page = visit(viewport=DESK).go(f"{address}/training?training=1")
        assert page.get_by_role("button", name="Evaluate training 1").count() == 0
        assert "--mode evaluate" in page.inner_text("[data-testid=stMain]")
