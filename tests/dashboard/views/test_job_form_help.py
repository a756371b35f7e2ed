"""The form of a job fills in what is known, asks for the rest and speaks in its own labels."""

from pathlib import Path

import pytest

from dashboard.views.jobs import file_picker, form_defaults
from dashboard.views.jobs.form_fields import settings_of
from streetclip.runtime import Roots
from tests.dashboard.job_records import fill, labels, start_train
from tests.dashboard.pages import text_of


def values(page, *names):
    return [page.text_input(key=f"job_train_{name}").value for name in names]


INPUTS = ("train_csv", "val_csv", "image_dir")


class TestMessages:
    def test_they_name_the_fields_by_their_labels(self, open_jobs):
        page = open_jobs(form="train").button(key="job_start").click().run()
        text = text_of(page)
        assert "Train CSV is not given; expected" in text
        assert "Fix the 3 highlighted fields: Train CSV, Val CSV, Image folder." in text
        assert "--train_csv is" not in text

    def test_a_taken_folder_is_reported_until_something_changes(self, open_jobs, records):
        records.add("running", run_name="the first", output_dir=Path("outputs/t"))
        page = start_train(open_jobs(form="train"), output_dir="outputs/t")
        assert "or name another Output folder." in text_of(page)
        fill(page, output_dir="outputs/u")
        assert "Not started" not in text_of(page.run())

    def test_a_mended_field_is_no_longer_counted(self, open_jobs):
        page = start_train(open_jobs(form="train"), num_epochs="ten", batch_size="many")
        assert "Fix the 2 highlighted fields: Number of epochs, Batch size." in text_of(page)
        fill(page, num_epochs="3")
        assert "Fix the highlighted field: Batch size." in text_of(page.run())
        fill(page, batch_size="32")
        assert "Not started" not in text_of(page.run())


class TestRecipe:
    def test_it_fills_in_the_files_of_the_data_folder(self, open_jobs):
        page = open_jobs(form="train")
        fill(page, val_csv="data/test.csv")
        page = page.selectbox(key="job_train_recipe").set_value("lora").run()
        assert values(page, *INPUTS) == ["data/train.csv", "data/test.csv", "data/images"]
        assert "leaves this open" not in text_of(page)

    def test_what_is_missing_is_asked_at_its_field_until_it_is_given(self, open_jobs, records):
        (records.folder / "data" / "val.csv").unlink()
        page = open_jobs(form="train")
        page = page.selectbox(key="job_train_recipe").set_value("paper").run()
        asked = "The recipe paper leaves this open, and data/val.csv is not there. Choose it."
        assert text_of(page).count(asked) == 1
        assert "Not started" not in text_of(page)
        fill(page, val_csv="data/test.csv")
        assert asked not in text_of(page.run())

    def test_the_demo_takes_the_drawn_world_and_its_model(self, open_jobs, records):
        page = open_jobs(form="train")
        page = page.selectbox(key="job_train_recipe").set_value("demo").run()
        assert text_of(page).count("leaves this open") == 4
        drawn = records.folder / "data" / "demo"
        (drawn / "model").mkdir(parents=True)
        (drawn / "images").mkdir()
        for name in ("train.csv", "val.csv"):
            (drawn / name).touch()
        page = page.selectbox(key="job_train_recipe").set_value("lora").run()
        page = page.selectbox(key="job_train_recipe").set_value("demo").run()
        assert values(page, "model_name") == ["data/demo/model"]
        assert values(page, "image_dir") == ["data/demo/images"]


class TestBrowse:
    def test_it_opens_where_the_last_file_was_chosen(self, open_jobs, records):
        deep = records.folder / "data" / "osv5m" / "tables"
        deep.mkdir(parents=True)
        (deep / "train.csv").touch()
        (deep / "val.csv").touch()
        page = open_jobs(form="train")
        page = page.button(key="job_train_train_csv_browse").click().run()
        for words in ("osv5m", "tables", "train\\.csv"):
            page = next(each for each in page.button if each.label == words).click().run()
        assert values(page, "train_csv") == ["data/osv5m/tables/train.csv"]
        page = page.button(key="job_train_val_csv_browse").click().run()
        assert "val\\.csv" in labels(page)
        page = next(each for each in page.button if each.label == "val\\.csv").click().run()
        # A field with a path of its own opens there; a model's id is none.
        page = page.button(key="job_train_model_name_browse").click().run()
        assert "train\\.csv" in labels(page)

    def test_a_folder_that_is_gone_or_not_allowed_is_not_opened(self, tmp_path, monkeypatch):
        allowed = tmp_path / "data"
        allowed.mkdir()
        roots = Roots((allowed,), tmp_path)
        setting = next(each for each in settings_of("train") if each.name == "train_csv")
        for last in (allowed / "gone", tmp_path):
            state = {"field": "", "browser_last": last}
            monkeypatch.setattr(file_picker.st, "session_state", state)
            assert file_picker._start_of("field", setting, roots) == allowed


class TestEndedEarly:
    @pytest.mark.parametrize("state", ["cancelled", "failed", "interrupted"])
    def test_the_best_model_so_far_can_be_evaluated_at_once(self, open_jobs, records, state):
        job_id = records.add(state, output_dir=Path("outputs/t"))
        (records.folder / "outputs" / "t").mkdir()
        assert form_defaults.next_kind(records.get(job_id)) is None
        (records.folder / "outputs" / "t" / "best_model.pt").touch()
        page = open_jobs(job=str(job_id))
        assert {"Evaluate this model", "Resume"} <= set(labels(page))
        page = page.button(key="job_next").click().run()
        assert page.query_params["form"] == "evaluate"
        value = page.text_input(key="job_evaluate_checkpoint_path").value
        assert value == "outputs/t/best_model.pt"

    def test_a_running_one_is_not_offered(self, open_jobs, records):
        job_id = records.add("running", output_dir=Path("outputs/t"))
        (records.folder / "outputs" / "t").mkdir()
        (records.folder / "outputs" / "t" / "best_model.pt").touch()
        assert "Evaluate this model" not in labels(open_jobs(job=str(job_id)))


def test_a_drawn_world_leads_to_its_training(open_jobs, records):
    drawn = records.folder / "data" / "demo"
    job_id = records.add("done", "make_demo", output_dir=drawn)
    (drawn / "model").mkdir(parents=True)
    (drawn / "images").mkdir()
    for name in ("train.csv", "val.csv"):
        (drawn / name).touch()
    page = open_jobs(job=str(job_id)).button(key="job_next").click().run()
    assert not page.exception
    expected = ["data/demo/train.csv", "data/demo/val.csv", "data/demo/images", "data/demo/model"]
    assert values(page, *INPUTS, "model_name") == expected
    assert values(page, "run_name", "learning_rate") == ["demo", "0.001"]
