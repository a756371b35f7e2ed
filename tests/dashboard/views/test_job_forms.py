"""The forms of the Jobs page show what a job needs and check what was entered."""

from pathlib import Path

import pytest

from tests.dashboard.job_records import fill, labels, start_train
from tests.dashboard.pages import text_of
from tests.dashboard.worlds import HOSTILE

AWKWARD = 'it\'s "quoted"; $(rm) `x`\nnext line'


class TestForm:
    def test_a_training_is_queued_with_exactly_what_was_typed(self, open_jobs, records, started):
        page = open_jobs(form="train")
        page = start_train(page, run_name=AWKWARD, learning_rate="1e-3", num_epochs="3")
        assert not page.exception
        job = records.get(1)
        assert (job["kind"], job["state"], job["name"]) == ("train", "queued", AWKWARD)
        assert sorted(job["arguments"]) == sorted(
            [
                f"--db={records.path}",
                f"--run_name={AWKWARD}",
                "--train_csv=data/train.csv",
                "--val_csv=data/val.csv",
                "--image_dir=data/images",
                "--learning_rate=0.001",
                "--num_epochs=3",
            ]
        )
        assert job["cwd"] == str(records.folder)
        assert page.query_params["job"] == "1"
        assert "queued" in text_of(page)
        assert started

    @pytest.mark.parametrize(
        ("name", "value", "why"),
        [
            ("batch_size", "1", "Batch size is 1; expected at least 2."),
            ("num_epochs", "ten", "expected a whole number"),
            ("train_csv", "data/gone.csv", "no file is there (any more)"),
            ("image_dir", "/etc", "lies outside"),
            ("output_dir", "../x", "leads upwards"),
            ("model_name", "data/../../x.pt", "leads upwards"),
        ],
    )
    def test_a_bad_value_starts_nothing_and_is_reported(self, open_jobs, records, name, value, why):
        page = start_train(open_jobs(form="train"), **{name: value})
        assert not page.exception
        assert why in text_of(page)
        assert "Not started" in text_of(page)
        assert not records.path.exists()
        fill(page, **{name: "data/train.csv"})
        assert why not in text_of(page.run())

    def test_a_link_with_a_model_fills_in_the_form_and_its_texts_are_checked(self, open_jobs):
        page = open_jobs(form="predict", model="/etc/passwd", candidates=HOSTILE)
        page.text_input(key="job_predict_image_dir").set_value("data/images")
        assert page.text_input(key="job_predict_checkpoint_path").value == "/etc/passwd"
        page = page.button(key="job_start").click().run()
        assert not page.exception
        text = text_of(page)
        assert "Fix the 2 highlighted fields: Checkpoint path, Candidates file." in text
        assert "lies outside" in text

    def test_a_file_that_vanished_since_it_was_chosen_is_reported(self, open_jobs, records):
        page = open_jobs(form="train")
        fill(page, train_csv="data/train.csv")
        page.run()
        (records.folder / "data" / "train.csv").unlink()
        page = start_train(page)
        assert "'data/train.csv': no file is there (any more)" in text_of(page)

    def test_a_second_job_on_a_folder_is_refused_with_the_first(self, open_jobs, records):
        records.add("running", run_name="the first", output_dir=Path("outputs/t"))
        page = start_train(open_jobs(form="train"), output_dir="outputs/t")
        assert "job 1 (train, 'the first') is running there" in text_of(page)
        assert records.states() == {1: "running"}

    def test_what_is_typed_survives_a_look_at_another_form(self, open_jobs):
        page = open_jobs(form="train")
        fill(page, run_name="kept")
        page.run()
        page.button_group(key="own_form").set_value("evaluate").run()
        page.button_group(key="own_form").set_value("train").run()
        assert page.text_input(key="job_train_run_name").value == "kept"

    def test_a_recipe_fills_the_form_in_and_can_be_changed_after(self, open_jobs, records):
        page = open_jobs(form="train")
        fill(page, beta2="0.5", run_name="kept", gradient_accumulation_steps="7")
        page = page.selectbox(key="job_train_recipe").set_value("demo").run()
        assert not page.exception
        assert page.text_input(key="job_train_learning_rate").value == "0.001"
        page = page.selectbox(key="job_train_recipe").set_value("lora").run()
        assert page.selectbox(key="job_train_train_parts").value == "lora"
        assert page.text_input(key="job_train_beta2").value == "0.98"
        start_train(page, lora_rank="3")
        sent = records.get(1)["arguments"]
        expected = {"--run_name=kept", "--train_parts=lora", "--lora_rank=3", "--weight_decay=0.0"}
        expected |= {"--gradient_checkpointing", "--gradient_accumulation_steps=16"}
        assert expected <= set(sent)
        assert not [each for each in sent if each.startswith("--beta2")]

    def test_a_job_without_recipes_offers_none(self, open_jobs):
        keys = [each.key for each in open_jobs(form="evaluate").selectbox]
        assert "job_evaluate_recipe" not in keys

    def test_a_wrong_setting_opens_its_group_alone(self, open_jobs):
        def opened(page):
            return [each.label for each in page.expander if each.proto.expanded]

        page = open_jobs(form="train")
        before = opened(page)
        page = start_train(page, lora_rank="0")
        assert [label for label in opened(page) if label not in before] == [
            "Which parts of the model learn"
        ]

    def test_an_existing_output_folder_is_not_proposed(self, open_jobs, records):
        (records.folder / "outputs" / "training").mkdir(parents=True)
        page = open_jobs(form="train")
        assert page.text_input(key="job_train_output_dir").value == "outputs/training_2"

    def test_run_again_fills_the_form_with_all_settings(self, open_jobs, records):
        job_id = records.add("failed", run_name=HOSTILE, num_epochs=7)
        page = open_jobs(job=str(job_id))
        page = page.button(key="job_again").click().run()
        assert page.query_params["again"] == str(job_id)
        assert page.text_input(key="job_train_run_name").value == HOSTILE
        assert page.text_input(key="job_train_num_epochs").value == "7"
        page = page.button(key="job_start").click().run()
        assert records.get(2)["arguments"] == records.get(1)["arguments"]
        assert "again" not in page.query_params

    def test_a_done_training_leads_to_its_evaluation(self, open_jobs, records):
        job_id = records.add("done", output_dir=Path("outputs/t"))
        (records.folder / "outputs" / "t").mkdir(exist_ok=True)
        (records.folder / "outputs" / "t" / "best_model.pt").touch()
        page = open_jobs(job=str(job_id)).button(key="job_next").click().run()
        value = page.text_input(key="job_evaluate_checkpoint_path").value
        assert value == "outputs/t/best_model.pt"

    def test_the_browser_walks_to_a_file_and_writes_it_into_the_field(self, open_jobs):
        page = open_jobs(form="train")
        page = page.button(key="job_train_val_csv_browse").click().run()
        page = page.button(key="browser_up_0").click().run()
        page = page.button(key="browser_root_0").click().run()
        assert "val\\.csv" in labels(page)
        (choice,) = (each for each in page.button if each.label == "val\\.csv")
        page = choice.click().run()
        assert not page.exception
        assert page.text_input(key="job_train_val_csv").value == "data/val.csv"
