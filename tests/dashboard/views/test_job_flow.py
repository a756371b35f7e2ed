"""From captions to a run on Overview, from the dashboard alone, in a real browser."""

import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from streetclip.runtime import get_job
from streetclip.store import list_runs, list_trainings, open_store, training_curves
from tests.dashboard.sites import DESK, serve

pytestmark = pytest.mark.browser

EPOCHS = 40  # so many that it is cancelled before the last, on a fast machine too
PATIENCE_MS = 180_000


class Desk:
    """The Jobs page as somebody uses it."""

    def __init__(self, visited, address, store_path):
        self.visited, self.page = visited, visited.page
        self.address, self.store_path = address, store_path

    def fill(self, **texts):
        """Type into fields, by their label with underscores."""
        for label, text in texts.items():
            field = self.page.locator(f'input[aria-label^="{label.replace("_", " ")}"]')
            field.fill(str(text))
            field.press("Enter")
        self.visited.settle()

    def value(self, label):
        return self.page.locator(f'input[aria-label^="{label}"]').input_value()

    def click(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()
        self.visited.settle()

    def wait_for_state(self, state):
        line = self.page.locator("p.sc-line[role=status]", has_text=f" · {state}")
        line.wait_for(timeout=PATIENCE_MS)

    def num_epochs(self):
        """Epochs of the training that have been validated."""
        with open_store(self.store_path, read_only=True) as store:
            if list_trainings(store).empty:
                return 0
            curves = training_curves(store, 1)
        return int((curves["name"] == "val_country_accuracy").sum()) - 1  # one before training

    def wait_for_an_epoch(self):
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while self.num_epochs() < 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def record(self):
        """What the store says of the job that the page shows."""
        (job_id,) = parse_qs(urlsplit(self.page.url).query)["job"]
        with open_store(self.store_path, read_only=True) as store:
            return get_job(store, int(job_id))


@pytest.fixture
def desk(small_world, tmp_path, visit):
    store_path = tmp_path / "streetclip.db"
    roots = ("--root", str(small_world), "--root", str(tmp_path))
    with serve(store_path, tmp_path, *roots, OMP_NUM_THREADS="1") as address:
        visited = visit(viewport=DESK)
        visited.go(f"{address}/jobs")
        yield Desk(visited, address, store_path)


def test_captions_training_and_evaluation_from_the_dashboard(desk, small_world, tmp_path):
    page = desk.page

    csvs = {f"{split}_CSV": small_world / f"{split.lower()}.csv" for split in ("Train", "Val")}
    desk.fill(**csvs, Output_folder=tmp_path / "captions")
    desk.click("Start: generate captions")
    desk.wait_for_state("done")

    desk.click("Train on these captions")
    assert desk.value("Train CSV") == str(tmp_path / "captions" / "train_captions.csv")
    assert desk.value("Image folder") == str(small_world / "images")
    assert desk.value("Model name") == str(small_world / "model")
    desk.fill(
        Output_folder=tmp_path / "training",
        Number_of_epochs=EPOCHS,
        Learning_rate="1e-3",
        Run_name="from the dashboard",
    )
    desk.click("Start: train")
    desk.wait_for_state("running")
    desk.wait_for_an_epoch()
    desk.click("Cancel")
    desk.wait_for_state("cancelled")
    assert desk.num_epochs() < EPOCHS

    desk.click("Resume")
    page.get_by_text(re.compile(r"\d+ of \d+ (steps|images)")).first.wait_for(timeout=PATIENCE_MS)
    desk.wait_for_state("done")
    assert desk.record()["attempt"] == 2
    assert desk.num_epochs() == EPOCHS
    assert page.get_by_role("link", name="Training 1").count() == 1

    desk.click("Evaluate this model")
    assert desk.value("Checkpoint path") == str(tmp_path / "training" / "best_model.pt")
    assert desk.value("Test CSV") == str(small_world / "test.csv")
    desk.fill(Output_folder=tmp_path / "evaluation")
    desk.click("Start: evaluate")
    desk.wait_for_state("done")

    page.get_by_role("link", name="Run 1 on Overview").click()
    page.get_by_text("Run details").wait_for(timeout=PATIENCE_MS)
    text = desk.visited.text()
    assert "from the dashboard" in text
    assert "n = 50" in text
    with open_store(desk.store_path, read_only=True) as store:
        assert list_runs(store)["state"].tolist() == ["done"]
    assert desk.visited.strangers() == []
    assert desk.visited.errors == []
